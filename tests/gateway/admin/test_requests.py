"""Requests one by one, and what no list shows."""

from __future__ import annotations

import time
from dataclasses import replace

from accounts import Selection
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


async def test_a_request_shows_its_tries_however_busy_its_key_was_afterwards(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("x"), Finished())
    await house.call(body=ask())
    (shown,) = (await house.admin("/requests")).json["data"]
    now = time.time()
    (entry,) = (await house.store.list_entries(Selection(since=now - 3600, until=now + 3600), limit=2)).items
    later = [
        replace(
            entry,
            id=f"{round((entry.started_at + 60 + number) * 1000):014d}#later{number}",
            started_at=entry.started_at + 60 + number,
            request_id=f"req_later{number}",
        )
        for number in range(250)
    ]
    for start in range(0, len(later), 50):
        await house.store.restore_entries(later[start : start + 50])
    one = (await house.admin(f"/requests/{shown['request_id']}")).json
    assert [item["id"] for item in one["tries"]] == [entry.id]
