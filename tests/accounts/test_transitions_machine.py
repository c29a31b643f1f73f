"""Whatever happens to an account, it is asked again in time, never too early, and every refusal names its reason.

Poe's side is played by the machine: whether it would serve, until when it said to wait, and what the balance is.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from accounts import AccountKind, AccountState, BalanceReading, LeaseRequest, NoAccountReason, Outcome, Policy
from accounts._selection import Refusals
from accounts._transitions import (
    apply_outcome,
    apply_reading,
    change_state,
    new_account,
    replace_credentials,
)

POLICY = Policy()
START = 1_800_000_000.0
BOTS = ("cheap", "dear")
PRICES = {"cheap": 10, "dear": 1_000}
# How long after the last refusal an account may go unasked although Poe would serve it.
BOUND_SECONDS = POLICY.max_retry_after_seconds + POLICY.grant_delay_seconds * 2
# How long after points are back, where readings succeed: one reading of an empty account, with its spread.
POINTS_BOUND_SECONDS = POLICY.empty_reading_seconds * 1.1 + POLICY.failed_reading_seconds * 2


class AccountMachine(RuleBasedStateMachine):
    """One account, used, read and looked after."""

    @initialize(balance=st.integers(0, 5_000))
    def begin(self, balance: int) -> None:
        self.now = START
        self.account = new_account("a", AccountKind.OFFICIAL, "l", self.now, max_concurrency=2)
        self.balance = balance
        self.grant_at: float | None = None
        self.retry_after_until = 0.0
        self.is_valid = True
        self.last_refusal = self.now
        self.owner_acted = False

    # What time and people do.

    @rule(seconds=st.floats(1, 200_000))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(points=st.integers(1, 100_000))
    def points_are_bought(self, points: int) -> None:
        self.balance += points

    @rule(points=st.integers(0, 100_000))
    def points_are_spent_elsewhere(self, points: int) -> None:
        self.balance = max(0, self.balance - points)

    @rule(seconds=st.floats(60, 3_000_000))
    def a_grant_is_due(self, seconds: float) -> None:
        self.grant_at = self.now + seconds

    @rule()
    def the_key_is_revoked(self) -> None:
        self.is_valid = False

    @rule()
    def new_credentials(self) -> None:
        self.is_valid = True
        self.account = replace_credentials(
            self.account, self.now, kind=self.account.kind, label="l", max_concurrency=None
        )
        self.retry_after_until = 0.0

    @rule()
    def the_owner_enables(self) -> None:
        self.account = change_state(self.account, AccountState.ACTIVE, self.now)
        assert self.account.eligible_at <= self.now
        self.retry_after_until = 0.0

    @rule()
    def the_owner_disables(self) -> None:
        self.account = change_state(self.account, AccountState.DISABLED, self.now)

    @rule(jitter=st.floats(0, 0.99))
    def the_owner_refreshes(self, jitter: float) -> None:
        self._read(jitter, is_by_owner=True)
        if self.is_valid:
            self.retry_after_until = 0.0
            assert self.account.bot_limits == {}

    # What Poe does.

    @rule(bot=st.sampled_from(BOTS), wait=st.none() | st.floats(0.1, 200_000), jitter=st.floats(0, 0.99))
    def a_use_is_too_fast(self, bot: str, wait: float | None, jitter: float) -> None:
        if self._is_asked(bot):
            self._refused(Outcome(code="rate_limited", bot=bot, retry_after_seconds=wait), jitter)
            self.retry_after_until = max(
                self.retry_after_until, self.now + min(wait or 0.0, POLICY.max_retry_after_seconds)
            )

    @rule(bot=st.sampled_from(BOTS), jitter=st.floats(0, 0.99))
    def a_use(self, bot: str, jitter: float) -> None:
        if not self._is_asked(bot):
            return
        if not self.is_valid:
            self._refused(Outcome(code="not_authenticated", bot=bot), jitter)
        elif self.balance < PRICES[bot]:
            self._refused(Outcome(code="insufficient_points", bot=bot), jitter)
        else:
            self.balance -= PRICES[bot]
            self.account = apply_outcome(self.account, Outcome(bot=bot), self.now, jitter=jitter)

    @rule(bot=st.sampled_from(BOTS), code=st.sampled_from(["bot_limit_reached", "bot_access_denied"]))
    def a_bot_is_refused(self, bot: str, code: str) -> None:
        if self._is_asked(bot):
            self._refused(Outcome(code=code, scope="bot", bot=bot), 0.5)

    @rule(bot=st.sampled_from(BOTS), jitter=st.floats(0, 0.99))
    def a_use_fails_oddly(self, bot: str, jitter: float) -> None:
        if self._is_asked(bot):
            self._refused(Outcome(code="odd", bot=bot), jitter)

    @rule(code=st.sampled_from(["timeout", "connection_failed"]))
    def a_use_is_lost(self, code: str) -> None:
        if self._is_asked("cheap"):
            before = self.account
            self.account = apply_outcome(before, Outcome(code=code, scope="network", bot="cheap"), self.now)
            assert self.account.eligible_at == before.eligible_at, "the way to Poe is no account's fault"

    # The scheduled job.

    @rule(jitter=st.floats(0, 0.99))
    def a_due_reading(self, jitter: float) -> None:
        if self.account.state is not AccountState.DISABLED:
            self.now = max(self.now, self.account.refresh_due_at)
            self._read(jitter, is_by_owner=False)

    @rule(wait=st.none() | st.floats(0.1, 100_000), jitter=st.floats(0, 0.99))
    def a_reading_is_too_fast(self, wait: float | None, jitter: float) -> None:
        outcome = Outcome(code="rate_limited", retry_after_seconds=wait)
        before = self.account
        self.account = apply_reading(before, outcome, self.now, jitter=jitter)
        self.retry_after_until = max(
            self.retry_after_until, self.now + min(wait or 0.0, POLICY.max_retry_after_seconds)
        )
        self.last_refusal = self.now
        longest = max(min(wait or 0.0, POLICY.max_retry_after_seconds), POLICY.failed_reading_seconds * 2)
        assert self.account.refresh_due_at <= self.now + longest, "a short wait delays no reading for long"

    @rule()
    def a_reading_is_lost(self) -> None:
        outcome = Outcome(code="timeout", scope="network")
        self.account = apply_reading(self.account, outcome, self.now)

    def _read(self, jitter: float, *, is_by_owner: bool) -> None:
        if not self.is_valid:
            outcome = Outcome(code="not_authenticated")
            self.account = apply_reading(self.account, outcome, self.now, jitter=jitter, is_by_owner=is_by_owner)
            self.last_refusal = self.now
            return
        grant = self.grant_at if self.grant_at is not None and self.grant_at > self.now else None
        known = self.account.points.balance if self.account.points else None
        reading = BalanceReading(self.balance, next_grant_at=grant)
        self.account = apply_reading(self.account, reading, self.now, jitter=jitter, is_by_owner=is_by_owner)
        assert self.account.state is not AccountState.LOGGED_OUT
        assert self.account.credentials_until == 0.0
        if self.balance <= POLICY.depleted_points:
            self.last_refusal = self.now
        if self.balance > POLICY.depleted_points:
            assert self.account.points_until == 0.0, "points end the wait for points"
        if known is not None and self.balance > known:
            codes = {limit.code for limit in self.account.bot_limits.values() if limit.until > self.now}
            assert "insufficient_points" not in codes, "more points than before lift every limit for points"

    def _is_asked(self, bot: str) -> bool:
        """Whether the pool would choose the account for the bot now."""
        is_asked = Refusals(self._request(bot), self.now).admits(self.account)
        if is_asked:
            assert self.now >= self.retry_after_until, "Poe said to wait"
        return is_asked

    def _refused(self, outcome: Outcome, jitter: float) -> None:
        self.account = apply_outcome(self.account, outcome, self.now, jitter=jitter)
        self.last_refusal = self.now

    def _request(self, bot: str) -> LeaseRequest:
        return LeaseRequest(owner="o", bot=bot, ttl_seconds=60)

    # What is always true.

    @invariant()
    def nobody_is_forgotten(self) -> None:
        account = self.account
        if account.state is AccountState.ACTIVE:
            free_at = max([account.eligible_at, *(limit.until for limit in account.bot_limits.values())])
            assert free_at <= self.last_refusal + BOUND_SECONDS
        if account.state is not AccountState.DISABLED:
            assert account.refresh_due_at <= self.now + POLICY.max_probe_seconds * 1.1, "a reading comes in any case"

    @invariant()
    def an_empty_account_is_read_often(self) -> None:
        account = self.account
        if account.state is AccountState.ACTIVE and account.points_until > self.now and account.doubts == 0:
            told = max(self.retry_after_until - self.now, 0.0)
            assert account.refresh_due_at <= self.now + POINTS_BOUND_SECONDS + told

    @invariant()
    def every_refusal_names_its_true_reason(self) -> None:
        for bot in BOTS:
            refusals = Refusals(self._request(bot), self.now)
            if refusals.admits(self.account):
                continue
            error = refusals.error([self.account])
            assert error.reason is not NoAccountReason.BUSY, "no slot is taken"
            if self.account.state is AccountState.LOGGED_OUT:
                assert error.reason is NoAccountReason.CREDENTIALS_REFUSED
            elif self.account.state is AccountState.DISABLED:
                assert error.reason is NoAccountReason.DISABLED
            else:
                assert error.retry_at is not None
                assert error.retry_at > self.now
                later = Refusals(self._request(bot), error.retry_at)
                assert later.admits(self.account), "at the time that is named the account may be asked"


AccountMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAccountMachine = AccountMachine.TestCase
