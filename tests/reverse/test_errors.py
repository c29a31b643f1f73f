"""What an error knows of the message that it is about."""

from __future__ import annotations

import pytest

from reverse.errors import POLICIES, Delivery, ErrorCode, Scope, poe_error


@pytest.mark.parametrize("code", list(ErrorCode))
def test_without_a_better_word_a_code_never_claims_that_nothing_was_sent(code: ErrorCode) -> None:
    assert poe_error(code).delivery is not Delivery.NOT_SENT


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.CONNECTION_FAILED,
        ErrorCode.TIMEOUT,
        ErrorCode.UPSTREAM_FAILED,
        ErrorCode.OVERLOADED,
        ErrorCode.PROTOCOL,
    ],
)
def test_a_failure_on_the_way_leaves_the_delivery_unknown(code: ErrorCode) -> None:
    assert poe_error(code).delivery is Delivery.UNKNOWN


@pytest.mark.parametrize("code", [code for code in ErrorCode if POLICIES[code].scope is not Scope.NETWORK])
def test_what_poe_says_no_to_was_not_lost(code: ErrorCode) -> None:
    assert poe_error(code).delivery in (Delivery.REFUSED, Delivery.FAILED)


def test_the_place_of_the_failure_knows_better_than_the_code() -> None:
    assert poe_error(ErrorCode.TIMEOUT, delivery=Delivery.NOT_SENT).delivery is Delivery.NOT_SENT
