"""A simulator in a thread of its own, so that blocking and asynchronous clients can use it alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from local.poe_web import PoeWebSimulator, SimulatedAccount
from reverse import AsyncPoeApi, PoeApi, PoeConfig
from reverse.blocking import LoopThread

COOKIE = "cookie-of-the-test-account"


@pytest.fixture
def simulator_loop() -> Iterator[LoopThread]:
    loop = LoopThread("simulator")
    yield loop
    loop.close()


@pytest.fixture
def simulator(simulator_loop: LoopThread) -> Iterator[PoeWebSimulator]:
    """A simulator that answers at once, with one account."""
    running = simulator_loop.run(PoeWebSimulator(pace_seconds=0.0, answer_delay_seconds=0.0).__aenter__())
    running.add_account(COOKIE)
    yield running
    simulator_loop.run(running.aclose())


@pytest.fixture
def until_idle(simulator: PoeWebSimulator, simulator_loop: LoopThread) -> Callable[[], None]:
    """Wait until the simulator writes no answer any more."""
    return lambda: simulator_loop.run(asyncio.wait_for(simulator.idle(), 30))


@pytest.fixture
def account(simulator: PoeWebSimulator) -> SimulatedAccount:
    return simulator.account(COOKIE)


@pytest.fixture
def config(simulator: PoeWebSimulator) -> PoeConfig:
    """The cost of an answer is waited for, however busy the machine is."""
    return PoeConfig(web_base_url=simulator.base_url, channel_url=simulator.channel_url, trailing_cost_seconds=2.0)


@pytest.fixture
def tokens(account: SimulatedAccount) -> dict[str, str]:
    """With the form key, so that no page is fetched and evaluated."""
    return {"p-b": COOKIE, "p-lat": "lat", "formkey": account.form_key}


@pytest.fixture
def api(tokens: dict[str, str], config: PoeConfig) -> Iterator[PoeApi]:
    with PoeApi(tokens, config=config, group_pause_seconds=(0, 0)) as connected:
        yield connected


@pytest.fixture
async def async_api(tokens: dict[str, str], config: PoeConfig) -> AsyncIterator[AsyncPoeApi]:
    async with await AsyncPoeApi(tokens, config=config, group_pause_seconds=(0, 0)).create() as connected:
        yield connected
