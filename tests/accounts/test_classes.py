"""Percentiles from counts of classes."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from accounts._classes import WIDTH, class_of, percentile, seconds_of


@given(st.lists(st.floats(0.001, 3600), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_percentile_is_off_by_half_a_class_at_most(seconds: list[float], share: float) -> None:
    exact = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    found = percentile(Counter(map(class_of, seconds)), share)
    assert found is not None
    assert exact / WIDTH**0.54 <= found <= exact * WIDTH**0.54


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile({}, 0.5) is None


def test_durations_beyond_sense_have_a_class() -> None:
    assert class_of(0) == class_of(0.001)
    assert class_of(1e9) == class_of(3600)
    assert seconds_of(0) == 1.0
