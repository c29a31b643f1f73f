"""Items taken without a pause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.http.sse import forward


class Source:
    """An async generator of steps, and what became of it."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        self.ended: list[str] = []

    async def items(self) -> AsyncGenerator[Any, None]:
        try:
            for step in self.steps:
                if isinstance(step, asyncio.Event | asyncio.Future):
                    await (step.wait() if isinstance(step, asyncio.Event) else step)
                elif step is None:
                    await asyncio.sleep(0)
                else:
                    yield step
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.ended.append("cancelled")
            raise
        finally:
            self.ended.append("closed")


async def drain(source: Source, flush: Any) -> list[Any]:
    taken: list[Any] = []
    await forward(source.items(), taken.append, flush)
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

    def put(item: int) -> bool:
        log.append(item)
        return item == 2

    async def flush() -> None:
        await asyncio.sleep(0)
        log.append("flushed")

    await forward(Source(1, 2, 3).items(), put, flush)
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
async def test_cancellation_reaches_the_generator(flush: Any) -> None:
    source = Source(1, asyncio.Event())
    task = asyncio.create_task(drain(source, flush))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.ended == ["cancelled", "closed"]


async def test_a_timeout_is_a_timeout() -> None:
    source = Source(asyncio.Event())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await drain(source, nothing)
    assert source.ended == ["cancelled", "closed"]


async def test_an_error_of_the_generator_passes() -> None:
    async def items() -> AsyncGenerator[int, None]:
        yield 1
        await asyncio.sleep(0)
        raise KeyError

    taken: list[int] = []
    with pytest.raises(KeyError):
        await forward(items(), taken.append, nothing)
    assert taken == [1]


async def test_a_generator_that_ends_while_cancelled_can_be_closed() -> None:
    source = Source(1, asyncio.Event())
    items = source.items()
    taken: list[int] = []
    task = asyncio.ensure_future(forward(items, taken.append, slow))
    await asyncio.sleep(0)
    assert taken == [1]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await items.aclose()
