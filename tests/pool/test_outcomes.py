"""What a client's errors and readings become in the account store."""

from __future__ import annotations

import pytest

from accounts import BalanceReading, Outcome
from pool.outcomes import CREDENTIALS_UNUSABLE, outcome_of, reading_of
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error


@pytest.mark.parametrize("code", ErrorCode)
def test_an_error_keeps_its_code_and_scope(code: ErrorCode) -> None:
    error = poe_error(code)
    assert outcome_of(error, bot="b") == Outcome(code=code.value, scope=error.scope.value, bot="b")


def test_waiting_time_and_points_are_kept() -> None:
    error = poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=7.0)
    outcome = outcome_of(error, points_spent=20)
    assert (outcome.retry_after_seconds, outcome.points_spent) == (7.0, 20)


def test_unusable_credentials_count_like_refused_ones() -> None:
    assert outcome_of(poe_error(ErrorCode.NOT_AUTHENTICATED)) == CREDENTIALS_UNUSABLE


def test_an_unknown_balance_stays_unknown() -> None:
    assert reading_of(PointsReading(balance=None)) == BalanceReading(None)
    points = PointsReading(5, subscribed=True, allotment=10, next_grant_at=99.0, usd_per_point=3e-05, addon=4)
    assert reading_of(points) == BalanceReading(5, True, 10, 99.0, usd_per_point=3e-05, addon=4)
