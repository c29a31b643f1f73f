"""Accounts are tried when they are added, changed without their credentials, and found by what they are like."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from accounts import LedgerEntry, Selection
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error
from tests.gateway.scripted import House

OFFICIAL = {"kind": "official", "label": "me@example.org", "credentials": {"api_key": "poe-api-key-secret"}}


async def entries(house: House) -> Sequence[LedgerEntry]:
    """The ledger of the last hour."""
    now = time.time()
    return (await house.store.list_entries(Selection(since=now - 3600, until=now + 60))).items


async def test_adding_an_account_reads_its_balance(house: House) -> None:
    house.poe.readings.append(PointsReading(777, subscribed=True, allotment=1000, next_grant_at=4_000_000_000.0))
    added = await house.admin("/accounts", OFFICIAL)
    assert (added.status, added.json["message_point_balance"]) == (201, 777)
    assert added.json["subscription_active"] is True
    assert added.json["last_refresh_at"] is not None


async def test_credentials_that_poe_refuses_are_not_stored(house: House) -> None:
    house.poe.readings.append(poe_error(ErrorCode.NOT_AUTHENTICATED))
    refused = await house.admin("/accounts", OFFICIAL)
    assert (refused.status, refused.error["code"], refused.error["param"]) == (
        400,
        "credentials_refused",
        "credentials",
    )
    assert "Poe refused" in refused.error["message"]
    assert "poe-api-key-secret" not in refused.body.decode()
    assert (await house.admin("/accounts")).json["data"] == []


async def test_refused_credentials_leave_those_that_there_are(house: House) -> None:
    account = (await house.admin("/accounts", OFFICIAL)).json
    house.poe.readings.append(poe_error(ErrorCode.NOT_AUTHENTICATED))
    wrong = OFFICIAL | {"credentials": {"api_key": "mistyped-secret-1"}}
    assert (await house.admin("/accounts", wrong)).status == 400
    _, credentials, _ = await house.store.read_credentials(account["id"])
    assert credentials == OFFICIAL["credentials"]


@pytest.mark.parametrize("code", [ErrorCode.TIMEOUT, ErrorCode.CONNECTION_FAILED, ErrorCode.CHALLENGE])
async def test_when_poe_can_not_be_asked_nothing_is_stored_unless_wanted(house: House, code: ErrorCode) -> None:
    house.poe.readings.append(poe_error(code))
    failed = await house.admin("/accounts", OFFICIAL)
    assert (failed.status, failed.error["code"]) == (502, code.value)
    assert "check" in failed.error["message"]
    assert (await house.admin("/accounts")).json["data"] == []
    unchecked = await house.admin("/accounts", OFFICIAL | {"check": False})
    assert (unchecked.status, unchecked.json["message_point_balance"]) == (201, None)


async def test_label_and_concurrency_change_without_credentials(house: House) -> None:
    account = (await house.admin("/accounts", OFFICIAL)).json
    changed = await house.admin(f"/accounts/{account['id']}", {"label": "work", "max_concurrency": 5}, method="PATCH")
    assert (changed.json["label"], changed.json["max_concurrency"]) == ("work", 5)
    same = await house.admin(f"/accounts/{account['id']}", {}, method="PATCH")
    assert (same.json["label"], same.json["max_concurrency"]) == ("work", 5)
    assert (await house.admin("/accounts/acct_none", {"label": "x"}, method="PATCH")).status == 404
    assert (await house.admin(f"/accounts/{account['id']}", {"kind": "web"}, method="PATCH")).status == 400


async def test_replacing_credentials_keeps_the_concurrency(house: House) -> None:
    await house.admin("/accounts", OFFICIAL | {"max_concurrency": 7})
    again = await house.admin("/accounts", OFFICIAL | {"credentials": {"api_key": "another-secret-key"}})
    assert again.json["max_concurrency"] == 7


async def test_an_account_is_tried_for_free(house: House) -> None:
    account = (await house.admin("/accounts", OFFICIAL)).json
    house.poe.readings.append(PointsReading(50))
    found = (await house.admin(f"/accounts/{account['id']}/test", method="POST")).json
    assert (found["reachable"], found["authenticated"], found["balance"]) == (True, True, 50)
    assert (found["model"], found["answered"], found["points"], found["code"]) == (None, None, None, None)
    assert await entries(house) == []


async def test_a_refused_account_is_found_and_noted(house: House) -> None:
    account = (await house.admin("/accounts", OFFICIAL)).json
    house.poe.readings.append(poe_error(ErrorCode.NOT_AUTHENTICATED))
    found = (await house.admin(f"/accounts/{account['id']}/test", method="POST")).json
    assert (found["reachable"], found["authenticated"], found["code"]) == (True, False, "not_authenticated")
    assert (await house.admin(f"/accounts/{account['id']}")).json["last_error"] == "not_authenticated"


async def test_asking_a_model_is_booked_like_any_send(house: House) -> None:
    account = (await house.admin("/accounts", OFFICIAL)).json
    found = (await house.admin(f"/accounts/{account['id']}/test", {"model": "GPT-5"}, method="POST")).json
    assert (found["model"], found["answered"]) == ("GPT-5", True)
    (entry,) = await entries(house)
    assert (entry.account_id, entry.key_id, entry.surface, entry.outcome) == (account["id"], "admin", "test", "ok")


async def test_a_failed_question_is_booked_too(house: House) -> None:
    account = (await house.admin("/accounts", OFFICIAL)).json
    house.poe.enqueue(poe_error(ErrorCode.BOT_NOT_FOUND))
    found = (await house.admin(f"/accounts/{account['id']}/test", {"model": "Nobody"}, method="POST")).json
    assert (found["answered"], found["code"]) == (False, "bot_not_found")
    (entry,) = await entries(house)
    assert entry.outcome == "bot_not_found"


async def test_only_the_account_that_is_meant_is_asked(house: House) -> None:
    account = (await house.admin("/accounts", OFFICIAL)).json
    await house.add_account("other-secret")
    await house.admin(f"/accounts/{account['id']}/disable", method="POST")
    asked = len(house.poe.requests)
    found = (await house.admin(f"/accounts/{account['id']}/test", {"model": "GPT-5"}, method="POST")).json
    assert (found["answered"], found["code"]) == (False, "account_waits")
    assert len(house.poe.requests) == asked


async def test_accounts_are_found_by_status_and_balance(house: House) -> None:
    for number, points in enumerate((5, 500, 5000)):
        house.poe.readings.append(PointsReading(points))
        await house.admin("/accounts", OFFICIAL | {"label": f"a{number}"})
    await house.admin("/accounts", OFFICIAL | {"label": "unknown", "check": False})

    async def labels(query: str) -> set[str]:
        return {account["label"] for account in (await house.admin(f"/accounts?{query}")).json["data"]}

    assert await labels("min_balance=100") == {"a1", "a2"}
    assert await labels("min_balance=100&max_balance=600") == {"a1"}
    assert await labels("max_balance=600") == {"a0", "a1"}
    assert await labels("status=depleted") == {"a0"}
    assert await labels("status=active&limit=1") <= {"a1", "a2", "unknown"}
    assert (await house.admin("/accounts?status=tired")).status == 400


async def test_numbered_pages_are_the_originals(house: House) -> None:
    for number in range(5):
        await house.admin("/accounts", OFFICIAL | {"label": f"a{number}", "check": False})
    second = (await house.admin("/accounts?page=2&page_size=2")).json
    assert (second["page"], second["page_size"], second["total"], len(second["data"])) == (2, 2, 5, 2)
    first = (await house.admin("/accounts?page=1&page_size=2")).json
    assert not {row["id"] for row in first["data"]} & {row["id"] for row in second["data"]}
    assert (await house.admin("/accounts?page=9")).json["data"] == []
