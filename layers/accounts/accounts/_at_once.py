"""Several questions to the table at once, each in a task that ends with the block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class AtOnce:
    """The tasks of one block."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def create_task(self, question: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin with a question."""
        task = asyncio.create_task(question)
        self._tasks.append(task)
        return task

    async def answers(self) -> None:
        """Wait for all. Raises what the first failing one raised."""
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()

    async def end(self) -> None:
        """Cancel what is still under way, and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await settled(*self._tasks)


async def settled(*tasks: asyncio.Task[Any]) -> None:
    """Wait until all tasks are over, however often the waiting is cancelled; that is re-raised after it.

    Says nothing of how they ended: whoever wants to know asks the tasks.
    """
    cancelled: asyncio.CancelledError | None = None
    while under_way := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(under_way)
        # Remembered and raised at the end: what is left half done can't be repeated.
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # what nobody asks for is not to be reported as forgotten
    if cancelled is not None:
        raise cancelled


@asynccontextmanager
async def at_once() -> AsyncIterator[AtOnce]:
    """Tasks for a block, at whose end all have ended. Raises what the first failing task raised, by itself.

    The others are cancelled then, as all are when the block fails or is cancelled. A failing task does not interrupt
    the block. A `TaskGroup` would cancel the task that it is in, and before Python 3.13 not take all of that back: a
    timeout around it is then taken for a cancellation from outside.
    """
    group = AtOnce()
    try:
        yield group
        await group.answers()
    finally:
        await group.end()
