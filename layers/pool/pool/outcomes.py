"""What a Poe client's results and errors mean for the account that was used. Pure."""

from __future__ import annotations

from accounts import BalanceReading, Outcome
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, PoeError, Scope

CREDENTIALS_UNUSABLE = Outcome(code=ErrorCode.NOT_AUTHENTICATED.value, scope=Scope.ACCOUNT.value)
"""Stored credentials that no client can be made of: Poe would refuse them."""


def outcome_of(error: PoeError, *, bot: str | None = None, points_spent: int | None = None) -> Outcome:
    """The outcome of a use, or of a reading, that ended with this error. `bot` is the bot that was asked."""
    return Outcome(
        code=error.code.value,
        scope=error.scope.value,
        bot=bot,
        retry_after_seconds=error.retry_after_seconds,
        points_spent=points_spent,
    )


def reading_of(points: PointsReading) -> BalanceReading:
    """The balance that the client read, as the store records it."""
    return BalanceReading(
        points.balance,
        points.subscribed,
        points.allotment,
        points.next_grant_at,
        usd_per_point=points.usd_per_point,
        addon=points.addon,
    )
