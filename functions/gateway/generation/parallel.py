"""Several answers to one request, run at the same time as far as there are accounts, with one record in the log."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from accounts import NoAccountError, NoAccountReason, settled
from gateway.http.request_log import RequestRecord
from gateway.http.sse import Put

T = TypeVar("T")
Run = Callable[[int, RequestRecord], Awaitable[T]]
"""Makes one answer, given its number and the record of its part of the request."""
# Chunks of all answers that wait to be sent: a slow reader slows the upstreams down.
_QUEUE_SIZE = 64


async def run_each(count: int, run: Run[T], *, record: RequestRecord, width: int) -> list[T | Exception]:
    """The results of `run` for 0 to `count - 1`, in order, at most `width` at once; failures are among them.

    What finds no free account is run again when another answer is done. Cancellation cancels all.
    """
    results: dict[int, T | Exception] = {}

    def fail(index: int, error: Exception) -> None:
        results[index] = error

    await _run(count, run, results, fail, record=record, width=width)
    return [results[index] for index in range(count)]


async def run_all(count: int, run: Run[T], *, record: RequestRecord, width: int) -> list[T]:
    """As `run_each`, but the first failure cancels the other answers and is raised."""
    results: dict[int, T] = {}

    def fail(_index: int, error: Exception) -> None:
        raise error

    try:
        await _run(count, run, results, fail, record=record, width=width)
    except ExceptionGroup as failures:
        # A task group wraps what its tasks raise, while callers know single errors.
        raise _first(failures) from None
    return [results[index] for index in range(count)]


async def stream_all(
    count: int,
    stream: Callable[[int, RequestRecord, Put], Awaitable[None]],
    put: Put,
    *,
    record: RequestRecord,
    width: int,
) -> None:
    """Put the chunks of several streams as they come. The first failure ends them all and is raised."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE_SIZE)

    def enqueue(chunk: bytes) -> Awaitable[None] | None:
        if queue.full():
            return queue.put(chunk)
        queue.put_nowait(chunk)
        return None

    async def run(index: int, part: RequestRecord) -> None:
        await stream(index, part, enqueue)

    async def stream_each() -> None:
        try:
            await run_all(count, run, record=record, width=width)
        finally:
            # Where the reader has left, the queue may be full for good.
            if is_read:
                await queue.put(None)

    is_read = True
    streaming = asyncio.create_task(stream_each(), name="answers")
    try:
        while (chunk := await queue.get()) is not None:
            if (full := put(chunk)) is not None:
                await full
        # The end of the queue says nothing of how it came about; this raises the failure, if there was one.
        await streaming
    finally:
        is_read = False
        streaming.cancel()
        await settled(streaming)


async def _run(
    count: int,
    run: Run[T],
    results: dict[int, T] | dict[int, T | Exception],
    fail: Callable[[int, Exception], None],
    *,
    record: RequestRecord,
    width: int,
) -> None:
    waiting = deque(range(count))
    active = done = 0

    async def work() -> None:
        nonlocal active, done
        active += 1
        try:
            while waiting:
                index = waiting.popleft()
                part = record.part(index)
                done_before = done
                try:
                    results[index] = await run(index, part)
                except NoAccountError as error:
                    # Another answer has the account, and takes this one over when it is done.
                    # Only where nothing was sent: an answer that was paid for is not begun again.
                    is_busy = error.reason is NoAccountReason.BUSY and not part.attempts
                    if is_busy and active > 1:
                        waiting.append(index)
                        return
                    if is_busy and done > done_before:
                        waiting.append(index)  # It was done meanwhile: the account is free now.
                        continue
                    fail(index, error)
                except Exception as error:  # noqa: BLE001 - one of several; the caller decides
                    fail(index, error)
                finally:
                    record.merge(part)
                done += 1
        finally:
            active -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(min(count, width)):
            group.create_task(work())


def _first(failures: BaseException) -> Exception:
    found = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    # A task group holds nothing but what its tasks raised, and these raise nothing but exceptions.
    return found if isinstance(found, Exception) else RuntimeError("an answer failed")
