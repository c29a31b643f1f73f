"""Where a request ends although its work is not done: the caller leaves, or the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.types import Receive, Scope

from accounts import settled

T = TypeVar("T")


class ClientGoneError(Exception):
    """The caller closed the connection; nobody will read an answer."""


def deadline_of(scope: Scope, *, margin_seconds: float, longest_seconds: float) -> float:
    """When, on the running loop's clock, the request must begin to end.

    Lambda's context, which Mangum puts into the scope, knows when the sandbox is stopped. The margin leaves time to
    stop the upstream and to book; of a very short rest at most half is given up.
    """
    seconds = longest_seconds
    # Absent outside of Lambda, where nothing stops the process.
    context = scope.get("aws.context")
    if context is not None:
        left = context.get_remaining_time_in_millis() / 1000
        seconds = min(seconds, max(left - margin_seconds, left / 2))
    return asyncio.get_running_loop().time() + seconds


@asynccontextmanager
async def bounded(receive: Receive, deadline: float) -> AsyncIterator[Callable[[], None]]:
    """Cancel the block when the caller leaves or at `deadline` (loop time).

    Gives a function that says the caller has left, for a block that finds out by itself. Raises `ClientGoneError` or
    `TimeoutError` after the block has cleaned up. The request's body must have been read: what `receive` gives from
    now on can only be the disconnect.
    """
    task = asyncio.current_task()
    if task is None:  # pragma: no cover - a coroutine always runs in one
        raise RuntimeError("bounded() needs a task")
    # Says whose cancellation arrives: ours, which becomes `ClientGoneError`, or one from outside, which must go on.
    is_gone = False

    def leave() -> None:
        nonlocal is_gone
        if not is_gone:
            is_gone = True
            task.cancel()

    async def watch() -> None:
        # Servers may repeat an empty `http.request`, which means nothing.
        while (await receive())["type"] != "http.disconnect":
            pass
        leave()

    watcher = asyncio.create_task(watch(), name="disconnect-watch")
    try:
        async with asyncio.timeout_at(deadline):
            yield leave
    except asyncio.CancelledError:
        # `uncancel` takes our own request back. If the count is not 0 then, somebody else cancels, too, and must
        # prevail.
        if is_gone and task.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        # Waited for, so that no task outlives the block and reads what belongs to another request of the connection.
        watcher.cancel()
        await asyncio.wait({watcher})


async def to_the_end(work: Coroutine[Any, Any, T], *, name: str) -> T:
    """Do what must not stay half done, and must have a bound of its own. Cancelled meanwhile, it is re-raised after."""
    # A task of its own: the caller's cancellation does not reach it. `shield` would not wait for it.
    task = asyncio.create_task(work, name=name)
    await settled(task)
    return task.result()
