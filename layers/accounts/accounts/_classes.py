"""Durations in classes that are 20 % wide, so that percentiles can be told from counts. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

WIDTH = 1.2
_SHORTEST, _LONGEST = 0.001, 3600.0


def class_of(seconds: float) -> int:
    """The class of a duration."""
    # Bounded, because zero has no logarithm.
    return round(math.log(min(max(seconds, _SHORTEST), _LONGEST), WIDTH))


def seconds_of(duration_class: int) -> float:
    """The middle of a class, to three digits."""
    return float(f"{WIDTH**duration_class:.3g}")


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration that `share` of all are not above, in seconds; `None` if there are none."""
    total = sum(counts.values())
    so_far = 0
    for duration_class in sorted(counts):
        so_far += counts[duration_class]
        if so_far >= share * total:
            return seconds_of(duration_class)
    return None
