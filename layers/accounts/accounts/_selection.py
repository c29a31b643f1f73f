"""Which account serves a request: pure choices among accounts that a store found."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accounts._exceptions import NoAccountError, NoAccountReason
from accounts._model import Account, AccountState, LeaseRequest
from accounts._transitions import BOT_ACCESS_DENIED, DEFAULT_POLICY, INSUFFICIENT_POINTS, Policy, lacks_points

# Weights of `burden`. A failure weighs as much as the whole range of balances; a use a minute ago as much as half.
FULL_BALANCE = 3_000
ERROR_WEIGHT = 1.0
RECENT_USE_WEIGHT = 0.5
RECENT_USE_SECONDS = 600.0
UNKNOWN_BALANCE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class BotLimit:
    """An account should not be asked for one bot before `until`; `code` says why."""

    until: float
    code: str


def is_able(account: Account, request: LeaseRequest) -> bool:
    """Whether the account could serve the request at some time.

    An account of which nobody knows yet whether it is subscribed counts as able: Poe decides, and the store remembers.
    """
    return (
        account.state is AccountState.ACTIVE
        and account.kind in request.kinds
        and not (request.subscribed_only and account.subscribed is False)
    )


def is_candidate(account: Account, request: LeaseRequest, now: float) -> bool:
    """Whether the account could serve the request now, slots and limits of the bot aside."""
    return is_able(account, request) and account.eligible_at <= now and account.id not in request.exclude


def burden(account: Account, now: float) -> float:
    """How little one would like to use the account: failures and recent use weigh, points relieve."""
    share = UNKNOWN_BALANCE_SHARE
    if account.points is not None:
        share = min(account.points.balance, FULL_BALANCE) / FULL_BALANCE
    recent = 0.0
    if account.last_used_at is not None:
        recent = max(0.0, 1.0 - (now - account.last_used_at) / RECENT_USE_SECONDS)
    return ERROR_WEIGHT * account.consecutive_errors + RECENT_USE_WEIGHT * recent - share


def order(candidates: Sequence[Account], request: LeaseRequest, now: float, rng: random.Random) -> Iterator[Account]:
    """The candidates in the order to try them: the sticky one, then kind by kind the better of two drawn at random.

    Two choices spread the load nearly as well as comparing all, and concurrent callers do not all flock to the best.
    """
    rest = [account for account in candidates if account.id != request.sticky_account_id]
    yield from (account for account in candidates if account.id == request.sticky_account_id)
    for kind in request.kinds:
        pool = [account for account in rest if account.kind is kind]
        while pool:
            drawn = rng.sample(range(len(pool)), min(2, len(pool)))
            yield pool.pop(min(drawn, key=lambda index: burden(pool[index], now)))


def refusal(
    *,
    waiting: Sequence[Account],
    limits: Sequence[BotLimit],
    has_busy: bool,
    has_excluded: bool,
    now: float,
    policy: Policy = DEFAULT_POLICY,
) -> NoAccountError:
    """Why no account could be leased, from what was found on the way.

    `waiting` are able accounts whose time has not come, `limits` are those of eligible accounts for the bot.
    """
    if has_busy:
        return NoAccountError(NoAccountReason.BUSY)
    times = [account.eligible_at for account in waiting] + [limit.until for limit in limits]
    if times:
        lack_points = all(lacks_points(account, policy) for account in waiting)
        lack_points = lack_points and all(limit.code == INSUFFICIENT_POINTS for limit in limits)
        reason = NoAccountReason.NO_POINTS if lack_points else NoAccountReason.COOLING_DOWN
        if not waiting and not has_excluded and all(limit.code == BOT_ACCESS_DENIED for limit in limits):
            reason = NoAccountReason.BOT_DENIED
        return NoAccountError(reason, max(now, min(times)))
    if has_excluded:
        return NoAccountError(NoAccountReason.COOLING_DOWN)
    return NoAccountError(NoAccountReason.NONE_CONFIGURED)
