"""What is kept of a change by the administration."""

from __future__ import annotations

import pytest

from accounts import KeyRole, StoreUnavailableError
from reverse.errors import ErrorCode, poe_error
from tests.gateway.scripted import House

OFFICIAL = {"kind": "official", "label": "me", "credentials": {"api_key": "poe-api-key-secret"}}


async def changes(house: House, query: str = "") -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await house.admin(f"/audit{query}")).json["data"]
    return found


async def test_each_change_says_who_what_from_where_and_when(house: House) -> None:
    made, secret = await house.store.create_key(name="laptop", role=KeyRole.ADMIN)
    account = (await house.admin("/accounts", OFFICIAL, key=secret)).json["id"]
    await house.admin(f"/accounts/{account}", {"max_concurrency": 4}, method="PATCH", key=secret)
    await house.admin(f"/accounts/{account}", method="DELETE")
    deleted, changed, added = await changes(house)
    assert [(row["action"], row["target"]) for row in (added, changed, deleted)] == [
        ("add_account", account),
        ("change_account", account),
        ("delete_account", account),
    ]
    assert (added["actor_id"], added["actor"]) == (made.id, "laptop")
    assert (deleted["actor_id"], deleted["actor"]) == (None, "admin key")
    assert added["fields"] == ["credentials", "kind", "label"]
    assert changed["fields"] == ["max_concurrency"]
    assert (added["status"], added["address"] is not None, bool(added["at"])) == (201, True, True)
    assert str(added["request_id"]).startswith("req_")
    assert (await changes(house, f"?key={made.id}")) == [changed, added]
    assert (await changes(house, "?action=delete_account")) == [deleted]
    assert (await changes(house, "?target=nobody")) == []


async def test_no_value_is_kept(house: House) -> None:
    secret = "sk-imported-secret-of-somebody-0123456789"
    await house.admin("/accounts", OFFICIAL)
    created = await house.admin("/keys", {"name": "a name", "secret": secret})
    rotated = await house.admin(f"/keys/{created.json['id']}/rotate", {})
    text = (await house.admin("/audit")).body.decode()
    for value in ("poe-api-key-secret", secret, rotated.json["key"], "a name"):
        assert value not in text


async def test_looking_and_refused_requests_are_no_changes(house: House) -> None:
    _, viewer = await house.store.create_key(name="viewer", role=KeyRole.VIEWER)
    await house.admin("/accounts")
    assert (await house.admin("/keys", {"name": ""})).status == 400
    assert (await house.admin("/keys/key_none", method="DELETE")).status == 404
    assert (await house.admin("/keys", {"name": "x"}, key=viewer)).status == 403
    assert (await house.admin("/keys", {"name": "x"}, key="sk-wrong")).status == 401
    assert (await house.admin("/nothing", {"name": "x"})).status == 404
    assert await changes(house) == []


async def test_a_failure_may_have_changed_something(house: House) -> None:
    account = await house.add_account()
    house.poe.readings.append(poe_error(ErrorCode.RATE_LIMITED))
    assert (await house.admin(f"/accounts/{account}/refresh-points", method="POST")).status == 502
    (row,) = await changes(house)
    assert (row["action"], row["target"], row["status"]) == ("refresh_points", account, 502)


async def test_hostile_names_of_fields_are_left_out(house: House) -> None:
    body = {"<script>": 1, "a" * 65: 1, **{f"field_{n}": 1 for n in range(40)}}
    await house.admin("/config/poe", body, method="PUT")
    for row in await changes(house):
        assert len(row["fields"]) <= 30  # type: ignore[arg-type]
        assert "<script>" not in row["fields"]  # type: ignore[operator]


async def test_a_change_is_made_even_if_it_can_not_be_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailableError("PutItem", "ThrottlingException")

    monkeypatch.setattr(house.store, "record_audit", fail)
    assert (await house.admin("/keys", {"name": "x"})).status == 201
    (line,) = house.lines("audit.not_kept")
    assert (line["action"], line["code"]) == ("create_key", "StoreUnavailableError")


async def test_pages_and_wrong_ranges(house: House) -> None:
    for number in range(5):
        await house.admin("/keys", {"name": f"k{number}"})
    first = (await house.admin("/audit?limit=3")).json
    second = (await house.admin(f"/audit?limit=3&cursor={first['next_cursor'].replace('#', '%23')}")).json
    assert (len(first["data"]), len(second["data"]), second["next_cursor"]) == (3, 2, None)
    for query in ("cursor=x", "from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01"):
        assert (await house.admin(f"/audit?{query}")).status == 400


async def test_a_viewer_may_read_the_trail(house: House) -> None:
    _, viewer = await house.store.create_key(name="viewer", role=KeyRole.VIEWER)
    assert (await house.admin("/audit", key=viewer)).status == 200
