"""The loop that the other tests' times are read from."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

import pytest

from tests.virtual_time import StandstillError, VirtualTimeLoop, in_virtual_time, now


@in_virtual_time
async def test_timers_fire_in_their_order_at_their_exact_times() -> None:
    seen: list[tuple[str, float]] = []

    async def note(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, now()))

    await asyncio.gather(note("late", 3600), note("soon", 0.25), note("between", 10))
    assert seen == [("soon", 0.25), ("between", 10), ("late", 3600)]


@in_virtual_time
async def test_what_can_run_does_before_a_timer() -> None:
    steps = 0

    async def work() -> None:
        nonlocal steps
        for _ in range(10_000):
            await asyncio.sleep(0)
            steps += 1

    working = asyncio.create_task(work())
    await asyncio.sleep(0.001)
    assert steps == 10_000
    await working


@in_virtual_time
async def test_a_thread_is_waited_for_without_moving_the_clock() -> None:
    async with asyncio.timeout(1):
        await asyncio.to_thread(lambda: sum(range(2_000_000)))
    assert now() == 0


@in_virtual_time
async def test_timeouts_count_this_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(86_400):
            await asyncio.Event().wait()
    assert now() == 86_400


def test_a_standstill_is_an_error_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.virtual_time.STANDSTILL_SECONDS", 0.01)
    loop = VirtualTimeLoop()
    waiting = loop.create_future()
    with pytest.raises(StandstillError):
        loop.run_until_complete(waiting)
    loop.close()


def test_the_clock_costs_no_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualTimeLoop()
    waits: list[float | None] = []
    select = selectors.DefaultSelector.select

    def note(self: selectors.DefaultSelector, timeout: float | None = None) -> Any:
        waits.append(timeout)
        return select(self, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", note)
    looks = []
    for seconds in (1, 86_400):  # the longest that asyncio waits at once is a day
        waits.clear()
        loop.run_until_complete(asyncio.sleep(seconds))
        assert set(waits) == {0}, "it slept"
        looks.append(len(waits))
    assert loop.time() == 86_401
    assert looks[0] == looks[1]
    loop.close()
