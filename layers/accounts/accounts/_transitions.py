"""How outcomes and readings change an account: pure functions from an account and a fact to the account after it.

Only facts about the account change it. A failure of the request, of one bot or of the network leaves it alone, and no
balance is ever invented: where a reading is needed, one is made due.

Who may be chosen, and when:

    use refused, credentials     → waits shortly, reading due at once ("doubt")
    reading refused as well      → LOGGED_OUT, probed again ever more rarely
    use refused, points          → that bot is not asked again before the next grant, reading due at once
    twice in a row               → waits for the next grant, or for a reading if the grant's time is unknown
    use refused, too fast        → waits as long as Poe says, else ever longer
    reading, few points          → waits for the next grant
    reading, enough points       → at once, unless it waits because it was too fast
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from accounts._model import Account, AccountKind, AccountState, Outcome, Points, Reading

NOT_AUTHENTICATED = "not_authenticated"
INSUFFICIENT_POINTS = "insufficient_points"
RATE_LIMITED = "rate_limited"
BOT_LIMIT_REACHED = "bot_limit_reached"
BOT_ACCESS_DENIED = "bot_access_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Thresholds and waits (seconds), in one place. Those with a history keep the value that served there."""

    depleted_points: int = 20
    """An account with a balance this low is not asked: hardly any bot answers for less."""
    errors_before_cooldown: int = 3
    """Account failures in a row, of no kind we know better, before the account has to wait."""
    cooldown_seconds: float = 120.0
    """First wait; doubles with each further failure in a row."""
    max_cooldown_seconds: float = 3_600.0
    grant_delay_seconds: float = 30.0
    """Nothing is expected earlier than this after a grant's time: clocks differ."""
    grant_jitter_seconds: float = 600.0
    """Accounts that share a grant's time are read over this span after it, not all in the same second."""
    unknown_grant_wait_seconds: float = 21_600.0
    """Wait of an empty account whose next grant is unknown; a reading that finds points ends it earlier."""
    idle_reading_seconds: float = 86_400.0
    """Between readings of an account that nobody uses."""
    used_reading_seconds: float = 1_800.0
    """A use makes a reading due this much later, at the latest."""
    empty_reading_seconds: float = 3_600.0
    """Between readings of an empty account whose next grant is unknown."""
    failed_reading_seconds: float = 300.0
    """Before a reading is tried again that failed for no fault of the account."""
    probe_seconds: float = 3_600.0
    """First wait before a logged-out account is tried again; doubles each time."""
    max_probe_seconds: float = 86_400.0
    bot_limit_seconds: float = 3_600.0
    """How long a bot whose limit an account reached is not asked through it again, if Poe names no time."""
    bot_denied_seconds: float = 21_600.0
    """How long a bot that an account has no access to is not asked through it again."""
    max_bot_limit_seconds: float = 86_400.0
    """No bot is given up on for longer, whatever Poe says: limits are per day."""
    session_data_seconds: float = 86_400.0
    """Derived data older than this is not handed to the next holder."""


DEFAULT_POLICY = Policy()


def apply_outcome(
    account: Account, outcome: Outcome, now: float, *, jitter: float = 0.5, policy: Policy = DEFAULT_POLICY
) -> Account:
    """The account after a use that ended like this. `jitter` in [0, 1) spreads waits. The store counts `version`."""
    used = replace(account, last_used_at=now)
    if account.state is not AccountState.ACTIVE:
        return used
    used = replace(used, refresh_due_at=min(account.refresh_due_at, now + policy.used_reading_seconds))
    if outcome.is_success:
        # Whoever made the account wait did so after this use began: its failure is the younger news.
        is_waiting = account.eligible_at > now
        return used if is_waiting else replace(used, consecutive_errors=0, last_error=None)
    if outcome.scope != "account":
        return used
    return _after_account_error(used, outcome, now, jitter, policy)


def apply_reading(
    account: Account, reading: Reading | Outcome, now: float, *, jitter: float = 0.5, policy: Policy = DEFAULT_POLICY
) -> Account:
    """The account after a reading, or after the failure to read. Sets when the next reading is due."""
    if isinstance(reading, Outcome):
        return _after_failed_reading(account, reading, now, jitter, policy)
    points = account.points
    if reading.balance is not None:
        points = Points(reading.balance, now, reading.allotment, reading.next_grant_at)
    state = AccountState.ACTIVE if account.state is AccountState.LOGGED_OUT else account.state
    read = replace(
        account,
        state=state,
        points=points,
        subscribed=account.subscribed if reading.subscribed is None else reading.subscribed,
    )
    # A balance says nothing about a speed limit: such a wait ends by its own time.
    if not (account.last_error == RATE_LIMITED and account.eligible_at > now):
        read = replace(
            read,
            consecutive_errors=0,
            last_error=None,
            eligible_at=_eligible_after_reading(account, reading, now, jitter, policy),
        )
    return replace(read, refresh_due_at=next_reading_at(read, now, jitter=jitter, policy=policy))


def next_reading_at(account: Account, now: float, *, jitter: float = 0.5, policy: Policy = DEFAULT_POLICY) -> float:
    """When a healthy account should be read next: shortly after its own next grant, and not later than the interval."""
    grant = account.points.next_grant_at if account.points else None
    empty = is_depleted(account, policy)
    interval = policy.empty_reading_seconds if empty and not _is_ahead(grant, now) else policy.idle_reading_seconds
    due = now + interval * (0.9 + 0.2 * jitter)
    if grant is not None and grant > now:
        due = min(due, grant + policy.grant_delay_seconds + policy.grant_jitter_seconds * jitter)
    return due


def bot_limit_until(account: Account, outcome: Outcome, now: float, *, policy: Policy = DEFAULT_POLICY) -> float | None:
    """Until when this account should not be asked for `outcome.bot` again; `None` if the outcome says no such thing.

    Too few points count as well: the balance may still suffice for a cheaper bot.
    """
    if outcome.bot is None or outcome.code not in (BOT_LIMIT_REACHED, BOT_ACCESS_DENIED, INSUFFICIENT_POINTS):
        return None
    wait = policy.bot_denied_seconds if outcome.code == BOT_ACCESS_DENIED else policy.bot_limit_seconds
    grant = account.points.next_grant_at if account.points else None
    if outcome.retry_after_seconds is not None:
        wait = outcome.retry_after_seconds
    elif outcome.code == INSUFFICIENT_POINTS and grant is not None and grant > now:
        wait = grant - now + policy.grant_delay_seconds
    return now + min(wait, policy.max_bot_limit_seconds)


def is_depleted(account: Account, policy: Policy = DEFAULT_POLICY) -> bool:
    """Whether the last reading found too few points. An unknown balance is not an empty one."""
    return account.points is not None and account.points.balance <= policy.depleted_points


def lacks_points(account: Account, policy: Policy = DEFAULT_POLICY) -> bool:
    """Whether it is points that the account waits for, if it waits."""
    return account.last_error == INSUFFICIENT_POINTS or is_depleted(account, policy)


def new_account(account_id: str, kind: AccountKind, label: str, now: float, *, max_concurrency: int) -> Account:
    """An account as it is when it is added: its balance unknown, a reading due at once."""
    return Account(
        id=account_id,
        kind=kind,
        label=label,
        max_concurrency=max_concurrency,
        refresh_due_at=now,
        created_at=now,
        updated_at=now,
        version=1,
        credentials_version=1,
    )


def replace_credentials(
    account: Account, now: float, *, kind: AccountKind, label: str, max_concurrency: int
) -> Account:
    """The account with new credentials: nothing that the old ones brought about counts any more.

    An account that its owner disabled stays disabled.
    """
    state = AccountState.ACTIVE if account.state is AccountState.LOGGED_OUT else account.state
    return replace(
        account,
        kind=kind,
        label=label,
        state=state,
        eligible_at=0.0,
        max_concurrency=max_concurrency,
        credentials_version=account.credentials_version + 1,
        consecutive_errors=0,
        last_error=None,
        refresh_due_at=now,
    )


def change_state(account: Account, state: AccountState, now: float) -> Account:
    """The account enabled, disabled or logged out by hand. Enabling makes a reading due at once."""
    if state is AccountState.ACTIVE and account.state is not AccountState.ACTIVE:
        return replace(account, state=state, eligible_at=0.0, consecutive_errors=0, last_error=None, refresh_due_at=now)
    return replace(account, state=state)


def _after_account_error(account: Account, outcome: Outcome, now: float, jitter: float, policy: Policy) -> Account:
    if account.state is not AccountState.ACTIVE:
        return account
    errors = account.consecutive_errors + 1
    failed = replace(account, consecutive_errors=errors, last_error=outcome.code)
    if outcome.code == NOT_AUTHENTICATED:
        wait, due = policy.cooldown_seconds, now
    elif outcome.code == INSUFFICIENT_POINTS:
        return _after_insufficient_points(account, failed, outcome, now, jitter=jitter, policy=policy)
    elif outcome.code == RATE_LIMITED:
        wait, due = outcome.retry_after_seconds or _growing(errors, jitter, policy), account.refresh_due_at
    elif errors >= policy.errors_before_cooldown:
        wait, due = _growing(errors - policy.errors_before_cooldown + 1, jitter, policy), account.refresh_due_at
    else:
        return failed
    wait = min(wait, policy.max_cooldown_seconds)
    return replace(failed, eligible_at=max(account.eligible_at, now + wait), refresh_due_at=due)


def _after_insufficient_points(
    before: Account, failed: Account, outcome: Outcome, now: float, *, jitter: float, policy: Policy
) -> Account:
    """A reading is due in any case. The first refusal may be the bot's price, a second one in a row is not."""
    due = replace(failed, refresh_due_at=now)
    if outcome.bot is not None and before.last_error != INSUFFICIENT_POINTS and not is_depleted(before, policy):
        return due
    return replace(due, eligible_at=max(before.eligible_at, _points_expected_at(before, now, jitter, policy)))


def _after_failed_reading(account: Account, outcome: Outcome, now: float, jitter: float, policy: Policy) -> Account:
    if outcome.code == NOT_AUTHENTICATED and outcome.scope == "account":
        return _after_refused_reading(account, now, jitter, policy)
    again = now + policy.failed_reading_seconds * (1 + jitter)
    if outcome.scope == "account" and not outcome.is_success:
        failed = _after_account_error(account, outcome, now, jitter, policy)
        again = max(again, failed.eligible_at if outcome.code == RATE_LIMITED else again)
        return replace(failed, refresh_due_at=again)
    return replace(account, refresh_due_at=again)


def _after_refused_reading(account: Account, now: float, jitter: float, policy: Policy) -> Account:
    """One refusal is a doubt, a second one in a row is a fact."""
    errors = account.consecutive_errors + 1
    doubted_before = account.last_error == NOT_AUTHENTICATED or account.state is AccountState.LOGGED_OUT
    failed = replace(account, consecutive_errors=errors, last_error=NOT_AUTHENTICATED)
    if not doubted_before:
        again = now + policy.cooldown_seconds * (0.5 + 0.5 * jitter)
        return replace(
            failed, eligible_at=max(account.eligible_at, now + policy.cooldown_seconds), refresh_due_at=again
        )
    state = AccountState.LOGGED_OUT if account.state is AccountState.ACTIVE else account.state
    wait = min(policy.probe_seconds * 2.0 ** min(max(errors - 2, 0), 16), policy.max_probe_seconds)
    return replace(failed, state=state, refresh_due_at=now + wait * (0.9 + 0.2 * jitter))


def _eligible_after_reading(account: Account, reading: Reading, now: float, jitter: float, policy: Policy) -> float:
    if reading.balance is None:
        # Poe did not say: a wait for points goes on, a doubt about the credentials is over.
        return account.eligible_at if lacks_points(account, policy) else min(account.eligible_at, now)
    if reading.balance > policy.depleted_points:
        return min(account.eligible_at, now)
    read = replace(account, points=Points(reading.balance, now, reading.allotment, reading.next_grant_at))
    return _points_expected_at(read, now, jitter, policy)


def _points_expected_at(account: Account, now: float, jitter: float, policy: Policy) -> float:
    grant = account.points.next_grant_at if account.points else None
    if grant is not None and grant > now:
        return grant + policy.grant_delay_seconds * (1 + jitter)
    return now + policy.unknown_grant_wait_seconds


def _growing(failures: int, jitter: float, policy: Policy) -> float:
    wait = min(policy.cooldown_seconds * 2.0 ** min(max(failures, 1) - 1, 16), policy.max_cooldown_seconds)
    return wait * (0.75 + 0.5 * jitter)


def _is_ahead(grant: float | None, now: float) -> bool:
    return grant is not None and grant > now
