"""Every page: with nothing, with data, as a table, and with hostile texts in it."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import Any

import pytest

from accounts import AccountKind, KeyRole
from gateway.console.api import PAGES
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.accounts.sample_ledger import entry, request, write
from tests.gateway.console.browser import Browser, key_of_role, signed_in
from tests.gateway.scripted import API_KEY, House, ask

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
OWNERS = sorted(name for name, roles in PAGES.items() if KeyRole.ADMIN in roles)


@pytest.fixture
async def browser(house: House) -> Browser:
    return await signed_in(house)


async def get(browser: Browser, path: str) -> Any:
    answer = await browser.call(path)
    assert answer.status == 200, answer.body
    assert answer.headers["cache-control"] == "no-store"
    return answer.json


@pytest.mark.parametrize("page", OWNERS)
async def test_a_page_without_data_is_a_page(browser: Browser, page: str) -> None:
    shown = await get(browser, f"/{page}")
    assert shown["as_of"]


@pytest.mark.parametrize("page", OWNERS)
async def test_a_viewer_sees_every_page_and_no_secret(house: House, page: str) -> None:
    credentials = {"api_key": "poe-key-of-the-owner"}
    await house.store.put_account(kind=AccountKind.OFFICIAL, label="one", credentials=credentials)
    _, client = await key_of_role(house, "client")
    _, viewer = await key_of_role(house, "viewer")
    await house.store.put_config("poe", {"operation_generation": "newer"})
    browser = await signed_in(house, viewer)
    answer = await browser.call(f"/{page}")
    assert answer.status == 200
    for secret in ("poe-key-of-the-owner", client, viewer, "hash"):
        assert secret not in answer.body.decode()
    assert "newer" not in answer.body.decode()


@pytest.mark.parametrize("page", OWNERS)
async def test_texts_from_outside_are_data(house: House, browser: Browser, page: str) -> None:
    account = await house.store.put_account(
        kind=AccountKind.OFFICIAL, label=SCRIPT, credentials={"api_key": "k"}, max_concurrency=1
    )
    key, _ = await house.store.create_key(name=SCRIPT)
    now = time.time()
    facts: dict[str, Any] = {"key_id": key.id, "account_id": account.id, "model": SCRIPT}
    await write(
        house.store,
        [entry(1, now - 60, **facts, outcome=SCRIPT)],
        [request(1, now - 30, **facts, code=SCRIPT, cause=SCRIPT, surface=SCRIPT, request_id=SCRIPT)],
    )
    await house.store.put_config("models", {"models": [{"id": "m", "bot": "m", "description": SCRIPT}]})
    answer = await browser.call(f"/{page}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert b"<" not in answer.body
    if page in ("accounts", "keys", "requests", "usage"):
        assert SCRIPT in json.dumps(answer.json, ensure_ascii=False)


@pytest.mark.parametrize("page", ["overview", "accounts", "requests", "usage", "usage?table=hours", "keys", "models"])
async def test_every_table_is_a_file_without_formulas(house: House, browser: Browser, page: str) -> None:
    account = await house.store.put_account(
        kind=AccountKind.OFFICIAL, label="=cmd|' /C calc'!A0", credentials={"api_key": "k"}
    )
    key, _ = await house.store.create_key(name="@SUM(1)")
    now = time.time()
    facts = {"key_id": key.id, "account_id": account.id, "model": "+model"}
    await write(house.store, [entry(1, now - 60, **facts)], [request(1, now - 30, **facts)])
    answer = await browser.call(f"/{page}{'&' if '?' in page else '?'}format=csv")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"].startswith("attachment; ")
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert len(rows) > 1
    assert not [cell for row in rows[1:] for cell in row if cell[:1] in tuple("=+@")]


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/usage?format=xml", "format"),
        ("/usage?format=csv&table=none", "table"),
        ("/overview?from=never", "from"),
        ("/overview?from=1500000000", "from"),
        ("/requests?limit=1000", "limit"),
        ("/requests?cursor=nonsense", "cursor"),
        ("/accounts?limit=x", "limit"),
        (f"/usage?model={'x' * 400}", "model"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(browser: Browser, path: str, param: str) -> None:
    answer = await browser.call(path)
    assert (answer.status, answer.error["param"]) == (400, param)


async def test_the_overview_tells_what_is_left_and_what_needs_a_person(house: House, browser: Browser) -> None:
    shown = await get(browser, "/overview")
    assert shown["points"]["left"] is None, "unknown is not 0"
    assert [item["kind"] for item in shown["attention"]] == ["no_account", "keys_without_budget"]
    house.poe.readings = [PointsReading(1000), PointsReading(200)]
    first = await house.add_account("poe-key-1")
    second = await house.add_account("poe-key-2")
    for account_id in (first, second):
        assert (await browser.call(f"/admin/accounts/{account_id}/refresh-points", {})).status == 200
    await house.add_account("poe-key-3")
    await write(house.store, [entry(7, time.time() - 60, account_id=first, settled=300)])
    shown = await get(browser, "/overview")
    assert (shown["points"]["left"], shown["points"]["accounts"], shown["points"]["accounts_known"]) == (1200, 3, 2)
    assert shown["points"]["points_per_hour"] is None, "what is left is known of two of three"
    assert shown["used"]["today"]["points_settled"] == 300 or shown["used"]["yesterday_by_now"] == 300
    assert shown["sends"]["sends"] == 1
    await house.store.set_account_state(second, (await house.store.get_account(second)).state.DISABLED)
    house.poe.readings = [poe_error(ErrorCode.NOT_AUTHENTICATED)] * 3
    for _ in range(3):
        await browser.call(f"/admin/accounts/{first}/refresh-points", {})
    [item] = [item for item in (await get(browser, "/overview"))["attention"] if item["account"] == first]
    assert item["label"] == "of poe-key-1"
    assert item["text"].endswith(".")


async def test_an_account_shows_its_parts_its_use_and_the_books(house: House, browser: Browser) -> None:
    house.poe.readings = [PointsReading(1000, allotment=3000, addon=400)]
    account_id = await house.add_account()
    await browser.call(f"/admin/accounts/{account_id}/refresh-points", {})
    await write(house.store, [entry(7, time.time() - 1, account_id=account_id, settled=40)])
    shown = await get(browser, "/accounts")
    [row] = shown["data"]
    assert (row["message_point_balance"], row["plan_points"], row["addon_points"]) == (1000, 600, 400)
    assert (row["slots_in_use"], row["reason"], row["allotment"]) == (0, None, 3000)
    assert shown["can_sign_in"] is False
    one = await get(browser, f"/accounts/{account_id}")
    assert one["id"] == account_id
    assert sum(day["booked"] for day in one["reconciled"]) == 40
    assert {day["elsewhere"] for day in one["reconciled"]} == {None}, "Poe's history was not read"
    assert sum(one["hours"]["totals"]["points_settled"]) == 40
    [balance] = one["balances"]
    assert (balance["balance"], balance["addon_points"], balance["rose_at"]) == (1000, 400, None)
    assert balance["read_at"].startswith(balance["day"])
    assert (await browser.call("/accounts/none")).error["code"] == "not_found"


async def test_the_log_of_requests_is_filtered_and_paged(house: House, browser: Browser) -> None:
    now = time.time()
    await write(house.store, requests=[request(number, now - 1 - number) for number in range(20)])
    first = await get(browser, "/requests?limit=8")
    assert [row["request_id"] for row in first["data"]] == [f"req_{number}" for number in range(8)]
    assert first["counts"]["requests"] == sum(first["histogram"]["ok"]) + sum(first["histogram"]["errors"]) == 20
    second = await get(browser, f"/requests?limit=100&cursor={first['next_cursor'].replace('#', '%23')}")
    assert [row["request_id"] for row in second["data"]] == [f"req_{number}" for number in range(8, 20)]
    assert (second["histogram"], second["counts"], second["names"]) == (None, None, None)
    errors = await get(browser, "/requests?status=error&key=key_0")
    assert {row["code"] for row in errors["data"]} == {"upstream_error"}
    assert errors["counts"]["requests"] == errors["counts"]["errors"] == len(errors["data"]) == 2


async def test_a_request_shows_its_tries_in_order_of_time(house: House, browser: Browser) -> None:
    await house.add_account("poe-key-1")
    await house.add_account("poe-key-2")
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED))
    house.poe.enqueue(TextDelta("Hi"), UsageReported(3, 4, points=9), Finished())
    done = await house.call(body=ask())
    assert done.status == 200, done.body
    [row] = (await get(browser, "/requests"))["data"]
    assert (row["attempts"], row["key_name"], row["status"]) == (2, "tests", 200)
    one = await get(browser, f"/requests/{row['ref']}")
    assert [(item["attempt"], item["outcome"]) for item in one["tries"]] == [(1, "rate_limited"), (2, "ok")]
    for item in one["tries"]:
        assert 0 <= item["starts_after_seconds"] <= item["ends_after_seconds"] <= one["total_seconds"] + 1
        assert item["account_label"].startswith("of poe-key-")
    by_id = await get(browser, f"/requests/{row['request_id']}")
    assert by_id["ref"] == row["ref"]
    assert (await browser.call("/requests/none")).status == 404


async def test_without_a_log_requests_are_unknown(house: House, browser: Browser) -> None:
    object.__setattr__(house.services.settings, "request_log_days", 0.0)
    shown = await get(browser, "/requests")
    assert (shown["is_kept"], shown["histogram"], shown["counts"]) == (False, None, None)
    assert (await get(browser, "/overview"))["requests"] is None


async def test_keys_show_limits_and_why_they_stand_still(house: House, browser: Browser) -> None:
    key_id, secret = await key_of_role(house, "client", points_per_day=0)
    await house.add_account()
    assert (await house.call(body=ask(), key=secret)).status == 429
    [row] = [row for row in (await get(browser, "/keys"))["data"] if row["id"] == key_id]
    [budget] = [item for item in row["limits"] if (item["unit"], item["window"]) == ("points", "day")]
    assert (budget["limit"], budget["left"], row["reason"]["code"]) == (0, 0, "insufficient_quota")
    assert row["reason"]["until"] == budget["resets_at"]
    assert "key" not in row
    assert row["last_success_at"] is None, "it was never answered"
    generous_id, secret = await key_of_role(house, "client", points_per_day=100_000)
    assert (await house.call(body=ask(), key=secret)).status == 200
    [row] = [row for row in (await get(browser, "/keys"))["data"] if row["id"] == generous_id]
    assert row["last_success_at"] >= row["last_used_at"]


async def test_models_tell_no_price_where_there_is_none(house: House, browser: Browser) -> None:
    now = time.time()
    made = [entry(number, now - number, model="dall-e-3", settled=points) for number, points in ((1, 30), (2, 50))]
    await write(house.store, made)
    shown = await get(browser, "/models")
    by_name = {model["id"]: model for model in shown["data"]}
    assert len(by_name) > 10
    assert any(model["usd"] is None or model["usd"].get("prompt") is None for model in by_name.values())
    for model in by_name.values():
        if model["usd"] is None:
            assert model["points"] is None
        else:
            assert (model["usd"].get("prompt") is None) == (model["points"]["prompt_per_million"] is None)
    used = [model for model in by_name.values() if model["measured"] is not None]
    assert [model["measured"] for model in used] == [{"sends": 2, "points_per_send": 40.0}]


async def test_the_playground_lists_client_keys_without_secrets(house: House, browser: Browser) -> None:
    await key_of_role(house, "admin")
    shown = await get(browser, "/playground")
    assert [key["name"] for key in shown["keys"]] == ["tests"]
    assert API_KEY not in json.dumps(shown)
    assert shown["models"]


async def test_health_shows_checks_and_changes_and_overrides_to_admins(house: House, browser: Browser) -> None:
    assert (await browser.call("/admin/config/poe", {"operation_generation": "newer"}, method="PUT")).status == 200
    shown = await get(browser, "/health")
    assert {check["name"] for check in shown["checks"]} >= {"table", "accounts", "scheduled job", "keys", "models"}
    assert shown["overrides"] == {"operation_generation": "newer"}
    [change] = shown["audit"]["data"]
    assert (change["action"], change["actor"], change["address"]) == ("replace_poe_config", "admin key", "127.0.0.1")
    _, viewer = await key_of_role(house, "viewer")
    assert (await get(await signed_in(house, viewer), "/health"))["overrides"] is None


async def test_the_holder_of_a_key_sees_its_own_use_and_nobody_elses(house: House) -> None:
    await house.add_account("poe-key-1")
    house.poe.enqueue(TextDelta("Hi"), UsageReported(3, 4, points=9), Finished())
    assert (await house.call(body=ask())).status == 200
    await write(house.store, [entry(1, time.time() - 5)], [request(1, time.time() - 5)])
    browser = await signed_in(house, API_KEY)
    shown = await get(browser, "/me")
    assert (shown["name"], shown["totals"]["sends"]) == ("tests", 1)
    assert (shown["requests"]["requests"], len(shown["data"])) == (1, 1)
    assert not {"account", "account_label"} & set(shown["data"][0])
    assert "acct_" not in json.dumps(shown)
    owner = await signed_in(house)
    assert (await owner.call("/me")).error["code"] == "wrong_key_role"
