"""The check that other tests make of their subject's growth."""

import pytest

from tests.growth import assert_linear


def test_linear_work_passes() -> None:
    assert_linear(lambda size: sum(range(size)), 1000)


def test_quadratic_work_does_not() -> None:
    with pytest.raises(AssertionError, match="times as long"):
        assert_linear(lambda size: [sum(range(size)) for _ in range(size)], 50)
