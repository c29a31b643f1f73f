"""Clients kept warm between requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from accounts import Account, AccountKind, Lease
from gateway.generation.client_pool import KEEP_SESSION_DATA_SECONDS, WarmClients
from tests.gateway.scripted import FakePoeClient, ScriptedPoe


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def poe() -> ScriptedPoe:
    return ScriptedPoe()


@pytest.fixture
def clients(poe: ScriptedPoe, clock: Clock) -> WarmClients:
    return WarmClients(poe.make_client, max_idle=2, clock=clock)  # type: ignore[arg-type]  # fake


def lease(account_id: str = "a", version: int = 1, session_data: dict[str, Any] | None = None) -> Lease:
    account = Account(id=account_id, kind=AccountKind.WEB, label="x", credentials_version=version)
    return Lease(
        account=account, slot=0, owner="o", expires_at=1.0, credentials={"p_b": "c"}, session_data=session_data
    )


async def test_an_idle_client_serves_its_account_again(clients: WarmClients) -> None:
    first = await clients.take(lease())
    await clients.give_back(first, is_healthy=True)
    assert await clients.take(lease("b")) is not first
    assert await clients.take(lease()) is first


async def test_a_client_in_use_is_not_shared(clients: WarmClients) -> None:
    assert await clients.take(lease()) is not await clients.take(lease())


async def test_older_credentials_close_the_client(clients: WarmClients, poe: ScriptedPoe) -> None:
    await clients.give_back(await clients.take(lease(version=1)), is_healthy=True)
    await clients.take(lease(version=2))
    assert [client.is_closed for client in poe.clients] == [True, False]


async def test_the_longest_idle_goes_when_there_are_too_many(clients: WarmClients, poe: ScriptedPoe) -> None:
    taken = [await clients.take(lease(name)) for name in "abc"]
    for warm in taken:
        await clients.give_back(warm, is_healthy=True)
    assert [client.is_closed for client in poe.clients] == [True, False, False]


async def test_an_unhealthy_client_is_closed(clients: WarmClients, poe: ScriptedPoe) -> None:
    await clients.give_back(await clients.take(lease()), is_healthy=False)
    assert poe.clients[0].is_closed


async def test_forgetting_closes_the_idle_clients_of_the_account(clients: WarmClients, poe: ScriptedPoe) -> None:
    for name in "ab":
        await clients.give_back(await clients.take(lease(name)), is_healthy=True)
    await clients.forget("a")
    assert [client.is_closed for client in poe.clients] == [True, False]
    await clients.aclose()
    assert poe.clients[1].is_closed


async def test_derived_data_is_kept_when_new_and_then_now_and_again(clients: WarmClients, clock: Clock) -> None:
    warm = await clients.take(lease())
    client = warm.client
    assert isinstance(client, FakePoeClient)
    assert clients.changed_session_data(warm, lease()) is None, "nothing was derived"
    client.derived = {"position": 1}
    assert clients.changed_session_data(warm, lease()) == {"position": 1}
    client.derived = {"position": 2}
    assert clients.changed_session_data(warm, lease()) is None
    clock.now += KEEP_SESSION_DATA_SECONDS
    assert clients.changed_session_data(warm, lease(session_data={"position": 2})) is None, "the store has it"
    assert clients.changed_session_data(warm, lease()) == {"position": 2}


async def test_clients_are_taken_once_however_many_ask_while_older_ones_close(poe: ScriptedPoe) -> None:
    """Closing takes a while; whoever comes meanwhile neither finds the same clients nor trips over them."""
    clients = WarmClients(SlowlyClosing(poe).make_client)
    old = [await clients.take(lease(version=1)) for _ in range(2)]
    current = await clients.take(lease(version=2))
    for warm in (*old, current):
        await clients.give_back(warm, is_healthy=True)
    taken = await asyncio.gather(*(clients.take(lease(version=2)) for _ in range(3)), clients.forget("a"))
    assert len({id(warm) for warm in taken[:3]}) == 3
    assert all(client.is_closed for client in poe.clients[:2])


async def test_all_are_closed_even_if_one_can_not_be(clients: WarmClients, poe: ScriptedPoe) -> None:
    warm = [await clients.take(lease()) for _ in range(2)]
    for one in warm:
        await clients.give_back(one, is_healthy=True)

    async def fail() -> None:
        raise asyncio.CancelledError

    poe.clients[0].aclose = fail  # type: ignore[method-assign]  # fake
    with pytest.raises(asyncio.CancelledError):
        await clients.aclose()
    assert poe.clients[1].is_closed


class SlowlyClosing:
    """Makes clients that let others run while they close."""

    def __init__(self, poe: ScriptedPoe) -> None:
        self._poe = poe

    def make_client(self, *arguments: Any) -> Any:
        client = self._poe.make_client(*arguments)
        close = client.aclose

        async def aclose() -> None:
            await asyncio.sleep(0)
            await close()

        client.aclose = aclose  # type: ignore[method-assign]  # fake
        return client
