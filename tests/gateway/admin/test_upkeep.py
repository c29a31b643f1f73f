"""Marking accounts for the scheduled job, and taking the newest list of models."""

from __future__ import annotations

import time
from typing import Any

import pytest

from accounts import AccountState, BalanceReading, Outcome
from tests.gateway.scripted import House


async def due(house: House) -> set[str]:
    return {account_id async for account_id in house.store.due_accounts(now=time.time() + 1)}


async def read_accounts(house: House, count: int) -> list[str]:
    """Accounts that were just read, so that none is due."""
    ids = [await house.add_account(f"key-{n}") for n in range(count)]
    for account_id in ids:
        await house.store.record_reading(account_id, BalanceReading(1000))
    assert not await due(house)
    return ids


@pytest.mark.parametrize("body", [None, {}, {"concurrency": 5000}, {"concurrency": -1, "unknown": 1}])
async def test_all_accounts_become_due(house: House, body: Any) -> None:
    ids = await read_accounts(house, 3)
    answer = await house.admin("/accounts/refresh-all", body, method="POST")
    assert answer.status == 202, answer.body
    assert answer.json == {"status": "scheduled", "total": 3, "scheduled": 3, "skipped": 0, "next_cursor": None}
    assert await due(house) == set(ids)
    assert not house.poe.clients, "nothing is asked of Poe meanwhile"


async def test_more_than_a_page_of_them(house: House) -> None:
    ids = await read_accounts(house, 130)
    answer = await house.admin("/accounts/refresh-all", {}, method="POST")
    assert answer.json["scheduled"] == 130
    assert await due(house) == set(ids)


async def test_only_those_in_the_states_that_are_named(house: House) -> None:
    first, second, off = await read_accounts(house, 3)
    await house.store.set_account_state(off, AccountState.DISABLED)
    for _ in range(2):  # one refusal is no proof
        await house.store.record_reading(second, Outcome(code="not_authenticated"))
    answer = await house.admin("/accounts/refresh-all", {"statuses": ["invalid"]}, method="POST")
    assert answer.json["scheduled"] == 1
    assert await due(house) == {second}
    assert (await house.admin("/accounts/refresh-all", {}, method="POST")).json["scheduled"] == 2
    assert await due(house) == {first, second}
    for wrong in ("tired", "disabled"):
        assert (await house.admin("/accounts/refresh-all", {"statuses": [wrong]}, method="POST")).status == 400


async def test_one_that_is_being_read_is_left_to_its_reader(house: House) -> None:
    first, second = await read_accounts(house, 2)
    now = time.time()
    assert await house.store.claim_refresh(first, now=now, lease_seconds=60, force=True)
    answer = await house.admin("/accounts/refresh-all", {}, method="POST")
    assert (answer.json["scheduled"], answer.json["skipped"]) == (1, 1)
    assert await due(house) == {second}


async def test_a_marked_account_can_be_claimed_by_the_job(house: House) -> None:
    (account,) = await read_accounts(house, 1)
    await house.admin("/accounts/refresh-all", {}, method="POST")
    assert await house.store.claim_refresh(account, now=time.time() + 0.01, lease_seconds=60)


async def test_the_newest_models_are_there_at_once(house: House) -> None:
    before = await house.admin("/models/reload", method="POST")
    assert (before.json["status"], before.json["source"]) == ("ok", "embedded")
    await house.store.put_config("models", {"updated_at": 1e9, "models": [{"id": "New-Model"}]})
    answer = await house.admin("/models/reload", method="POST")
    assert (answer.json["models_count"], answer.json["source"]) == (1, "table")
    assert answer.json["file_mtime"].startswith("2001-09-09")
    assert (await house.call("/v1/models/new-model")).status == 200


@pytest.mark.parametrize("path", ["/accounts/refresh-all", "/models/reload"])
async def test_only_the_admin_may(house: House, path: str) -> None:
    assert (await house.admin(path, method="POST", key="wrong")).status == 401
