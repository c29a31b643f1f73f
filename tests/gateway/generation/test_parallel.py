"""Several answers at once."""

from __future__ import annotations

import asyncio

import pytest

from accounts import NoAccountError, NoAccountReason
from gateway.generation.parallel import run_all, run_each
from gateway.http.request_log import RequestRecord

pytestmark = pytest.mark.virtual_time


def record() -> RequestRecord:
    return RequestRecord("req-1", "POST", 0.0, key="me", model="m")


BUSY = NoAccountError(NoAccountReason.BUSY)


async def test_results_are_in_order_and_failures_among_them() -> None:
    async def run(index: int, part: RequestRecord) -> int:
        await asyncio.sleep(0.01 * (3 - index))
        if index == 1:
            raise ValueError("one")
        return index

    first, second, third = await run_each(3, run, record=record(), width=3)
    assert (first, third) == (0, 2)
    assert isinstance(second, ValueError)


async def test_who_finds_no_account_waits_for_a_sibling() -> None:
    free, tries = asyncio.Semaphore(1), 0

    async def run(index: int, part: RequestRecord) -> int:
        nonlocal tries
        tries += 1
        if free.locked():
            raise BUSY
        async with free:
            await asyncio.sleep(0)
        return index

    assert await run_each(6, run, record=record(), width=3) == [0, 1, 2, 3, 4, 5]
    assert tries < 12


async def test_when_there_is_no_account_at_all_everybody_is_told() -> None:
    async def run(index: int, part: RequestRecord) -> int:
        raise BUSY

    assert await run_each(3, run, record=record(), width=2) == [BUSY] * 3


async def test_leaving_cancels_all() -> None:
    cancelled = 0

    async def run(index: int, part: RequestRecord) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run_each(5, run, record=record(), width=2)
    assert cancelled == 2


async def test_an_answer_that_had_an_account_is_not_begun_again() -> None:
    """What a second try would cost nobody agreed to."""

    async def run(index: int, part: RequestRecord) -> int:
        if index:
            part.attempts += 1
            raise BUSY
        await asyncio.sleep(0)
        return index

    assert await run_each(2, run, record=record(), width=2) == [0, BUSY]


async def test_the_first_failure_cancels_the_others_and_is_raised() -> None:
    cancelled = 0

    async def run(index: int, part: RequestRecord) -> None:
        nonlocal cancelled
        if index == 1:
            raise ValueError("one")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    with pytest.raises(ValueError, match="one"):
        await run_all(3, run, record=record(), width=3)
    assert cancelled == 2


async def test_what_became_of_all_answers_is_in_the_one_record() -> None:
    whole = record()

    async def run(index: int, part: RequestRecord) -> None:
        assert (part.request_id, part.key, part.model) == (f"req-1-{index}", "me", "m")
        part.attempts = 1
        part.account, part.finish = f"account {index}", "stop"
        part.usage = {"prompt_tokens": 2, "completion_tokens": index, "estimated": index == 1}

    await run_all(3, run, record=whole, width=1)
    assert (whole.attempts, whole.account, whole.finish) == (3, "account 0", "stop")
    assert whole.usage == {"prompt_tokens": 6, "completion_tokens": 3, "estimated": True}
