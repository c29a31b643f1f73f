"""What the gateway finds out about itself, with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accounts import Account, AccountKind, AccountState, ApiKey, KeyRole, KeyUse, Points, StoreUnavailableError
from gateway.admin.monitoring import accounts_check, job_check, keys_check
from pool.status import AccountStatus, status_of
from tests.gateway.scripted import House

NOW = 1_000_000.0
ACCOUNT = Account(id="a", kind=AccountKind.OFFICIAL, label="a", refresh_due_at=NOW + 60)
KEY = ApiKey(id="k", name="k", hash="h", points_per_day=5, created_at=NOW - 60)


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


def test_accounts_without_points_are_told_with_when_they_get_some() -> None:
    depleted = depleted_account(next_grant_at=86_400.0 * 12)
    found = accounts_check([ACCOUNT, depleted], NOW)
    assert (found.state, found.detail) == (
        "ok",
        "1 active, 1 depleted; the next points come at 1970-01-13 00:00 UTC.",
    )
    assert accounts_check([depleted_account(next_grant_at=None)], NOW).detail == "No account can serve: 1 depleted."


def depleted_account(next_grant_at: float | None) -> Account:
    points = Points(balance=0, read_at=NOW, next_grant_at=next_grant_at)
    account = replace(ACCOUNT, id="d", points=points, points_until=NOW + 3_600)
    assert status_of(account, NOW) is AccountStatus.DEPLETED
    return account


def test_a_key_without_a_budget_is_told() -> None:
    assert keys_check([KEY], {}, NOW).state == "ok"
    endless = replace(KEY, points_per_day=None)
    assert keys_check([KEY, endless], {}, NOW).state == "warn"
    assert keys_check([replace(endless, role=KeyRole.ADMIN)], {}, NOW).state == "ok"
    assert keys_check([replace(endless, expires_at=NOW - 1)], {}, NOW).state == "ok"


def test_a_key_that_ends_soon_is_told() -> None:
    ending = replace(KEY, name="laptop", role=KeyRole.ADMIN, expires_at=NOW + 6 * 86_400)
    found = keys_check([KEY, ending], {}, NOW)
    assert (found.state, found.detail) == ("warn", "Expires within a week: laptop.")
    assert keys_check([replace(ending, expires_at=NOW + 8 * 86_400)], {}, NOW).state == "ok"


def test_keys_that_nobody_uses_are_told() -> None:
    now = 200 * 86_400.0
    old = [replace(KEY, id=f"k{number}", name=f"old-{number}", created_at=now - 91 * 86_400) for number in range(7)]
    found = keys_check(old, {}, now)
    assert (found.state, found.detail) == (
        "warn",
        "Not used for 90 days: old-0, old-1, old-2, old-3, old-4 and 2 more.",
    )
    uses = {key.id: KeyUse(at=now, last_used_at=now - 86_400) for key in old}
    assert keys_check(old, uses, now).state == "ok"
    assert keys_check([replace(KEY, created_at=now - 86_400)], {}, now).state == "ok"


@pytest.mark.parametrize("operation", ["check_vault", "read_credentials"])
async def test_a_key_that_may_not_be_used_is_a_finding(
    house: House, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    async def denied(*_: str) -> None:
        raise StoreUnavailableError("Encrypt", "AccessDeniedException")

    await house.add_account()
    monkeypatch.setattr(house.store, operation, denied)
    found = (await checks(house))["encryption"]
    assert (found["state"], "rights" in found["remedy"]) == ("fail", True)
