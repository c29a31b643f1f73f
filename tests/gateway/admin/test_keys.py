"""Keys are made with limits, changed without lost updates, rotated without a gap, and looked at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.gateway.scripted import API_KEY, House, ask

LIMITS = {
    "models": ["GPT-5", "claude-*"],
    "routes": ["/v1/chat/completions"],
    "ip_ranges": ["192.0.2.0/24", "2001:db8::/32"],
    "requests_per_minute": 60,
    "max_concurrent": 2,
    "points_per_day": 2000,
    "points_per_month": 50_000,
    "tokens_per_day": 1_000_000,
    "tokens_per_month": 9_000_000,
}


async def test_every_limit_is_kept_and_shown(house: House) -> None:
    made = await house.admin("/keys", {"name": "laptop", "expires_at": "2099-01-31T00:00:00Z", **LIMITS})
    assert made.status == 201
    shown = (await house.admin(f"/keys/{made.json['id']}")).json
    assert {name: shown[name] for name in LIMITS} == LIMITS | {"models": ["gpt-5", "claude-*"]}
    assert (shown["expires_at"], shown["role"], shown["version"]) == ("2099-01-31T00:00:00+00:00", "client", 1)
    assert shown["use"]["points_today"] == 0
    assert made.json["key"] not in str(shown)


@pytest.mark.parametrize("moment", ["2099-01-31T00:00:00+00:00", "2099-01-31", 4073500800])
async def test_a_time_is_iso_or_epoch_seconds(house: House, moment: object) -> None:
    made = await house.admin("/keys", {"name": "x", "expires_at": moment})
    assert made.json["expires_at"] == "2099-01-31T00:00:00+00:00"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expires_at", "soon"),
        ("expires_at", True),
        ("expires_at", -1),
        ("expires_at", 10**15),
        ("role", "king"),
        ("routes", ["chat"]),
        ("ip_ranges", ["192.0.2.0/99"]),
        ("requests_per_minute", 0),
        ("points_per_day", -1),
        ("points_per_day", 1.5),
        ("points_per_week", 1),
        ("models", ["x"] * 101),
    ],
)
async def test_a_wrong_field_is_named(house: House, field: str, value: object) -> None:
    answer = await house.admin("/keys", {"name": "x", field: value})
    assert answer.status == 400
    assert str(answer.error["param"]).startswith(field)


async def test_a_change_leaves_the_rest_and_null_ends_a_limit(house: House) -> None:
    made = (await house.admin("/keys", {"name": "laptop", **LIMITS})).json
    changed = await house.admin(f"/keys/{made['id']}", {"name": "desk", "points_per_day": None}, method="PATCH")
    assert (changed.json["name"], changed.json["points_per_day"], changed.json["version"]) == ("desk", None, 2)
    assert changed.json["points_per_month"] == 50_000


async def test_two_changes_of_the_same_version_lose_none(house: House) -> None:
    made = (await house.admin("/keys", {"name": "laptop"})).json
    address = f"/keys/{made['id']}"
    assert (await house.admin(address, {"points_per_day": 1, "version": 1}, method="PATCH")).status == 200
    late = await house.admin(address, {"points_per_day": 2, "version": 1}, method="PATCH")
    assert (late.status, late.error["code"]) == (409, "conflict")
    assert (await house.admin(address)).json["points_per_day"] == 1


async def test_a_key_that_is_switched_off_is_refused_and_comes_back(house: House) -> None:
    await house.add_account()
    made = (await house.admin("/keys", {"name": "laptop"})).json
    for enabled, status in ((False, 401), (True, 200)):
        await house.admin(f"/keys/{made['id']}", {"enabled": enabled}, method="PATCH")
        assert (await house.call(body=ask(), key=made["key"])).status == status


async def test_rotation_leaves_no_gap(house: House) -> None:
    await house.add_account()
    made = (await house.admin("/keys", {"name": "laptop"})).json
    rotated = (await house.admin(f"/keys/{made['id']}/rotate", {"grace_seconds": 3600}, method="POST")).json
    assert rotated["id"] == made["id"]
    assert rotated["key"] != made["key"]
    assert rotated["old_key_works_until"] > datetime.now(UTC).isoformat()
    for secret in (made["key"], rotated["key"]):
        assert (await house.call(body=ask(), key=secret)).status == 200


async def test_rotation_without_grace_ends_the_old_secret(house: House) -> None:
    await house.add_account()
    made = (await house.admin("/keys", {"name": "laptop"})).json
    rotated = (await house.admin(f"/keys/{made['id']}/rotate", {"grace_seconds": 0}, method="POST")).json
    assert (await house.call(body=ask(), key=made["key"])).status == 401
    assert (await house.call(body=ask(), key=rotated["key"])).status == 200


@pytest.mark.parametrize(("path", "method"), [("", "GET"), ("", "PATCH"), ("/rotate", "POST"), ("", "DELETE")])
async def test_nobodys_key_is_not_found(house: House, path: str, method: str) -> None:
    body = {"name": "x"} if method == "PATCH" else None
    assert (await house.admin(f"/keys/none{path}", body, method=method)).status == 404


async def test_routes_and_addresses_are_kept_to(house: House) -> None:
    await house.add_account()
    made = (await house.admin("/keys", {"name": "r", "routes": ["/v1/responses"]})).json
    refused = await house.call(body=ask(), key=made["key"])
    assert (refused.status, refused.error["code"]) == (403, "route_not_allowed")
    made = (await house.admin("/keys", {"name": "a", "ip_ranges": ["203.0.113.0/24"]})).json
    refused = await house.call(body=ask(), key=made["key"])
    assert (refused.status, refused.error["code"]) == (403, "address_not_allowed")


async def test_a_key_sees_its_own_budget(house: House) -> None:
    made = (await house.admin("/keys", {"name": "laptop", "points_per_day": 0, "requests_per_minute": 5})).json
    own = await house.call("/v1/usage", method="GET", key=made["key"])
    assert own.status == 200
    limits = {(row["unit"], row["window"]): row for row in own.json["limits"]}
    assert limits["points", "day"]["left"] == 0
    assert limits["points", "month"]["limit"] is None
    assert limits["requests", "minute"] | {"resets_at": None} == {
        "unit": "requests",
        "window": "minute",
        "limit": 5,
        "used": 0,
        "left": 5,
        "resets_at": None,
    }
    assert (await house.call("/v1/usage", method="GET", key=API_KEY + "x")).status == 401
