"""Take items that are already there without a pause, and do something the moment there are none.

An upstream often delivers several events with one read of its socket. Sent one by one, each costs a system call; sent
together, when the next one has to be waited for, they cost one and leave no later.
"""

from __future__ import annotations

import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


@types.coroutine
def next_item(
    items: AsyncGenerator[T, None], before_waiting: Callable[[], Coroutine[Any, Any, None]]
) -> Generator[Any, Any, T]:
    """`anext(items)`, running `before_waiting` first if the item is not there yet.

    Raises what `anext` raises. A cancellation that comes while `before_waiting` runs reaches the generator, which has
    begun to wait already; anything else must not be raised by it.
    """
    step = items.__anext__().__await__()
    try:
        awaited = next(step)
    except StopIteration as ready:
        return ready.value  # type: ignore[no-any-return]  # typeshed has no type for what a generator returns
    error: BaseException | None = None
    try:
        yield from before_waiting().__await__()
    except BaseException as caught:  # noqa: BLE001 - goes on into the generator
        error = caught
    # From here on this is `await`, written out.
    while True:
        sent = None
        if error is None:
            try:
                sent = yield awaited
            except BaseException as caught:  # noqa: BLE001 - as above
                error = caught
        try:
            if error is None:
                awaited = step.send(sent)
            else:
                thrown, error = error, None
                awaited = step.throw(thrown)
        except StopIteration as ready:
            return ready.value  # type: ignore[no-any-return]
