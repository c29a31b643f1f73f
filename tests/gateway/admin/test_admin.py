"""The administration, through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error
from tests.gateway.scripted import ADMIN_KEY, API_KEY, House, ask

OFFICIAL = {"kind": "official", "label": "me@example.org", "credentials": {"api_key": "poe-api-key-secret"}}
UPSERT = {
    "email": "web@example.org",
    "poe_p_b": "cookie-secret",
    "poe_cf_clearance": "clearance-secret",
    "poe_cf_bm": "",
}


async def test_an_account_is_added_used_disabled_and_deleted(house: House) -> None:
    added = await house.admin("/accounts", OFFICIAL)
    assert added.status == 201
    assert (added.json["kind"], added.json["label"], added.json["status"]) == ("official", "me@example.org", "active")
    account = f"/accounts/{added.json['id']}"
    assert (await house.call(body=ask())).status == 200
    assert (await house.admin(f"{account}/disable", method="POST")).json["status"] == "disabled"
    assert (await house.call(body=ask())).status == 503
    assert (await house.admin(f"{account}/enable", method="POST")).json["status"] == "active"
    assert (await house.admin(account)).json["id"] == added.json["id"]
    assert (await house.admin(account, method="DELETE")).json == {"id": added.json["id"], "deleted": True}
    assert (await house.admin(account)).status == 404
    assert (await house.admin(account, method="DELETE")).status == 404
    assert house.poe.clients[0].is_closed, "a deleted account's client is closed"


async def test_the_originals_form_of_a_web_account(house: House) -> None:
    answer = await house.admin("/accounts/upsert", UPSERT)
    assert answer.status == 200
    assert (answer.json["email"], answer.json["kind"]) == ("web@example.org", "web")
    again = await house.admin("/accounts/upsert", UPSERT)
    assert again.json["id"] == answer.json["id"]
    await house.call(body=ask())
    assert house.poe.clients[0].credentials == {"poe_p_b": "cookie-secret", "poe_cf_clearance": "clearance-secret"}


async def test_new_credentials_replace_the_warm_client(house: House) -> None:
    await house.admin("/accounts", OFFICIAL | {"check": False})
    await house.call(body=ask())
    await house.admin("/accounts", OFFICIAL | {"check": False, "credentials": {"api_key": "another-secret"}})
    await house.call(body=ask())
    assert [client.credentials["api_key"] for client in house.poe.clients] == ["poe-api-key-secret", "another-secret"]
    assert house.poe.clients[0].is_closed


async def test_lists_are_paged(house: House) -> None:
    for number in range(5):
        await house.add_account(f"secret-{number}")
    first = (await house.admin("/accounts?limit=3")).json
    second = (await house.admin(f"/accounts?limit=3&cursor={first['next_cursor']}")).json
    assert (len(first["data"]), len(second["data"]), second["next_cursor"]) == (3, 2, None)
    assert len({account["id"] for account in first["data"] + second["data"]}) == 5


async def test_the_summary_counts_who_is_available(house: House) -> None:
    await house.add_account("a")
    other = await house.add_account("b")
    await house.admin(f"/accounts/{other}/disable", method="POST")
    summary = (await house.admin("/accounts/summary")).json
    assert (summary["total"], summary["available"], summary["unavailable"]) == (2, 1, 1)
    assert {row["status"] for row in summary["accounts"]} == {"active", "disabled"}


@pytest.mark.parametrize("by_email", [True, False])
async def test_points_are_read_on_demand(house: House, by_email: bool) -> None:
    account_id = await house.add_account("s")
    house.poe.readings.append(PointsReading(777, subscribed=True))
    if by_email:
        answer = await house.admin("/accounts/refresh-points", {"email": "OF s"})
    else:
        answer = await house.admin(f"/accounts/{account_id}/refresh-points", method="POST")
    assert (answer.status, answer.json["message_point_balance"], answer.json["subscription_active"]) == (200, 777, True)
    assert house.poe.clients[0].is_closed


async def test_points_that_can_not_be_read_are_a_502_and_noted(house: House) -> None:
    account_id = await house.add_account("s")
    house.poe.readings.append(poe_error(ErrorCode.NOT_AUTHENTICATED))
    answer = await house.admin(f"/accounts/{account_id}/refresh-points", method="POST")
    assert (answer.status, answer.error["code"]) == (502, "not_authenticated")
    shown = (await house.admin(f"/accounts/{account_id}")).json
    assert shown["last_error"] == "not_authenticated"


async def test_points_of_nobody(house: House) -> None:
    assert (await house.admin("/accounts/refresh-points", {"email": "x@y"})).status == 404


async def test_a_key_is_made_used_listed_and_revoked(house: House) -> None:
    await house.add_account()
    made = await house.admin("/keys", {"name": "phone", "requests_per_minute": 60, "models": ["GPT-5"]})
    assert made.status == 201
    secret = made.json["key"]
    assert (await house.call(body=ask(), key=secret)).status == 200
    listed = (await house.admin("/keys")).json["data"]
    assert {key["name"] for key in listed} == {"tests", "phone"}
    assert secret not in str(listed)
    assert (await house.admin(f"/keys/{made.json['id']}", method="DELETE")).json["deleted"] is True
    assert (await house.call(body=ask(), key=secret)).status == 401
    assert (await house.admin(f"/keys/{made.json['id']}", method="DELETE")).status == 404


async def test_usage_of_a_day(house: House) -> None:
    await house.add_account()
    await house.call(body=ask("x" * 40))
    rows = (await house.admin("/usage")).json["data"]
    assert len(rows) == 1
    assert rows[0]["model"] == "gpt-5"
    assert (await house.admin("/usage?day=2020-01-01")).json["data"] == []
    assert (await house.admin("/usage?day=yesterday")).status == 400


@pytest.mark.parametrize("path", ["/accounts", "/keys", "/usage", "/nothing", "/openapi.json"])
@pytest.mark.parametrize(("key", "refusal"), [("wrong", (401, "invalid_api_key")), (API_KEY, (403, "wrong_key_role"))])
async def test_nothing_of_it_is_reached_without_the_admin_key(
    house: House, path: str, key: str, refusal: tuple[int, str]
) -> None:
    answer = await house.admin(path, key=key)
    assert (answer.status, answer.error["code"]) == refusal


async def test_the_admin_key_is_no_api_key(house: House) -> None:
    assert (await house.call(body=ask(), key=ADMIN_KEY)).status == 401


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/accounts", {}, 400, "kind"),
        ("/accounts", OFFICIAL | {"kind": "other"}, 400, "kind"),
        ("/accounts", OFFICIAL | {"credentials": {}}, 400, "credentials"),
        ("/accounts", OFFICIAL | {"credentials": {"api_key": "bad secret"}}, 400, "credentials"),
        ("/accounts", OFFICIAL | {"credentials": {"api_key": 5}}, 400, "credentials.api_key"),
        ("/accounts", OFFICIAL | {"max_concurrency": 0}, 400, "max_concurrency"),
        ("/accounts", OFFICIAL | {"surplus": 1}, 400, "surplus"),
        ("/accounts/upsert", {"email": "a"}, 400, "poe_p_b"),
        ("/accounts/upsert", UPSERT | {"poe_p_b": "bad;secret"}, 400, "credentials"),
        ("/keys", {"name": ""}, 400, "name"),
        ("/keys", {"name": "x", "secret": "short"}, 400, "secret"),
        ("/accounts/refresh-points", {}, 400, "email"),
    ],
)
async def test_bad_bodies_name_the_field_and_no_value(
    house: House, path: str, body: dict[str, Any], status: int, param: str
) -> None:
    answer = await house.admin(path, body)
    assert (answer.status, answer.error["param"]) == (status, param)
    assert "secret" not in answer.error["message"].replace("'secret'", "")
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "method", "raw", "status", "code"),
    [
        ("/admin/accounts", "POST", b"{", 400, "invalid_json"),
        ("/admin/accounts", "POST", b"x" * 300_000, 413, "request_too_large"),
        ("/admin/nothing", "GET", b"", 404, "not_found"),
        ("/admin/accounts", "PUT", b"", 405, "method_not_allowed"),
        ("/admin/accounts?limit=0", "GET", b"", 400, "invalid_value"),
        ("/admin/accounts/acc_none/enable", "POST", b"", 404, "not_found"),
    ],
)
async def test_its_errors_have_the_same_envelope(
    house: House, path: str, method: str, raw: bytes, status: int, code: str
) -> None:
    answer = await house.call(path, method=method, raw=raw, key=ADMIN_KEY)
    assert (answer.status, answer.error["code"]) == (status, code)


async def test_no_answer_ever_has_a_credential(house: House) -> None:
    answers = [
        await house.admin("/accounts", OFFICIAL),
        await house.admin("/accounts/upsert", UPSERT),
        await house.admin("/accounts"),
        await house.admin("/accounts/summary"),
        await house.admin("/keys"),
        await house.admin("/openapi.json"),
    ]
    assert all(b"-secret" not in answer.body for answer in answers)
    account = await house.store.list_accounts()
    assert {item.kind for item in account.items} == {AccountKind.OFFICIAL, AccountKind.WEB}


@pytest.mark.parametrize("field", ["requests_per_minute", "points_per_day", "expires_at"])
@pytest.mark.parametrize("number", ["1e999", "Infinity", "9" * 60, "1795380000000"])
async def test_a_limit_that_no_table_holds_is_the_callers_mistake(house: House, field: str, number: str) -> None:
    """Times in milliseconds among them: such a key would never expire."""
    raw = f'{{"name": "laptop", "{field}": {number}}}'.encode()
    answer = await house.call("/admin/keys", raw=raw, key=ADMIN_KEY)
    assert (answer.status, answer.error["param"]) == (400, field)


@pytest.mark.parametrize("secret", [" " * 40, "a" * 40 + "\n", "é" * 40, "two words of a secret that is long enough"])
async def test_a_key_that_no_header_can_carry_is_not_imported(house: House, secret: str) -> None:
    answer = await house.admin("/keys", {"name": "laptop", "secret": secret})
    assert (answer.status, answer.error["param"]) == (400, "secret")
    assert secret not in answer.body.decode()


async def test_names_of_white_space_are_no_names(house: House) -> None:
    assert (await house.admin("/keys", {"name": "   "})).error["param"] == "name"
    account = {"kind": "official", "label": " \t", "credentials": {"api_key": "k"}}
    assert (await house.admin("/accounts", account)).error["param"] == "label"


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'"text"'])
async def test_a_body_that_is_no_object_is_said_to_be_none(house: House, raw: bytes) -> None:
    answer = await house.call("/admin/keys", raw=raw, key=ADMIN_KEY)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_json", None)
    assert answer.error["message"] == "The body must be a JSON object."


async def test_a_parameter_that_is_given_twice_is_refused(house: House) -> None:
    answer = await house.admin("/usage?account=a&account=b")
    assert (answer.status, answer.error["param"]) == (400, "account")
