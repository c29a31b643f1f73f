"""Sessions: who gets one, what ends it, and what it opens."""

from __future__ import annotations

import pytest

from accounts import InMemoryAccountStore, KeyRole
from gateway.console.session import IDLE_SECONDS
from gateway.console.sign_in import Sessions, Visit
from gateway.http.auth import AdminGate
from gateway.http.errors import GatewayError
from tests.gateway.scripted import ADMIN_KEY

CLIENT = "192.0.2.7"


class World:
    def __init__(self, admin_key: str = ADMIN_KEY) -> None:
        self.now = 1_000_000.0
        self.admin_key = admin_key
        self.store = InMemoryAccountStore()
        self.sessions = self.sandbox()

    def sandbox(self) -> Sessions:
        async def read() -> str:
            return self.admin_key

        return Sessions(self.store, AdminGate(read, find_key=self.store.find_key), clock=lambda: self.now)

    async def open(self, visit: Visit, client: str = CLIENT) -> Visit:
        cookie = visit.cookie(self.now).partition(";")[0]
        return await self.sandbox().open([(b"cookie", cookie.encode())], client)

    async def refusal(self, visit: Visit, client: str = CLIENT) -> str:
        with pytest.raises(GatewayError) as caught:
            await self.open(visit, client)
        return caught.value.code


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("role", list(KeyRole))
async def test_a_key_of_any_role_signs_in_as_what_it_is(world: World, role: KeyRole) -> None:
    key, secret = await world.store.create_key(name="x", role=role)
    visit = await world.open(await world.sessions.sign_in(secret, CLIENT))
    assert (visit.session.role, visit.caller.role) == (role, role)
    assert visit.caller.key is not None
    assert visit.caller.key.id == key.id


async def test_the_admin_key_signs_in_in_every_sandbox(world: World) -> None:
    visit = await world.open(await world.sessions.sign_in(ADMIN_KEY, CLIENT))
    assert (visit.caller.role, visit.caller.key) == (KeyRole.ADMIN, None)


async def test_a_wrong_key_gets_nothing(world: World) -> None:
    with pytest.raises(GatewayError) as caught:
        await world.sessions.sign_in("wrong", CLIENT)
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")


async def test_without_an_admin_key_there_is_no_console() -> None:
    world = World("")
    _, secret = await world.store.create_key(name="x", role=KeyRole.ADMIN)
    with pytest.raises(GatewayError) as caught:
        await world.sessions.sign_in(secret, CLIENT)
    assert caught.value.code == "console_not_configured"


async def test_ending_all_ends_those_in_other_sandboxes_too(world: World) -> None:
    visits = [await world.sessions.sign_in(ADMIN_KEY, CLIENT) for _ in range(2)]
    await world.sandbox().end_all()
    assert [await world.refusal(visit) for visit in visits] == ["session_ended"] * 2
    assert await world.open(await world.sessions.sign_in(ADMIN_KEY, CLIENT))


async def test_another_admin_key_ends_all_sessions(world: World) -> None:
    visit = await world.sessions.sign_in(ADMIN_KEY, CLIENT)
    world.admin_key = "another-admin-key-0123456789"
    assert await world.refusal(visit) == "session_ended"


@pytest.mark.parametrize("change", ["revoke", "rotate", "disable", "role", "expire"])
async def test_a_session_ends_with_what_its_key_may(world: World, change: str) -> None:
    key, secret = await world.store.create_key(name="x", role=KeyRole.ADMIN)
    visit = await world.sessions.sign_in(secret, CLIENT)
    assert await world.open(visit)
    match change:
        case "revoke":
            await world.store.revoke_key(key.id)
        case "rotate":
            await world.store.rotate_key(key.id, overlap_seconds=3600)
        case "disable":
            await world.store.update_key(key.id, enabled=False)
        case "role":
            await world.store.update_key(key.id, role=KeyRole.VIEWER)
        case "expire":
            await world.store.update_key(key.id, expires_at=world.now)
    assert await world.refusal(visit) == "session_ended"


async def test_a_secret_that_was_replaced_signs_nobody_in(world: World) -> None:
    key, secret = await world.store.create_key(name="x", role=KeyRole.ADMIN)
    await world.store.rotate_key(key.id, overlap_seconds=3600)
    with pytest.raises(GatewayError) as caught:
        await world.sessions.sign_in(secret, CLIENT)
    assert caught.value.code == "invalid_api_key"


async def test_a_key_for_some_networks_opens_no_session_from_others(world: World) -> None:
    _, secret = await world.store.create_key(name="x", role=KeyRole.VIEWER, ip_ranges=["192.0.2.0/24"])
    visit = await world.sessions.sign_in(secret, CLIENT)
    assert await world.open(visit)
    assert await world.refusal(visit, "198.51.100.1") == "address_not_allowed"
    with pytest.raises(GatewayError):
        await world.sessions.sign_in(secret, "198.51.100.1")


async def test_use_keeps_a_session_and_rest_ends_it(world: World) -> None:
    visit = await world.sessions.sign_in(ADMIN_KEY, CLIENT)
    world.now += IDLE_SECONDS - 1
    renewed = world.sessions.renewed(await world.open(visit))
    assert renewed is not None
    world.now += IDLE_SECONDS - 1
    assert await world.open(renewed)
    assert await world.refusal(visit) == "session_expired"


async def test_two_cookies_of_the_name_are_nobodys(world: World) -> None:
    visit = await world.sessions.sign_in(ADMIN_KEY, CLIENT)
    cookie = visit.cookie(world.now).partition(";")[0].encode()
    with pytest.raises(GatewayError) as caught:
        await world.sessions.open([(b"cookie", cookie + b"; " + cookie)], CLIENT)
    assert caught.value.code == "no_session"
