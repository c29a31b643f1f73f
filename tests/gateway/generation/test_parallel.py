"""Several answers at once."""

from __future__ import annotations

import asyncio

import pytest

from accounts import NoAccountError, NoAccountReason
from gateway.generation.parallel import run_all

BUSY = NoAccountError(NoAccountReason.BUSY)


async def test_results_are_in_order_and_failures_among_them() -> None:
    async def run(index: int) -> int:
        await asyncio.sleep(0.01 * (3 - index))
        if index == 1:
            raise ValueError("one")
        return index

    first, second, third = await run_all(3, 3, run)
    assert (first, third) == (0, 2)
    assert isinstance(second, ValueError)


async def test_who_finds_no_account_waits_for_a_sibling() -> None:
    free, tries = asyncio.Semaphore(1), 0

    async def run(index: int) -> int:
        nonlocal tries
        tries += 1
        if free.locked():
            raise BUSY
        async with free:
            await asyncio.sleep(0)
        return index

    assert await run_all(6, 3, run) == [0, 1, 2, 3, 4, 5]
    assert tries < 12


async def test_when_there_is_no_account_at_all_everybody_is_told() -> None:
    async def run(index: int) -> int:
        raise BUSY

    assert await run_all(3, 2, run) == [BUSY] * 3


async def test_leaving_cancels_all() -> None:
    cancelled = 0

    async def run(index: int) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run_all(5, 2, run)
    assert cancelled == 2
