"""Close the async generators that an application leaves suspended, before the sandbox is frozen.

When ASGI `send` raises or is cancelled, Starlette drops the generator of a StreamingResponse where it
stands; its `finally` runs when the garbage collector finds it (seen with Starlette 1.10). Elsewhere that is
soon enough. Here the process is frozen right after the invocation, perhaps for good, and what the generator
holds stays held.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

from streaming_runtime import log


class AbandonedGenerators:
    """While entered, owns the closing of async generators that were first iterated and then became garbage.

    Takes the place of the event loop's own finalizer, which closes them in tasks that nobody waits for.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing: set[asyncio.Task[None]] = set()
        self._previous = sys.get_asyncgen_hooks()

    def __enter__(self) -> Self:
        self._previous = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._previous.firstiter, finalizer=self._finalize)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.set_asyncgen_hooks(*self._previous)

    async def close(self, *, collect: bool, timeout_seconds: float) -> None:
        """Wait until those that are garbage are closed, or until the time is over.

        With `collect`, look for garbage first: after a failure, tracebacks make reference cycles.
        """
        if collect:
            gc.collect()
            # The finalizer may run in any thread, so it only schedules.
            await asyncio.sleep(0)
        if self._closing:
            await asyncio.wait(self._closing, timeout=timeout_seconds)

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._start_closing, generator)

    def _start_closing(self, generator: AsyncGenerator[Any, Any]) -> None:
        task = self._loop.create_task(_close(generator))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    try:
        await generator.aclose()
    except Exception as error:  # noqa: BLE001 - the application's cleanup failed; there is nobody else to tell
        log.app_error("generator.cleanup_failed", error)
