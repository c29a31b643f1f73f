"""Which account serves a request: pure choices among accounts that a store found."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import field

from accounts._account_model import Account, AccountState, Wait
from accounts._exceptions import NoAccountError, NoAccountReason
from accounts._lease_model import LeaseRequest
from accounts._transitions import BOT_ACCESS_DENIED, INSUFFICIENT_POINTS
from lazy_dataclasses import dataclass

# What an account weighs of which nobody knows the balance, where nobody's is known.
UNKNOWN_BALANCE = 1_500.0
# Each failure in a row makes an account so much less likely to be chosen.
ERROR_FACTOR = 0.25
# When to look again after a search that had to end before it saw all accounts.
LOOK_AGAIN_SECONDS = 5.0


def is_able(account: Account, request: LeaseRequest) -> bool:
    """Whether the account could serve the request at some time.

    An account of which nobody knows yet whether it is subscribed counts as able: Poe decides, and the store remembers.
    """
    return (
        account.state is AccountState.ACTIVE
        and account.kind in request.kinds
        and not (request.subscribed_only and account.subscribed is False)
    )


def weights(pool: Sequence[Account]) -> list[float]:
    """How likely each account is to be chosen: in proportion to the points it has left, less after failures.

    An account whose balance is unknown weighs as much as the others do on average.
    """
    known = [float(account.points.balance) for account in pool if account.points is not None]
    average = sum(known) / len(known) if known else UNKNOWN_BALANCE
    balances = (average if account.points is None else float(account.points.balance) for account in pool)
    return [
        # Never zero: an account that seems empty may be the only one.
        max(balance, 1.0) * ERROR_FACTOR ** min(account.consecutive_errors, 8)
        for balance, account in zip(balances, pool, strict=True)
    ]


def order(
    candidates: Sequence[Account], request: LeaseRequest, rng: random.Random, *, is_sample: bool = False
) -> Iterator[Account]:
    """The candidates in the order to try them: the sticky one, then kind by kind at random by weight.

    Sorting by `-log(u) / weight`, with `u` uniform, draws without replacement in proportion to the weights (Efraimidis
    and Spirakis, 2006). That is exact for a whole fleet. In a page of a larger one a heavy account competes with its
    own weight, and so would get less than its share over all pages; its weight is corrected for that.
    """
    # The conversation's chat is there.
    yield from (account for account in candidates if account.id == request.sticky_account_id)
    rest = [account for account in candidates if account.id != request.sticky_account_id]
    for kind in request.kinds:
        pool = [account for account in rest if account.kind is kind]
        drawn = weights(pool)
        if is_sample and pool:
            others = sum(drawn) / len(drawn) * (len(drawn) - 1)
            drawn = [weight * (weight + others) for weight in drawn]
        keys = [rng.expovariate(1.0) / weight for weight in drawn]
        yield from (account for _, account in sorted(zip(keys, pool, strict=True), key=lambda pair: pair[0]))


@dataclass(slots=True)
class Refusals:
    """What a search found on the way, for the reason that is given if it finds no account."""

    request: LeaseRequest
    now: float
    has_busy: bool = False
    has_excluded: bool = False
    is_partial: bool = False
    """Whether the search ended before it had seen all accounts."""
    free_at: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By account: when it may be asked, and the code of what it waits for."""

    def admits(self, account: Account) -> bool:
        """Whether the account may be tried now; remembers why not."""
        if not is_able(account, self.request):
            return False
        # It failed this very request, and would most likely do so again.
        if account.id in self.request.exclude:
            self.has_excluded = True
            return False
        limit = account.limit_for(self.request.bot, self.now)
        wait = account.waits_for(self.now)
        facts = [(account.eligible_at, wait.value)] if wait else []
        facts += [(limit.until, limit.code)] if limit else []
        if facts:
            # All of its waits have to be over.
            self.free_at[account.id] = max(facts)
        return not facts

    def error(self, others: Sequence[Account] = ()) -> NoAccountError:
        """Why no account could be leased. `others` are accounts that may not be selected at all, for their states."""
        if self.has_busy:
            return NoAccountError(NoAccountReason.BUSY)
        if self.free_at:
            # The first to be free is what the caller may wait for.
            at, cause = min(self.free_at.values())
            return NoAccountError(self._reason({code for _, code in self.free_at.values()}), at, cause=cause)
        if self.is_partial:
            return NoAccountError(NoAccountReason.COOLING_DOWN, self.now + LOOK_AGAIN_SECONDS)
        if self.has_excluded:
            return NoAccountError(NoAccountReason.COOLING_DOWN)
        states = {account.state for account in others if account.kind in self.request.kinds}
        # Before disabled: it is the one that somebody has to mend.
        if AccountState.LOGGED_OUT in states:
            cause = Wait.CREDENTIALS.value
            return NoAccountError(NoAccountReason.CREDENTIALS_REFUSED, cause=cause)
        if AccountState.DISABLED in states:
            return NoAccountError(NoAccountReason.DISABLED)
        return NoAccountError(NoAccountReason.NONE_CONFIGURED)

    def _reason(self, codes: set[str]) -> NoAccountReason:
        if codes == {INSUFFICIENT_POINTS}:
            return NoAccountReason.NO_POINTS
        if codes == {Wait.CREDENTIALS.value}:
            return NoAccountReason.CREDENTIALS_REFUSED
        is_all = not self.has_excluded and not self.is_partial
        # Only where all were seen: another account may have access.
        if codes == {BOT_ACCESS_DENIED} and is_all:
            return NoAccountReason.BOT_DENIED
        return NoAccountReason.COOLING_DOWN


def why_none(accounts: Sequence[Account], now: float) -> NoAccountError | None:
    """Why none of these accounts could be leased for a model without limits of its own; `None` if one could.

    Whether their slots are taken is not looked at.
    """
    refusals = Refusals(LeaseRequest(owner="", bot="", ttl_seconds=0.0), now)
    # A generator: those before the first that is admitted leave their reasons, and all do where there is none.
    return None if any(refusals.admits(account) for account in accounts) else refusals.error(accounts)
