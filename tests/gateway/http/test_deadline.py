"""Ends of requests whose work is not done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.http.deadline import ClientGoneError, bounded, deadline_of


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
