"""What the gateway finds out about itself, with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accounts import Account, AccountKind, AccountState, ApiKey, KeyRole, StoreUnavailableError
from gateway.admin.monitoring import accounts_check, job_check, keys_check
from tests.gateway.scripted import House

NOW = 1_000_000.0
ACCOUNT = Account(id="a", kind=AccountKind.OFFICIAL, label="a", refresh_due_at=NOW + 60)
KEY = ApiKey(id="k", name="k", hash="h", points_per_day=5)


async def checks(house: House) -> dict[str, Any]:
    return {check["name"]: check for check in (await house.admin("/health")).json["checks"]}


async def test_everything_that_can_be_looked_at_is(house: House) -> None:
    await house.add_account()
    found = await checks(house)
    assert list(found) == ["table", "encryption", "accounts", "scheduled job", "keys", "models"]
    assert found["table"]["state"] == found["encryption"]["state"] == found["accounts"]["state"] == "ok"
    assert all(check["remedy"] for check in found.values() if check["state"] != "ok")


async def test_a_table_that_does_not_answer_is_a_finding(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(**_: object) -> None:
        raise StoreUnavailableError("Query", "timeout")

    monkeypatch.setattr(house.store, "list_accounts", broken)
    found = await checks(house)
    assert found["table"]["state"] == "fail"


def test_accounts_that_can_not_serve_are_told() -> None:
    refused = replace(ACCOUNT, id="b", state=AccountState.LOGGED_OUT)
    assert accounts_check([], NOW).state == "fail"
    assert accounts_check([refused], NOW).state == "fail"
    assert accounts_check([ACCOUNT, refused], NOW).state == "warn"
    assert accounts_check([ACCOUNT], NOW).state == "ok"


def test_readings_that_are_long_overdue_tell_of_a_stale_job() -> None:
    overdue = replace(ACCOUNT, refresh_due_at=NOW - 7200)
    assert job_check([overdue], NOW).state == "fail"
    assert job_check([replace(overdue, state=AccountState.DISABLED)], NOW).state == "ok"
    assert job_check([replace(ACCOUNT, refresh_due_at=NOW - 60)], NOW).state == "ok"


def test_a_key_without_a_budget_is_told() -> None:
    assert keys_check([KEY]).state == "ok"
    endless = replace(KEY, points_per_day=None)
    assert keys_check([KEY, endless]).state == "warn"
    assert keys_check([replace(endless, role=KeyRole.ADMIN)]).state == "ok"
