"""Runs asynchronous code for blocking callers: one event loop in a background thread, and calls into it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar, cast

T = TypeVar("T")

# How long leaving waits for what it leaves behind: the clients bound their own clean-up more tightly.
_LEAVE_SECONDS = 10.0
_END = object()


class LoopThread:
    """An event loop in a daemon thread, from construction to `close`.

    Calls may come from any thread but its own. What is interrupted in the calling thread (Ctrl-C) is cancelled in the
    loop, and its clean-up waited for. `cleanup` is the last thing that runs in the loop.
    """

    def __init__(self, name: str = "poe", cleanup: Callable[[], Awaitable[object]] | None = None) -> None:
        self._cleanup = cleanup
        # Both are touched in the loop's thread only.
        self._calls: set[asyncio.Task[Any]] = set()
        self._generators: set[AsyncGenerator[Any, None]] = set()
        self._closing = threading.Lock()
        self._is_closed = False
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        # A daemon, because the interpreter waits for other threads before it lets anybody close this one.
        self._thread = threading.Thread(target=lambda: asyncio.run(self._until_closed(started)), name=name, daemon=True)
        self._thread.start()
        # Waited for, so that the first call finds a loop.
        self._loop, self._stop = started.result()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and return what it returns, or raise what it raises.

        Raises `RuntimeError` when the loop is closed, before or meanwhile, and in the loop's own thread.
        """
        ended = threading.Event()

        async def supervised() -> T:
            task = cast("asyncio.Task[T]", asyncio.current_task())
            self._calls.add(task)
            try:
                return await coroutine
            finally:
                self._calls.discard(task)
                ended.set()

        # Under the lock: what is submitted before the loop is told to stop is cancelled by it, never forgotten.
        with self._closing:
            if self._is_closed or threading.current_thread() is self._thread:
                # Else Python warns of a coroutine that was never awaited.
                coroutine.close()
                raise RuntimeError("the client is closed" if self._is_closed else "a blocking call in the event loop")
            future = asyncio.run_coroutine_threadsafe(supervised(), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError("the client was closed") from None
        except BaseException:
            # Ctrl-C arrives in the calling thread; the answer has to be stopped at Poe before it goes on.
            if future.cancel():
                ended.wait(_LEAVE_SECONDS)
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Yield what an asynchronous generator yields; it is closed when this one is exhausted, closed or fails."""

        steps: set[asyncio.Task[Any]] = set()

        async def step() -> object:
            self._generators.add(items)
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            steps.add(task)
            try:
                return await anext(items, _END)
            finally:
                steps.discard(task)

        async def leave() -> None:
            # An interrupt can come before the caller has anything in hand by which to cancel its step.
            for task in list(steps):
                task.cancel()
            await asyncio.gather(*steps, return_exceptions=True)
            self._generators.discard(items)
            await items.aclose()

        try:
            while (item := self.run(step())) is not _END:
                yield cast(T, item)
        finally:
            # A loop that is closed has closed its generators already.
            if not self._is_closed:
                self.run(leave())

    def close(self) -> None:
        """Cancel what is running, clean up, and end the thread. Safe to call twice and from any thread."""
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self._loop.call_soon_threadsafe(self._stop.set)
        if threading.current_thread() is not self._thread:
            # Bounded: a clean-up that hangs must not keep the program from ending.
            self._thread.join(_LEAVE_SECONDS)

    async def _until_closed(self, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        stop = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        # After the calls: a generator can't be closed while one of its steps runs.
        await asyncio.gather(*(items.aclose() for items in self._generators), return_exceptions=True)
        if self._cleanup is not None:
            await self._cleanup()
