"""Several questions at once: all are answered, or the first failure is told by itself and nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from accounts import StoreUnavailableError, at_once


async def test_all_are_under_way_at_the_same_time() -> None:
    met = asyncio.Barrier(3)

    async def ask(number: int) -> int:
        await met.wait()
        return number

    async with at_once() as group:
        tasks = [group.create_task(ask(number)) for number in range(3)]
    assert [task.result() for task in tasks] == [0, 1, 2]


async def test_a_failure_is_raised_by_itself_and_the_others_are_ended() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    async def fail() -> None:
        raise StoreUnavailableError("Query", "timeout")

    async def nested() -> None:
        async with at_once() as inner:
            inner.create_task(fail())

    with pytest.raises(StoreUnavailableError):
        async with at_once() as group:
            group.create_task(wait())
            group.create_task(nested())
    assert ended == ["waiting"]


async def test_what_the_block_itself_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with at_once():
            raise ValueError("mine")


async def test_cancellation_ends_all_and_is_passed_on() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def ask() -> None:
        async with at_once() as group:
            group.create_task(wait())

    task = asyncio.create_task(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
