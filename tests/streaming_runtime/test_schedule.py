"""When an invocation is pressed to end."""

import pytest

from streaming_runtime.schedule import Schedule, find_deadline


def test_the_margin_is_cut_to_a_third_of_a_short_time():
    assert Schedule.plan(100.0, 30.0, 1.5) == Schedule(128.5, 129.5, 130.0)
    assert Schedule.plan(100.0, 3.0, 1.5) == Schedule(102.0, pytest.approx(102.667, abs=0.01), 103.0)
    assert Schedule.plan(100.0, 0.0, 1.5) == Schedule(100.0, 100.0, 100.0)


@pytest.mark.parametrize("told", [None, 0, 1, 60_000, 99_999, 100_000])
def test_a_deadline_before_the_invocation_came_is_unknown(told: int | None):
    assert find_deadline(told, 100_000, None) is None
    assert find_deadline(told, 100_000, 3.0) == 103_000


def test_a_deadline_that_can_be_is_believed():
    assert find_deadline(100_001, 100_000, 3.0) == 100_001
