"""Ends of requests whose work is not done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.http.deadline import ClientGoneError, bounded, deadline_of, settled, to_the_end


class Context:
    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, 100),
        ({"aws.context": None}, 100),
        ({"aws.context": Context(60_000)}, 54),
        ({"aws.context": Context(900_000)}, 100),
        ({"aws.context": Context(8_000)}, 4),
        ({"aws.context": Context(0)}, 0),
    ],
    ids=["none", "null", "margin", "longest", "half", "over"],
)
async def test_the_deadline_leaves_time_to_clean_up(scope: dict[str, Any], expected: float) -> None:
    now = asyncio.get_running_loop().time()
    deadline = deadline_of(scope, margin_seconds=6, longest_seconds=100)
    assert deadline - now == pytest.approx(expected, abs=0.1)


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


def soon(seconds: float = 5) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_the_block_may_just_end() -> None:
    async with bounded(never, soon()):
        pass
    assert len(asyncio.all_tasks()) == 1


async def test_a_caller_that_leaves_ends_the_block() -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])
    is_cleaned = False

    async def receive() -> dict[str, Any]:
        return next(messages)

    with pytest.raises(ClientGoneError):
        async with bounded(receive, soon()):
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                is_cleaned = True
    assert is_cleaned


async def test_the_deadline_ends_the_block() -> None:
    with pytest.raises(TimeoutError):
        async with bounded(never, soon(0.01)):
            await asyncio.Event().wait()


async def test_cancellation_from_outside_stays_one() -> None:
    async def block() -> None:
        async with bounded(never, soon()):
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_errors_of_the_block_pass() -> None:
    with pytest.raises(RuntimeError):
        async with bounded(never, soon()):
            raise RuntimeError


async def test_a_cancellation_counts_more_than_a_caller_that_left_at_the_same_time() -> None:
    """Whoever cancels the request must see it cancelled; a caller that is gone is nothing that the server waits for."""
    is_inside, leave_and_cancel = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await leave_and_cancel.wait()
        return {"type": "http.disconnect"}

    async def block() -> None:
        async with bounded(receive, soon()):
            is_inside.set()
            try:
                await asyncio.Event().wait()
            finally:
                # The caller has left; now the server cancels too, while the block cleans up.
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.sleep(0)

    task = asyncio.create_task(block())
    await is_inside.wait()
    leave_and_cancel.set()
    await asyncio.wait({task})
    assert task.cancelled()


@pytest.mark.parametrize("times", [1, 3])
async def test_work_that_is_brought_to_its_end_does_not_swallow_a_cancellation(times: int) -> None:
    is_done, may_end = False, asyncio.Event()

    async def work() -> None:
        nonlocal is_done
        await may_end.wait()
        is_done = True

    task = asyncio.create_task(to_the_end(work(), name="work"))
    for _ in range(times):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.wait({task})
    assert is_done
    assert task.cancelled()


async def test_work_that_is_brought_to_its_end_gives_its_result_or_its_error() -> None:
    async def work(result: int) -> int:
        await asyncio.sleep(0)
        return 1 // result

    assert await to_the_end(work(1), name="work") == 1
    with pytest.raises(ZeroDivisionError):
        await to_the_end(work(0), name="work")


async def test_waiting_for_a_task_says_nothing_of_how_it_ended() -> None:
    async def work(error: BaseException) -> None:
        raise error

    for error in (RuntimeError(), asyncio.CancelledError()):
        task = asyncio.create_task(work(error))
        await settled(task)
        assert task.done()
