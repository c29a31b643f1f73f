"""The real clients, as the job makes and closes them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from types import FrameType

import pytest

from accounts import AccountKind
from local.poe_official import PoeOfficialSimulator
from pool.clients import PoeClients
from reverse.config import PoeConfig


async def test_official_accounts_share_a_connection_each_with_its_own_key() -> None:
    keys = [f"poe-key-{number}" for number in range(5)]
    async with PoeOfficialSimulator() as simulator:
        for number, key in enumerate(keys):
            simulator.add_account(key, points=number)
        config = PoeConfig(official_base_url=simulator.base_url)
        async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
            balances = []
            for key in keys:
                async with clients.make(AccountKind.OFFICIAL, {"api_key": key}, None) as client:
                    balances.append((await client.points()).balance)
            assert simulator.open_connections == 1
        assert balances == [0, 1, 2, 3, 4]
        assert [record.account for record in simulator.requests] == keys
        assert len({record.connection for record in simulator.requests}) == 1


async def readings(clients: PoeClients, count: int, at_once: int) -> None:
    places = asyncio.Semaphore(at_once)

    async def read() -> None:
        async with places, clients.make(AccountKind.OFFICIAL, {"api_key": "poe-key-0"}, None) as client:
            await client.points()

    await asyncio.gather(*(read() for _ in range(count)))


async def calls_per_reading(address: str, at_once: int) -> float:
    """Calls of Python functions by the client and what it stands on, without opening connections."""
    counted = 0

    def on_call(frame: FrameType, event: str, _: object) -> None:
        nonlocal counted
        if event == "call" and any(part in frame.f_code.co_filename for part in ("/reverse/", "/httpx/", "/httpcore/")):
            counted += 1

    config = PoeConfig(official_base_url=address)
    async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
        await readings(clients, at_once, at_once)
        before, count = sys.getprofile(), 100
        sys.setprofile(on_call)
        try:
            await readings(clients, count, at_once)
        finally:
            sys.setprofile(before)
    return counted / count


async def test_a_reading_costs_the_same_beside_any_number_of_others() -> None:
    async with PoeOfficialSimulator() as simulator:
        simulator.settings.requests_per_minute = 0
        simulator.latency_seconds = 0.01
        simulator.add_account("poe-key-0")
        alone = await calls_per_reading(simulator.base_url, 1)
        beside_many = await calls_per_reading(simulator.base_url, 50)
    assert alone < 250
    assert beside_many == pytest.approx(alone, rel=0.3)
