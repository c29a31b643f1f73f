"""Show that work grows with its input and no faster, on a machine however busy: processor time as a ratio."""

from __future__ import annotations

import time
from collections.abc import Callable

# Four times the input: linear work takes 4 times as long, quadratic 16 times.
FACTOR = 4
LIMIT = 9.0
# Below this, the clock's grain and what the interpreter does beside count for too much.
LEAST_SECONDS = 0.002
ROUNDS = 5


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Run `work` on `size`, and on four times as much; fail if that takes much more than four times as long.

    `size` is doubled until the work is long enough to be measured. The least of a few rounds counts, sizes in turns:
    what others do on the machine only ever adds.
    """
    while _seconds(work, size) < LEAST_SECONDS:
        size *= 2
    ratio = _ratio(work, size)
    assert ratio < LIMIT, f"{FACTOR} times the input took {ratio:.1f} times as long"


def _ratio(work: Callable[[int], object], size: int) -> float:
    small = large = float("inf")
    for _ in range(ROUNDS):
        small = min(small, _seconds(work, size))
        large = min(large, _seconds(work, FACTOR * size))
    return large / small


def _seconds(work: Callable[[int], object], size: int) -> float:
    before = time.thread_time()
    work(size)
    return time.thread_time() - before
