"""Requests one by one, and what no list shows."""

from __future__ import annotations

from reverse.events import Finished, TextDelta
from tests.gateway.scripted import House, ask


async def test_a_prompt_is_nowhere_in_the_books(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("a secret answer"), Finished())
    await house.call(body=ask("a secret prompt"))
    for path in ("/usage", "/ledger", "/requests"):
        body = (await house.admin(path)).body
        assert b"secret prompt" not in body
        assert b"secret answer" not in body


async def test_an_unknown_request_is_not_found(house: House) -> None:
    assert (await house.admin("/requests/req_none")).status == 404
