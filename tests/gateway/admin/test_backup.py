"""Export and import, through the front door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from accounts import KeyRole
from gateway.admin.gate import MAX_BODY_BYTES
from gateway.settings import Settings
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import API_KEY, House, ask

OVERRIDES = {"operation_hashes": {"sendMessageMutation": "a" * 64}}


@pytest.fixture
async def other_house(environment: dict[str, str]) -> AsyncIterator[House]:
    """Where things are moved to: it has the key of the tests, and no account."""
    house = House(Settings.from_env(environment))
    await house.add_key()
    yield house
    await house.services.aclose()


async def filled(house: House) -> str:
    """A house with an account, two keys and a send; returns the account's id."""
    account = (
        await house.admin(
            "/accounts", {"kind": "official", "label": "me", "credentials": {"api_key": "poe-api-key-secret"}}
        )
    ).json["id"]
    await house.admin("/keys", {"name": "laptop", "points_per_day": 2000, "models": ["gpt-*"]})
    house.poe.enqueue(TextDelta("hello"), UsageReported(10, 5, points=7), Finished())
    assert (await house.call(body=ask(), key=API_KEY)).status == 200
    return str(account)


async def exported(house: House, section: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (
            await house.admin(f"/export/{section}?limit=1{cursor}" if section != "settings" else "/export/settings")
        ).json
        found += page["data"]
        if not page["next_cursor"]:
            return found
        cursor = f"&cursor={page['next_cursor'].replace('#', '%23')}"


async def test_everything_is_exported_page_by_page_without_a_secret(house: House) -> None:
    account = await filled(house)
    accounts, keys, ledger = [await exported(house, section) for section in ("accounts", "keys", "ledger")]
    assert [row["id"] for row in accounts] == [account]
    assert {row["name"] for row in keys} == {"tests", "laptop"}
    assert [(row["account_id"], row["reported"]) for row in ledger] == [(account, 7)]
    assert await exported(house, "settings") == []
    text = str([accounts, keys, ledger])
    for secret in ("poe-api-key-secret", API_KEY):
        assert secret not in text


async def test_what_was_exported_is_imported_into_an_empty_gateway_and_twice_changes_nothing(
    house: House, other_house: House
) -> None:
    account = await filled(house)
    for expected in ("created", "same"):
        for section in ("accounts", "keys", "ledger"):
            data = await exported(house, section)
            results = (await other_house.admin(f"/import/{section}", {"data": data})).json["results"]
            # The key of the tests is in both houses.
            assert set(results) <= {expected, "same"}, section
            assert expected in results
    for section in ("keys", "ledger"):
        there = {row["id"]: row for row in await exported(other_house, section)}
        for row in await exported(house, section):
            if row.get("name") == "tests":
                continue
            kept = there[row["id"]]
            for one in (row, kept):
                one.get("use", {}).pop("at", None)
            assert kept == row
    shown = (await other_house.admin(f"/accounts/{account}")).json
    assert (shown["status"], shown["last_error"]) == ("invalid", "credentials_missing")


async def test_credentials_need_the_admin_key_itself(house: House, other_house: House) -> None:
    account = await filled(house)
    _, admin = await house.store.create_key(name="laptop", role=KeyRole.ADMIN)
    wanted = {"accounts": [account, "acct_gone"]}
    refused = await house.admin("/export/credentials", wanted, key=admin)
    assert (refused.status, refused.error["code"]) == (403, "admin_key_required")
    assert "poe-api-key-secret" not in refused.body.decode()
    found = (await house.admin("/export/credentials", wanted)).json["data"]
    assert found == {account: {"api_key": "poe-api-key-secret"}}
    (row,) = (await house.admin("/audit?action=export_credentials")).json["data"]
    assert row["fields"] == ["accounts"]
    (record,) = await exported(house, "accounts")
    await other_house.admin("/import/accounts", {"data": [record | {"credentials": found[account]}]})
    assert (await other_house.admin(f"/accounts/{account}")).json["status"] == "active"
    assert (await other_house.call(body=ask())).status == 200


@pytest.mark.parametrize("section", ["accounts", "keys", "ledger", "settings"])
async def test_a_viewer_exports_and_imports_nothing(house: House, section: str) -> None:
    _, viewer = await house.store.create_key(name="viewer", role=KeyRole.VIEWER)
    assert (await house.admin(f"/export/{section}", key=viewer)).status == 403
    assert (await house.admin(f"/import/{section}", {"data": []}, key=viewer)).status == 403


async def test_settings_come_back_where_there_are_none(house: House, other_house: House) -> None:
    await house.admin("/config/poe", OVERRIDES, method="PUT")
    data = await exported(house, "settings")
    assert data == [{"name": "poe", "value": (await house.admin("/config/poe")).json}]
    for expected in ("created", "same"):
        assert (await other_house.admin("/import/settings", {"data": data})).json == {"results": [expected]}
    other = {"operation_hashes": {"sendMessageMutation": "b" * 64}}
    await other_house.admin("/config/poe", other, method="PUT")
    before = (await other_house.admin("/config/poe")).json
    assert (await other_house.admin("/import/settings", {"data": data})).json == {"results": ["kept"]}
    assert (await other_house.admin("/config/poe")).json == before


ENTRY = {
    "id": "01764500000000#owner",
    "account_id": "acct_1",
    "kind": "web",
    "key_id": "k",
    "model": "m",
    "surface": "chat",
    "request_id": "r",
    "attempt": 1,
    "started_at": 1764500000.0,
    "outcome": "ok",
    "is_estimated": True,
}
ACCOUNT = {"id": "acct_1", "kind": "official", "label": "x", "state": "active", "max_concurrency": 2, "created_at": 1.0}
KEY = {
    "id": "k",
    "name": "n",
    "hash": "0" * 64,
    "role": "client",
    "enabled": True,
    "created_at": 1.0,
    "version": 1,
    "use": {"at": 1.0},
}


@pytest.mark.parametrize(
    ("section", "item", "place"),
    [
        ("ledger", ENTRY | {"id": "x"}, "data.0.id"),
        ("ledger", ENTRY | {"id": "01764500009000#owner"}, "data.0.id"),
        ("ledger", ENTRY | {"id": "09999999999999#owner", "started_at": 9999999999.999}, "data.0.started_at"),
        ("ledger", ENTRY | {"settled": -5}, "data.0.settled"),
        ("ledger", ENTRY | {"attempt": 0}, "data.0.attempt"),
        ("ledger", ENTRY | {"unknown": 1}, "data.0.unknown"),
        ("accounts", ACCOUNT | {"kind": "other"}, "data.0.kind"),
        ("accounts", ACCOUNT | {"max_concurrency": 0}, "data.0.max_concurrency"),
        ("accounts", ACCOUNT | {"id": "a b"}, "data.0.id"),
        ("accounts", ACCOUNT | {"credentials": {"api_key": ""}}, "data.0.credentials"),
        ("accounts", ACCOUNT | {"credentials": {}}, "data.0.credentials"),
        ("keys", KEY | {"hash": "secret"}, "data.0.hash"),
        ("keys", KEY | {"role": "king"}, "data.0.role"),
        ("keys", KEY | {"previous": {"x": 1.0}}, "data.0.previous"),
        ("settings", {"name": "other", "value": {}}, "data.0.name"),
        ("settings", {"name": "poe", "value": {"hashes": 5}}, "data.0.value"),
    ],
)
async def test_what_can_not_be_is_refused_by_its_place(
    house: House, section: str, item: dict[str, Any], place: str
) -> None:
    answer = await house.admin(f"/import/{section}", {"data": [item]})
    assert answer.status == 400
    assert str(answer.error["param"]).startswith(place)
    assert (await house.admin("/accounts")).json["data"] == []


async def test_a_request_has_a_hundred_items_and_two_megabytes_at_most(house: House) -> None:
    many = [ENTRY | {"id": f"01764500000000#o{number}"} for number in range(101)]
    assert (await house.admin("/import/ledger", {"data": many})).status == 400
    assert (await house.admin("/import/ledger", {"data": many[:100]})).status == 200
    long = ACCOUNT | {"settlement": {"claimed": {f"item-{number:060d}": 1.0 for number in range(4000)}, "version": 1}}
    assert len(str(long)) > MAX_BODY_BYTES
    assert (await house.admin("/import/accounts", {"data": [long]})).json == {"results": ["created"]}
    assert (await house.admin("/import/ledger", {"data": [], "x": "y" * 2_500_000})).status == 413


async def test_a_moment_that_no_calendar_has_is_refused_by_its_place(house: House) -> None:
    use = {"tokens_today": 1, "points_today": 1, "points_this_month": 1, "tokens_this_month": 1}
    key = {"role": "client", "version": 1, "enabled": True, "created_at": 1.7e9, "name": "k", "id": "z"}
    for at in (335_508_261_415.9, 253_402_300_799):
        item = {**key, "hash": "0" * 64, "use": {**use, "at": at}}
        refused = await house.admin("/import/keys", {"data": [item]}, method="POST")
        assert (refused.status, refused.error["param"]) == (400, "data.0.use.at")
    refused = await house.admin("/keys", {"name": "far", "expires_at": 10**12}, method="POST")
    assert refused.status == 400
    assert (await house.admin("/keys", {"name": "last", "expires_at": "9999-12-31"}, method="POST")).status == 201
    assert (await house.admin("/keys")).status == 200


@pytest.mark.parametrize("field", ["expires_at", "created_at", "points_per_day", "version"])
async def test_a_truth_value_is_no_number(house: House, field: str) -> None:
    refused = await house.admin("/import/keys", {"data": [KEY | {field: False}]}, method="POST")
    assert (refused.status, refused.error["param"]) == (400, f"data.0.{field}")
