"""Several answers to one request (`n`): each its own generation, at the same time, on whichever accounts are free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from accounts import NoAccountError, NoAccountReason
from gateway.generation.generation import Generation
from gateway.generation.usage import TokenUsage
from gateway.http.deadline import settled
from gateway.http.request_log import RequestRecord
from gateway.surfaces.chat.collected import CollectedChoice, stream_completion
from gateway.surfaces.chat.encoder import ChunkEncoder

StartChoice = Callable[[int, RequestRecord], Generation]
"""Starts the generation of one choice."""
# Chunks of all choices that wait to be sent: a slow reader slows the upstreams down.
_QUEUE_SIZE = 64


class Choices:
    """Runs the choices of one request. The first that fails ends them all."""

    def __init__(self, count: int, start: StartChoice, record: RequestRecord) -> None:
        self._count = count
        self._start = start
        self._record = record
        self._running = 0
        self._freed = asyncio.Event()

    async def collect(self, *, is_legacy: bool = False) -> tuple[list[CollectedChoice], TokenUsage]:
        """All answers, and what they consumed together. Raises what the first failing choice raises."""
        choices = [CollectedChoice(is_legacy=is_legacy) for _ in range(self._count)]
        usages = await self._run_all(lambda index, generation: choices[index].collect(generation))
        return choices, sum_usages(usages)

    async def stream(self, make_encoder: Callable[[int], ChunkEncoder]) -> AsyncGenerator[bytes, None]:
        """The chunks of all choices as they come. Raises what the first failing choice raises."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE_SIZE)

        async def run(index: int, generation: Generation) -> TokenUsage:
            async with aclosing(stream_completion(generation, make_encoder(index))) as chunks:
                async for chunk in chunks:
                    await queue.put(chunk)
            return generation.usage

        async def run_all() -> list[TokenUsage]:
            try:
                return await self._run_all(run)
            finally:
                if is_read:
                    await queue.put(None)

        is_read = True
        running = asyncio.create_task(run_all(), name="choices")
        try:
            while (chunk := await queue.get()) is not None:
                yield chunk
            yield make_encoder(0).end(sum_usages(await running))
        finally:
            is_read = False
            running.cancel()
            await settled(running)

    async def _run_all(self, run: Callable[[int, Generation], Awaitable[TokenUsage]]) -> list[TokenUsage]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._run_one(index, run)) for index in range(self._count)]
        except ExceptionGroup as failures:
            raise _first(failures) from None
        return [task.result() for task in tasks]

    async def _run_one(self, index: int, run: Callable[[int, Generation], Awaitable[TokenUsage]]) -> TokenUsage:
        """One choice. When all accounts are busy with its siblings, it waits for one of them to be done."""
        while True:
            # Each choice has a record of its own: what concerns the whole request is put together at the end.
            own = replace(self._record, attempts=0, usage={})
            self._running += 1
            try:
                return await run(index, self._start(index, own))
            except NoAccountError as error:
                if error.reason is not NoAccountReason.BUSY or self._running == 1 or own.attempts:
                    raise
            finally:
                self._running -= 1
                self._freed.set()
                _merge(self._record, own)
            self._freed = asyncio.Event()
            await self._freed.wait()


def sum_usages(usages: Sequence[TokenUsage]) -> TokenUsage:
    """What all choices consumed together: each was asked for on its own."""

    def total(numbers: list[int | None]) -> int | None:
        known = [number for number in numbers if number is not None]
        return sum(known) if known else None

    return TokenUsage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
        total([usage.cached_tokens for usage in usages]),
        total([usage.reasoning_tokens for usage in usages]),
        total([usage.points for usage in usages]),
        is_estimated=any(usage.is_estimated for usage in usages),
    )


def _merge(record: RequestRecord, own: RequestRecord) -> None:
    record.attempts += own.attempts
    record.account = own.account or record.account
    record.finish = own.finish or record.finish
    for name, value in own.usage.items():
        so_far = record.usage.get(name)
        is_flag = isinstance(value, bool)
        record.usage[name] = (value or bool(so_far)) if is_flag else value + (so_far or 0)


def _first(failures: BaseException) -> Exception:
    found = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    # A task group holds nothing but what its tasks raised, and these raise nothing but exceptions.
    return found if isinstance(found, Exception) else RuntimeError("a choice failed")
