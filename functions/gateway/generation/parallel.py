"""Several answers to one request, at the same time as far as there are accounts, with one record in the log."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from accounts import NoAccountError, NoAccountReason
from gateway.http.request_log import RequestRecord

T = TypeVar("T")


async def run_all(count: int, width: int, run: Callable[[int], Awaitable[T]]) -> list[T | Exception]:
    """The results of `run(0)` to `run(count - 1)`, in order, at most `width` at once; failures as exceptions.

    What finds no free account is run again when another one is done. Cancellation cancels all.
    """
    waiting = deque(range(count))
    results: dict[int, T | Exception] = {}
    active = 0

    async def work() -> None:
        nonlocal active
        active += 1
        try:
            while waiting:
                index = waiting.popleft()
                try:
                    results[index] = await run(index)
                except NoAccountError as error:
                    if error.reason is NoAccountReason.BUSY and active > 1:
                        waiting.append(index)
                        return
                    results[index] = error
                except Exception as error:  # noqa: BLE001 - one of several; the caller decides
                    results[index] = error
        finally:
            active -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(min(count, width)):
            group.create_task(work())
    return [results[index] for index in range(count)]


def part_of(record: RequestRecord, index: int) -> RequestRecord:
    """A record for one of several answers: each holds a lease of its own, so each needs a name of its own."""
    return RequestRecord(
        f"{record.request_id}-{index}", record.method, record.started_at, key=record.key, model=record.model
    )


def absorb(record: RequestRecord, part: RequestRecord) -> None:
    """Add what became of one answer to the request's record."""
    record.attempts += part.attempts
    record.account = record.account or part.account
    record.finish = record.finish or part.finish
    for name in ("prompt_tokens", "completion_tokens"):
        record.usage[name] = record.usage.get(name, 0) + part.usage.get(name, 0)
    record.usage["estimated"] = record.usage.get("estimated", False) or part.usage.get("estimated", True)
