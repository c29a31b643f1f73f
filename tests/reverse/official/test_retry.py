from __future__ import annotations

import pytest

from reverse.errors import POLICIES, ErrorCode, Scope, poe_error
from reverse.official.retry import MAX_RETRY_AFTER_SECONDS, retry_delay


@pytest.mark.parametrize("code", list(ErrorCode))
def test_only_passing_failures_of_the_way_are_tried_again(code: ErrorCode) -> None:
    if retry_delay(poe_error(code), 0, jitter=1.0) is not None:
        assert POLICIES[code].scope in (Scope.NETWORK, Scope.ACCOUNT)
        assert POLICIES[code].retryable


def test_the_wait_starts_at_a_quarter_of_a_second_and_doubles() -> None:
    error = poe_error(ErrorCode.OVERLOADED)
    waits = [retry_delay(error, attempt, jitter=1.0, max_retries=9) for attempt in range(7)]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_jitter_takes_away_up_to_half() -> None:
    assert retry_delay(poe_error(ErrorCode.OVERLOADED), 0, jitter=0.0) == 0.125


def test_the_upstreams_word_is_the_least_wait() -> None:
    error = poe_error(ErrorCode.OVERLOADED, retry_after_seconds=3.0)
    assert retry_delay(error, 0, jitter=0.5) == 3.0


def test_a_long_wait_is_left_to_the_caller() -> None:
    error = poe_error(ErrorCode.OVERLOADED, retry_after_seconds=MAX_RETRY_AFTER_SECONDS + 0.1)
    assert retry_delay(error, 0, jitter=0.5) is None


def test_a_rate_limit_is_waited_for_only_with_a_short_time() -> None:
    assert retry_delay(poe_error(ErrorCode.RATE_LIMITED), 0, jitter=0.5) is None
    assert retry_delay(poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=1.0), 0, jitter=0.5) == 1.0


def test_a_timeout_is_final() -> None:
    for status in (None, 408, 504):
        assert retry_delay(poe_error(ErrorCode.TIMEOUT, status=status), 0, jitter=0.5) is None


def test_tries_are_counted() -> None:
    error = poe_error(ErrorCode.OVERLOADED)
    assert retry_delay(error, 1, jitter=0.5) is not None
    assert retry_delay(error, 2, jitter=0.5) is None
    assert retry_delay(error, 0, jitter=0.5, max_retries=0) is None


def test_an_error_that_says_no_is_not_tried_again() -> None:
    error = poe_error(ErrorCode.BOT_FAILED)
    error.retryable = False
    assert retry_delay(error, 0, jitter=0.5) is None
