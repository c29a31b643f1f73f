"""Sends one by one."""

from __future__ import annotations

from accounts import KeyRole
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import House, ask


async def test_the_ledger_has_every_send_newest_first(house: House) -> None:
    await house.add_account("a")
    await house.add_account("b")
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=30.0))
    house.poe.enqueue(TextDelta("hello"), UsageReported(10, 5, points=7), Finished())
    assert (await house.call(body=ask())).status == 200
    entries = (await house.admin("/ledger")).json["data"]
    assert [entry["attempt"] for entry in entries] == [2, 1]
    assert entries[1]["outcome"] == "rate_limited"
    assert len({entry["request_id"] for entry in entries}) == 1
    newest = entries[0]
    assert (newest["outcome"], newest["reported"], newest["model"]) == ("ok", 7, "gpt-5")
    assert newest["prompt_tokens"] == 10
    first = (await house.admin("/ledger?limit=1")).json
    assert [entry["id"] for entry in first["data"]] == [newest["id"]]
    assert (await house.admin("/ledger?outcome=ok&model=GPT-5")).json["data"][0]["id"] == newest["id"]
    assert (await house.admin("/ledger?cursor=nonsense")).status == 400


async def test_a_viewer_reads_the_books(house: House) -> None:
    _, secret = await house.store.create_key(name="v", role=KeyRole.VIEWER)
    assert (await house.admin("/ledger", key=secret)).status == 200
