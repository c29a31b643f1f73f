"""An event loop whose clock only moves when nothing else can happen: a test of hours takes milliseconds.

A timer fires as soon as everything that runs has come to rest, however busy the machine is, and never before. What a
test measures with `loop.time()` is therefore exact. A whole module of tests has it by

    pytestmark = pytest.mark.virtual_time

Both ends of a socket have to be in the loop, as a simulator and a client are in a test: what one sends is there for
the other before the clock moves. A thread's work is waited for without moving it. Other processes have their own clock.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

# With no timer left, only a thread or a socket can wake the loop. If none does in this real time, nothing ever will.
STANDSTILL_SECONDS = 20.0
# What was written to a loopback socket can be read at its other end at once; this is for a kernel that is late.
IN_FLIGHT_SECONDS = 0.002


class StandstillError(AssertionError):
    """Everything waits for something that will not come."""


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]  # the class is chosen by the platform
    """Reports what is ready; instead of sleeping until the next timer, it moves the clock there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.busy_threads: Callable[[], int] = lambda: 0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None and not self.busy_threads():
            # More than the loop's own pipe: sockets, over which something may be on its way.
            if len(self.get_map()) > 1 and (ready := super().select(IN_FLIGHT_SECONDS)):
                return ready
            self.now += timeout
            return ready
        ready = super().select(STANDSTILL_SECONDS)
        if not ready and timeout is None:
            raise StandstillError("nothing can run any more: every task waits, and no timer is set")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """See the module's text. `time()` begins at 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        self._in_threads = 0
        super().__init__(self._virtual)
        self._virtual.busy_threads = lambda: self._in_threads

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        self._in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._left_thread)
        return future

    def _left_thread(self, _: object) -> None:
        self._in_threads -= 1


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test on such a loop. Its fixtures must not be asynchronous: they would have another loop."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """The running loop's time, in seconds."""
    return asyncio.get_running_loop().time()
