"""What is flushed, and when, while a piece of work puts items."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.http.sse import flushed


class Source:
    """Work in steps, and what became of it."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        self.ended: list[str] = []

    async def run(self, put: Callable[[Any], Awaitable[None] | None]) -> None:
        try:
            for step in self.steps:
                if isinstance(step, asyncio.Event | asyncio.Future):
                    await (step.wait() if isinstance(step, asyncio.Event) else step)
                elif step is None:
                    await asyncio.sleep(0)
                elif (full := put(step)) is not None:
                    await full
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.ended.append("cancelled")
            raise
        finally:
            self.ended.append("over")


async def drain(source: Source, flush: Any) -> list[Any]:
    taken: list[Any] = []
    await flushed(source.run(taken.append), flush)
    return taken


async def test_only_a_wait_is_flushed_for() -> None:
    event = asyncio.Event()
    log: list[str] = []

    async def flush() -> None:
        log.append("waits")
        event.set()

    assert await drain(Source(1, 2, event, 3, 4), flush) == [1, 2, 3, 4]
    assert log == ["waits"]


async def test_an_item_that_is_much_is_flushed_although_the_next_is_there() -> None:
    log: list[Any] = []

    def put(item: int) -> Awaitable[None] | None:
        log.append(item)
        return flush() if item == 2 else None

    async def flush() -> None:
        log.append("flushed")

    await flushed(Source(1, 2, 3).run(put), flush)
    assert log == [1, 2, "flushed", 3]


async def test_a_flush_may_wait_itself() -> None:
    """Even so long that the item has come meanwhile."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def flush() -> None:
        await asyncio.sleep(0)
        if not future.done():
            future.set_result(None)
        await asyncio.sleep(0)

    assert await drain(Source(1, future, 2, None, 3), flush) == [1, 2, 3]


async def nothing() -> None:
    pass


async def slow() -> None:
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("flush", [nothing, slow])
async def test_cancellation_reaches_the_work(flush: Any) -> None:
    source = Source(1, asyncio.Event())
    task = asyncio.create_task(drain(source, flush))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.ended == ["cancelled", "over"]


async def test_a_timeout_is_a_timeout() -> None:
    source = Source(asyncio.Event())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await drain(source, nothing)
    assert source.ended == ["cancelled", "over"]


async def test_an_error_of_the_work_passes() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise KeyError

    with pytest.raises(KeyError):
        await flushed(work(), nothing)


async def test_work_that_is_cancelled_while_a_flush_runs_is_over() -> None:
    source, taken = Source(1, asyncio.Event()), []
    task = asyncio.ensure_future(flushed(source.run(taken.append), slow))
    await asyncio.sleep(0)
    assert taken == [1]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.ended == ["cancelled", "over"]


async def test_work_that_does_not_mind_a_cancellation_goes_on() -> None:
    taken: list[int] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        taken.append(1)

    task = asyncio.ensure_future(flushed(work(), nothing))
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert taken == [1]
