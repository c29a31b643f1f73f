"""Who may administer: the admin key, and keys of the roles admin and viewer."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from accounts import ApiKey, InMemoryAccountStore, KeyRole
from gateway.http.auth import AdminGate
from gateway.http.errors import GatewayError
from tests.gateway.scripted import ADMIN_KEY, API_KEY, House, ask


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def bearer(key: str) -> Headers:
    return Headers({"authorization": f"Bearer {key}"})


async def nobody(_secret: str) -> ApiKey | None:
    return None


async def test_the_admin_key_is_read_once_in_a_while() -> None:
    clock, reads = Clock(), 0

    async def read() -> str:
        nonlocal reads
        reads += 1
        return ADMIN_KEY

    gate = AdminGate(read, find_key=nobody, clock=clock)
    for _ in range(2):
        assert (await gate.check(bearer(ADMIN_KEY), method="POST")).role is KeyRole.ADMIN
    assert reads == 1
    clock.now += gate.CACHE_SECONDS
    await gate.check(bearer(ADMIN_KEY), method="GET")
    assert reads == 2


@pytest.mark.parametrize("key", ["", ADMIN_KEY])
async def test_without_the_admin_key_nobody_gets_in(key: str) -> None:
    async def read() -> str:
        return key

    for guess in ("x", "é", ADMIN_KEY[:-1]):
        with pytest.raises(GatewayError) as caught:
            await AdminGate(read, find_key=nobody).check(bearer(guess), method="GET")
        assert caught.value.status == 401


async def secret_of(house: House, role: str) -> str:
    made = await house.admin("/keys", {"name": role, "role": role})
    assert made.status == 201, made.body
    return str(made.json["key"])


async def test_an_admins_key_administers_and_opens_no_model(house: House) -> None:
    await house.add_account()
    secret = await secret_of(house, "admin")
    assert (await house.admin("/accounts", key=secret)).status == 200
    assert (await house.admin("/keys", {"name": "made"}, key=secret)).status == 201
    refused = await house.call(body=ask(), key=secret)
    assert (refused.status, refused.error["code"]) == (403, "wrong_key_role")


async def test_a_viewer_looks_and_changes_nothing(house: House) -> None:
    secret = await secret_of(house, "viewer")
    for path in ("/accounts", "/keys", "/usage", "/ledger", "/requests", "/whoami"):
        assert (await house.admin(path, key=secret)).status == 200, path
    for path, body, method in (
        ("/accounts", {"kind": "official", "label": "x", "credentials": {"api_key": "a" * 20}}, "POST"),
        ("/keys", {"name": "x", "role": "admin"}, "POST"),
        ("/keys/none", None, "DELETE"),
        ("/config/poe", {}, "PUT"),
        ("/config/poe", None, "GET"),
        ("/models/reload", None, "POST"),
    ):
        refused = await house.admin(path, body, method=method, key=secret)
        assert (refused.status, refused.error["code"]) == (403, "viewer_only_reads"), path
    assert (await house.call(body=ask(), key=secret)).status == 403


async def test_a_clients_key_opens_no_administration(house: House) -> None:
    for path in ("/accounts", "/keys", "/usage"):
        refused = await house.admin(path, key=API_KEY)
        assert (refused.status, refused.error["code"]) == (403, "wrong_key_role"), path


async def test_the_admin_key_opens_no_model(house: House) -> None:
    assert (await house.call(body=ask(), key=ADMIN_KEY)).status == 401


@pytest.mark.parametrize("role", ["admin", "viewer"])
async def test_an_expired_key_administers_nothing(role: str) -> None:
    store = InMemoryAccountStore()
    _, secret = await store.create_key(name="old", role=KeyRole(role), expires_at=50.0)

    async def read() -> str:
        return ADMIN_KEY

    async def find(given: str) -> ApiKey | None:
        return next((key for key in (await store.list_keys()).items if given == secret), None)

    gate = AdminGate(read, find_key=find, wall_clock=lambda: 60.0)
    with pytest.raises(GatewayError) as caught:
        await gate.check(bearer(secret), method="GET")
    assert caught.value.status == 401


async def test_whoever_asks_learns_who_they_are(house: House) -> None:
    assert (await house.admin("/whoami")).json == {"id": None, "name": "admin key", "role": "admin", "expires_at": None}
    own = (await house.admin("/whoami", key=await secret_of(house, "viewer"))).json
    assert (own["name"], own["role"]) == ("viewer", "viewer")
