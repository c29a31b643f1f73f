"""The collector's thresholds are those of the process again when the application has started."""

import gc
from collections.abc import Iterator

import pytest

from streaming_runtime import collector


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    yield before
    collector.end_start_up()
    # What is frozen stays so, as after every test: it holds what earlier tests have left, too.
    gc.set_threshold(*before)


def test_a_start_is_spared_and_what_it_made_is_frozen(thresholds: tuple[int, int, int]) -> None:
    collector.spare_start_up()
    assert gc.get_threshold()[0] > 10 * thresholds[0] > 0
    made = [[number] for number in range(100)]
    before = gc.get_freeze_count()
    collector.end_start_up()
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() >= before + len(made)


def test_what_the_application_has_set_stays() -> None:
    collector.spare_start_up()
    gc.set_threshold(5_000, 20, 20)
    collector.end_start_up()
    assert gc.get_threshold() == (5_000, 20, 20)


def test_without_a_start_the_end_of_one_changes_no_threshold(thresholds: tuple[int, int, int]) -> None:
    collector.end_start_up()
    assert gc.get_threshold() == thresholds
