"""The console's API: what a session opens, what it never opens, and attacks on it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gateway.console import api
from gateway.console.session import SHOW_ONCE_SECONDS
from tests.gateway.console.browser import Browser, key_of_role, signed_in
from tests.gateway.scripted import ADMIN_KEY, API_KEY, House, ask

ACCOUNT = {"kind": "official", "label": "me@example.org", "credentials": {"api_key": "a" * 24}}


async def test_signing_in_gives_a_cookie_and_no_key(house: House) -> None:
    browser = Browser(house)
    answer = await browser.sign_in()
    assert (answer.status, answer.json["role"], answer.json["can_change"]) == (200, "admin", True)
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict"):
        assert attribute in cookie.split("; ")
    assert ADMIN_KEY not in cookie + json.dumps(answer.json)
    shown = await browser.call("/session")
    assert {name: shown.json[name] for name in ("role", "name", "key_id")} == {
        "role": "admin",
        "name": "admin key",
        "key_id": None,
    }


@pytest.mark.parametrize(
    "body", [{}, {"key": ""}, {"key": 1}, {"key": None}, {"key": "x" * 2000}, {"key": ["a"]}, {"key": "x" * 5000}]
)
async def test_what_is_no_key_signs_nobody_in(house: House, body: dict[str, Any]) -> None:
    answer = await Browser(house).call("/session", body)
    assert answer.status in (400, 413)
    assert "set-cookie" not in answer.headers


async def test_a_wrong_key_is_refused_without_a_word_of_it(house: House) -> None:
    answer = await Browser(house).sign_in("wrong-key-of-somebody")
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert b"wrong-key" not in answer.body
    assert "wrong-key" not in house.log.getvalue()


async def test_a_request_without_a_session_is_told_to_sign_in(house: House) -> None:
    for path in ("/session", "/overview", "/keys", "/admin/keys"):
        answer = await Browser(house).call(path)
        assert (answer.status, answer.error["code"]) == (401, "no_session"), path


async def test_a_key_in_a_header_opens_no_page(house: House) -> None:
    headers = {"authorization": f"Bearer {ADMIN_KEY}", "x-api-key": ADMIN_KEY}
    assert (await Browser(house).call("/keys", headers=headers)).error["code"] == "no_session"


async def test_signing_out_removes_the_cookie(house: House) -> None:
    browser = await signed_in(house)
    answer = await browser.call("/session", {}, method="DELETE")
    assert (answer.status, browser.cookie) == (200, None)
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "storage" in answer.headers["clear-site-data"]


async def test_a_cookie_opens_neither_models_nor_the_administration(house: House) -> None:
    await house.add_account()
    browser = await signed_in(house)
    cookie = {"cookie": f"__Host-poegw={browser.cookie}"}
    for path, body in (
        ("/v1/chat/completions", ask()),
        ("/chat/completions", ask()),
        ("/v1/models", None),
        ("/v1/usage", None),
        ("/admin/keys", None),
        ("/admin/accounts", ACCOUNT),
        ("/v1/admin/keys", None),
    ):
        answer = await house.call(path, body, key=None, headers=cookie)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key"), path
        answer = await house.call(path, body, key=browser.cookie)
        assert answer.status == 401, path
    assert house.poe.requests == []


async def test_a_cookie_is_worth_nothing_after_all_were_signed_out(house: House) -> None:
    thief, owner = await signed_in(house), await signed_in(house)
    assert (await owner.call("/session/end-all", {})).status == 200
    assert owner.cookie is None
    for path, body in (("/session", None), ("/keys", None), ("/admin/keys", {"name": "x"})):
        answer = await thief.call(path, body)
        assert (answer.status, answer.error["code"]) == (401, "session_ended"), path
    assert [key.name for key in (await house.store.list_keys()).items] == ["tests"]


@pytest.mark.parametrize("role", ["viewer", "client"])
async def test_only_an_admin_signs_everybody_out(house: House, role: str) -> None:
    _, secret = await key_of_role(house, role)
    browser, admin = await signed_in(house, secret), await signed_in(house)
    assert (await browser.call("/session/end-all", {})).status == 403
    assert (await admin.call("/session")).status == 200


FORGED = [
    {"sec-fetch-site": "same-site", "origin": "https://gateway.example:8443"},
    {"sec-fetch-site": "same-site", "origin": "https://other.gateway.example"},
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": None, "origin": "https://evil.example"},
    {"sec-fetch-site": None, "origin": None},
    {"x-console": None},
    {"content-type": "text/plain"},
]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/admin/keys", {"name": "x"}),
        ("POST", "/admin/accounts", ACCOUNT),
        ("PUT", "/admin/config/poe", {}),
        ("DELETE", "/admin/keys/none", {}),
        ("POST", "/session", {"key": ADMIN_KEY}),
        ("DELETE", "/session", {}),
        ("POST", "/session/end-all", {}),
    ],
)
async def test_a_forged_change_is_refused_even_with_the_cookie(
    house: House, forged: dict[str, str | None], method: str, path: str, body: Any
) -> None:
    browser = await signed_in(house)
    before = browser.cookie
    answer = await browser.call(path, body, method=method, headers=forged)
    assert answer.status in (400, 403), answer.body
    assert browser.cookie == before
    assert "set-cookie" not in answer.headers
    assert (await browser.call("/session")).status == 200
    assert [key.name for key in (await house.store.list_keys()).items] == ["tests"]
    assert (await house.store.list_accounts()).items == []


async def test_a_page_of_another_port_reads_nothing(house: House) -> None:
    browser = await signed_in(house)
    answer = await browser.call("/admin/keys", headers={"sec-fetch-site": "same-site"})
    assert (answer.status, answer.error["code"]) == (403, "not_same_origin")


@pytest.mark.parametrize(
    "value",
    ["", "x", "v1..", "v1.a.b", "v1." + "A" * 5000 + ".B", "é", "v1.W10.W10", '"', "v1.%00.x", "a.b.c.d"],
)
async def test_a_strange_cookie_is_nobodys(house: House, value: str) -> None:
    answer = await Browser(house).call("/session", headers={"cookie": f"__Host-poegw={value}"})
    assert (answer.status, answer.error["code"] in ("no_session", "session_ended")) == (401, True)


async def test_an_oversized_cookie_header_is_nobodys(house: House) -> None:
    browser = await signed_in(house)
    many = "; ".join(f"__Host-poegw={browser.cookie}" for _ in range(500))
    for header in (many, f"__Host-poegw={'v1.' * 100_000}", "a=b; " * 50_000):
        answer = await Browser(house).call("/session", headers={"cookie": header})
        assert (answer.status, answer.error["code"]) == (401, "no_session")


async def test_a_viewer_changes_nothing_and_sees_no_secret(house: House) -> None:
    account_id = await house.add_account()
    key_id, _ = await key_of_role(house, "client")
    _, secret = await key_of_role(house, "viewer")
    browser = await signed_in(house, secret)
    for method, path, body in (
        ("POST", "/admin/keys", {"name": "x", "role": "admin"}),
        ("PATCH", f"/admin/keys/{key_id}", {"enabled": False}),
        ("POST", f"/admin/keys/{key_id}/rotate", {}),
        ("DELETE", f"/admin/keys/{key_id}", {}),
        ("POST", "/admin/accounts", ACCOUNT),
        ("POST", f"/admin/accounts/{account_id}/disable", {}),
        ("POST", f"/admin/accounts/{account_id}/test", {"model": "GPT-5"}),
        ("DELETE", f"/admin/accounts/{account_id}", {}),
        ("PUT", "/admin/config/poe", {}),
        ("GET", "/admin/config/poe", None),
    ):
        answer = await browser.call(path, body, method=method)
        assert (answer.status, answer.error["code"]) == (403, "viewer_only_reads"), path
    assert (await browser.call("/admin/keys")).status == 200
    assert (await house.store.get_key(key_id)).enabled
    assert house.poe.requests == []


async def test_the_holder_of_a_client_key_administers_nothing(house: House) -> None:
    browser = await signed_in(house, API_KEY)
    for path in ("/overview", "/keys", "/admin/keys", "/admin/accounts"):
        answer = await browser.call(path)
        assert (answer.status, answer.error["code"]) == (403, "wrong_key_role"), path


@pytest.mark.parametrize(
    "path", ["/admin/export", "/admin/import", "/admin/whoami", "/admin/stream-check", "/admin/none"]
)
async def test_what_moves_secrets_in_bulk_is_not_offered(house: House, path: str) -> None:
    browser = await signed_in(house)
    for body in (None, {}):
        assert (await browser.call(path, body)).status == 404


async def test_changes_are_those_of_the_administration(house: House) -> None:
    browser = await signed_in(house)
    made = await browser.call("/admin/keys", {"name": "laptop", "points_per_day": 100})
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    key_id = made.json["id"]
    assert (await house.call("/v1/models", key=made.json["key"])).status == 200
    changed = await browser.call(f"/admin/keys/{key_id}", {"enabled": False}, method="PATCH")
    assert (changed.status, changed.json["enabled"]) == (200, False)
    assert (await browser.call(f"/admin/keys/{key_id}", {}, method="DELETE")).status == 200
    wrong = await browser.call("/admin/keys", {"name": "x", "points_per_day": -1})
    assert (wrong.status, wrong.error["param"]) == (400, "points_per_day")
    added = await browser.call("/admin/accounts", ACCOUNT)
    assert (added.status, added.json["message_point_balance"]) == (201, 1234)


@pytest.mark.parametrize("path", ["/admin/keys", "/admin/keys/{id}/rotate"])
async def test_secrets_are_made_only_soon_after_signing_in(
    house: House, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id, _ = await key_of_role(house, "client")
    browser = await signed_in(house)
    now = time.time()
    monkeypatch.setattr(api.time, "time", lambda: now + SHOW_ONCE_SECONDS + 1)
    path = path.replace("{id}", key_id)
    late = await browser.call(path, {"name": "x"} if path.endswith("keys") else {})
    assert (late.status, late.error["code"]) == (403, "sign_in_again")
    assert len((await house.store.list_keys()).items) == 2
    assert (await browser.call(f"/admin/keys/{key_id}", {"enabled": False}, method="PATCH")).status == 200


async def test_use_moves_the_end_of_a_session_and_polling_does_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await signed_in(house)
    now = time.time()
    monkeypatch.setattr("gateway.console.api.time.time", lambda: now + 600)
    before = browser.cookie
    await browser.call("/admin/keys", headers={"x-console-poll": "1"})
    assert browser.cookie == before
    await browser.call("/admin/keys")
    assert browser.cookie != before
    shown = await browser.call("/session")
    assert shown.json["idle_expires_at"] > shown.json["signed_in_at"]


@pytest.mark.parametrize(
    ("path", "method"), [("/session", "PUT"), ("/session/end-all", "GET"), ("/keys", "POST"), ("/none", "GET")]
)
async def test_other_methods_and_addresses_are_refused(house: House, path: str, method: str) -> None:
    browser = await signed_in(house)
    assert (await browser.call(path, None if method == "GET" else {}, method=method)).status in (404, 405)
