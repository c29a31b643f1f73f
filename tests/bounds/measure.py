"""Measures how the work of a function grows with its input, in processor time of the thread."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

LARGEST = 65_536
# A run of the largest size that takes less than this can't hide growth that matters.
HARMLESS_SECONDS = 0.004
# A run that takes longer is not repeated with four times the input: if it grows too fast, it shows already.
LONG_SECONDS = 0.1
# Four times the input is four times the work where growth is linear, and sixteen where it is quadratic.
MOST_RATIO = 9.0
_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Growth:
    """The seconds for an input of `size` characters, and how many times those for a quarter of it."""

    size: int
    seconds: float
    ratio: float

    @property
    def is_linear(self) -> bool:
        return self.ratio <= MOST_RATIO or self.seconds < HARMLESS_SECONDS


def seconds_of(run: Callable[[str], object], text: str) -> float:
    """The thread's processor time for one run."""
    started = time.thread_time()
    run(text)
    return time.thread_time() - started


def growth_of(run: Callable[[str], object], make: Callable[[int], str], largest: int = LARGEST) -> Growth:
    """How the work grows up to inputs of `largest` characters, or to the first that take long."""
    size = max(512, largest // 64)
    run(make(size // 4))  # whatever is loaded or compiled at the first time
    before = seconds_of(run, make(size))
    while size < largest and before < LONG_SECONDS:
        size *= 4
        growth = _compare(run, make, size, before)
        if not growth.is_linear:
            return growth
        before = growth.seconds
    return Growth(size, before, 1.0)


def _compare(run: Callable[[str], object], make: Callable[[int], str], size: int, before: float) -> Growth:
    """An input and a quarter of it. Suspicious times are taken again: the least is nearest to the work itself."""
    growth = Growth(size, seconds := seconds_of(run, make(size)), seconds / max(before, 1e-7))
    if growth.is_linear:
        return growth
    small, large = make(size // 4), make(size)
    gc.collect()
    gc.disable()
    try:
        least_large = min(seconds, *(seconds_of(run, large) for _ in range(_REPEATS if seconds < 1 else 1)))
        least_small = min(seconds_of(run, small) for _ in range(2 * _REPEATS))
    finally:
        gc.enable()
    return Growth(size, least_large, least_large / max(least_small, 1e-7))
