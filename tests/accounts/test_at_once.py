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


async def test_a_timeout_around_a_failure_that_was_handled_is_still_a_timeout() -> None:
    async def fail() -> None:
        raise StoreUnavailableError("Query", "timeout")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            with pytest.raises(StoreUnavailableError):
                async with at_once() as group:
                    group.create_task(fail())
            await asyncio.Event().wait()


async def test_several_failures_are_told_as_one() -> None:
    async def fail(number: int) -> None:
        raise StoreUnavailableError("Query", str(number))

    with pytest.raises(StoreUnavailableError):
        async with at_once() as group:
            for number in range(3):
                group.create_task(fail(number))


async def test_who_is_cancelled_twice_waits_all_the_same() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow_to_end() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
            ended.set()

    async def ask() -> None:
        async with at_once() as group:
            group.create_task(slow_to_end())

    task = asyncio.create_task(ask())
    await begun.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
