"""How outcomes and readings change an account: pure functions from an account and a fact to the account after it.

Only facts about the account change it. A failure of the request, of one bot or of the network leaves it alone, and no
balance is ever invented: where a reading is needed, one is made due.

An account may be asked when all of its waits are over. Each has its own time and ends by what disproves it:

    wait          begins with                              ends early with
    speed         a refusal as too fast; Poe's time counts an action of the owner
    points        a balance read as too low, or refusals   a reading with enough points
                  by two bots
    credentials   a use or a reading refused; a reading    a successful reading
                  that confirms it: LOGGED_OUT, probed
    errors        several failures in a row                an action of the owner

A limit for one bot is kept with the account and ends by its time, by an action of the owner, and, where points were
missing, by a reading with a higher balance. No wait is longer than a day, so an account that Poe would serve is asked
again within a day of the last refusal even if no reading ever succeeds; with readings, an account whose points are
back is found within `empty_reading_seconds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from accounts._account_model import Account, AccountKind, AccountState, BalanceReading, BotLimit, Outcome, Points, Wait
from lazy_dataclasses import dataclass

NOT_AUTHENTICATED = "not_authenticated"
INSUFFICIENT_POINTS = "insufficient_points"
RATE_LIMITED = "rate_limited"
BOT_LIMIT_REACHED = "bot_limit_reached"
BOT_ACCESS_DENIED = "bot_access_denied"
_LIMITS_A_BOT = frozenset({BOT_LIMIT_REACHED, BOT_ACCESS_DENIED, INSUFFICIENT_POINTS})


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
    """Longest wait that we choose ourselves."""
    max_retry_after_seconds: float = 86_400.0
    """Longest wait at Poe's word, and for points."""
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
    """Between readings of an account that lacks points, for itself or for a bot: they may be bought at any time."""
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
    max_bot_limits: int = 100
    """Limits kept with one account; those that end first make room."""
    session_data_seconds: float = 86_400.0
    """Derived data older than this is not handed to the next holder."""
    clock_tolerance_seconds: float = 300.0
    """A slot is taken from its holder this much after its expiry: their clocks may differ by as much."""


DEFAULT_POLICY = Policy()


def apply_outcome(
    account: Account, outcome: Outcome, now: float, *, jitter: float = 0.5, policy: Policy = DEFAULT_POLICY
) -> Account:
    """The account after a use that ended like this. `jitter` in [0, 1) spreads waits. The store counts `version`."""
    used = replace(account, last_used_at=now)
    # Switched off or signed out meanwhile: the end of an older use changes nothing about that.
    if account.state is not AccountState.ACTIVE:
        return used
    # A use spends points: the balance that is known is out of date soon.
    used = replace(used, refresh_due_at=min(account.refresh_due_at, now + policy.used_reading_seconds))
    if outcome.is_success:
        # Whoever made the account wait did so after this use began: its failure is the younger news.
        is_waiting = account.eligible_at > now
        return used if is_waiting else replace(used, consecutive_errors=0, doubts=0, last_error=None)
    limited = _with_bot_limit(used, outcome, now, policy)
    # A failure of the request, of the bot or of the network is not the account's.
    if outcome.scope != "account":
        return limited
    return _after_account_error(account, limited, outcome, now, jitter=jitter, policy=policy)


def apply_reading(
    account: Account,
    reading: BalanceReading | Outcome,
    now: float,
    *,
    jitter: float = 0.5,
    policy: Policy = DEFAULT_POLICY,
    is_by_owner: bool = False,
) -> Account:
    """The account after a reading, or after the failure to read. Sets when the next reading is due.

    One that its owner asked for, and that succeeded, also ends the waits that a balance does not disprove.
    """
    if isinstance(reading, Outcome):
        return _after_failed_reading(account, reading, now, jitter, policy)
    points = account.points
    if reading.balance is not None:
        # A low balance in dollars is too coarse for a rate: the one before stays.
        rate = reading.usd_per_point or (points.usd_per_point if points else None)
        points = Points(reading.balance, now, reading.allotment, reading.next_grant_at, rate, reading.addon)
    read = replace(
        account,
        # A reading that succeeds disproves that its credentials are refused; disabled stays disabled.
        state=AccountState.ACTIVE if account.state is AccountState.LOGGED_OUT else account.state,
        points=points,
        subscribed=account.subscribed if reading.subscribed is None else reading.subscribed,
        credentials_until=0.0,
        doubts=0,
        bot_limits=_limits_after_reading(account, reading.balance, now),
    )
    if reading.balance is not None:
        is_empty = reading.balance <= policy.depleted_points
        read = replace(read, points_until=_points_expected_at(read, now, jitter, policy) if is_empty else 0.0)
    # Who presses the button wants to know whether it works now.
    if is_by_owner:
        read = replace(read, speed_until=0.0, errors_until=0.0, bot_limits={})
    is_disproved = (
        is_by_owner
        or read.eligible_at <= now
        or account.last_error == NOT_AUTHENTICATED
        or (account.last_error == INSUFFICIENT_POINTS and read.points_until <= now)
    )
    if is_disproved:
        read = replace(read, last_error=None, consecutive_errors=0)
    return replace(read, refresh_due_at=next_reading_at(read, now, jitter=jitter, policy=policy))


def next_reading_at(account: Account, now: float, *, jitter: float = 0.5, policy: Policy = DEFAULT_POLICY) -> float:
    """When a healthy account should be read next: shortly after its own next grant, and not later than the interval."""
    grant = account.points.next_grant_at if account.points else None
    interval = policy.empty_reading_seconds if lacks_any_points(account, now, policy) else policy.idle_reading_seconds
    # Spread, so that accounts that were added together are not read in the same second for ever.
    due = now + interval * (0.9 + 0.2 * jitter)
    if grant is not None and grant > now:
        due = min(due, grant + policy.grant_delay_seconds + policy.grant_jitter_seconds * jitter)
    return due


def is_depleted(account: Account, policy: Policy = DEFAULT_POLICY) -> bool:
    """Whether the last reading found too few points. An unknown balance is not an empty one."""
    return account.points is not None and account.points.balance <= policy.depleted_points


def lacks_points(account: Account, now: float) -> bool:
    """Whether it is points that the account waits for."""
    return account.waits_for(now) is Wait.POINTS


def lacks_any_points(account: Account, now: float, policy: Policy = DEFAULT_POLICY) -> bool:
    """Whether the account has too few points, for itself or for some bot that it was asked for."""
    limits = account.bot_limits.values()
    return is_depleted(account, policy) or any(x.code == INSUFFICIENT_POINTS and x.until > now for x in limits)


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
    account: Account, now: float, *, kind: AccountKind, label: str, max_concurrency: int | None
) -> Account:
    """The account with new credentials: nothing that the old ones brought about counts any more.

    An account that its owner disabled stays disabled. Without `max_concurrency` it keeps what it has.
    """
    state = AccountState.ACTIVE if account.state is AccountState.LOGGED_OUT else account.state
    return replace(
        without_waits(account, now),
        kind=kind,
        label=label,
        state=state,
        max_concurrency=max_concurrency or account.max_concurrency,
        credentials_version=account.credentials_version + 1,
    )


def change_state(account: Account, state: AccountState, now: float) -> Account:
    """The account enabled, disabled or logged out by hand. Enabling ends every wait and makes a reading due."""
    if state is AccountState.ACTIVE:
        return replace(without_waits(account, now), state=state)
    return replace(account, state=state)


def without_waits(account: Account, now: float) -> Account:
    """The account with nothing to wait for and no error behind it; a reading is due."""
    return replace(
        account,
        speed_until=0.0,
        points_until=0.0,
        credentials_until=0.0,
        errors_until=0.0,
        bot_limits={},
        consecutive_errors=0,
        doubts=0,
        last_error=None,
        refresh_due_at=now,
    )


def _after_account_error(
    before: Account, used: Account, outcome: Outcome, now: float, *, jitter: float, policy: Policy
) -> Account:
    errors = before.consecutive_errors + 1
    failed = replace(used, consecutive_errors=errors, last_error=outcome.code)
    match outcome.code:
        case "not_authenticated":
            until = max(before.credentials_until, now + policy.cooldown_seconds)
            # Not signed out yet: one refusal is a doubt, which a reading at once confirms or disproves.
            return replace(failed, credentials_until=until, doubts=before.doubts + 1, refresh_due_at=now)
        case "insufficient_points":
            failed = replace(failed, refresh_due_at=now)
            # One bot may ask for more than is left while others can still be paid.
            if outcome.bot is not None and not is_depleted(before, policy) and not _lacks_for_another(before, outcome):
                return failed
            until = max(before.points_until, _points_expected_at(before, now, jitter, policy))
            return replace(failed, points_until=until)
        case "rate_limited":
            # Poe's own time first.
            wait = _retry_after(outcome, policy) or _growing(errors, jitter, policy)
            return replace(failed, speed_until=max(before.speed_until, now + wait))
    # A single failure of an unknown kind may be anybody's.
    if errors < policy.errors_before_cooldown:
        return failed
    wait = _growing(errors - policy.errors_before_cooldown + 1, jitter, policy)
    return replace(failed, errors_until=max(before.errors_until, now + wait))


def _lacks_for_another(account: Account, outcome: Outcome) -> bool:
    """Whether another bot was refused for missing points as well: then it is not the one bot's price."""
    bot = (outcome.bot or "").lower()
    return any(name != bot and limit.code == INSUFFICIENT_POINTS for name, limit in account.bot_limits.items())


def _with_bot_limit(account: Account, outcome: Outcome, now: float, policy: Policy) -> Account:
    """The account with the limit that the outcome names. Too few points count: a cheaper bot may still be served."""
    if outcome.bot is None or outcome.code not in _LIMITS_A_BOT:
        return account
    grant = account.points.next_grant_at if account.points else None
    wait = policy.bot_denied_seconds if outcome.code == BOT_ACCESS_DENIED else policy.bot_limit_seconds
    if (named := _retry_after(outcome, policy)) is not None:
        wait = named
    elif outcome.code == INSUFFICIENT_POINTS and grant is not None and grant > now:
        wait = min(grant - now + policy.grant_delay_seconds, policy.unknown_grant_wait_seconds)
    balance = account.points.balance if account.points else None
    limits = {bot: limit for bot, limit in account.bot_limits.items() if limit.until > now}
    limits[outcome.bot.lower()] = BotLimit(now + min(wait, policy.max_bot_limit_seconds), outcome.code, balance)
    # Those that end first make room: they are missed least.
    kept = sorted(limits.items(), key=lambda item: item[1].until)[-policy.max_bot_limits :]
    return replace(account, bot_limits=dict(sorted(kept)))


def _limits_after_reading(account: Account, balance: int | None, now: float) -> Mapping[str, BotLimit]:
    limits: dict[str, BotLimit] = {}
    for bot, limit in account.bot_limits.items():
        if limit.until <= now:
            continue
        if limit.code != INSUFFICIENT_POINTS or balance is None:
            limits[bot] = limit
        # The balance has not grown since, so that the bot would be refused again.
        elif limit.balance is not None and balance <= limit.balance:
            limits[bot] = replace(limit, balance=balance)
    return limits


def _after_failed_reading(account: Account, outcome: Outcome, now: float, jitter: float, policy: Policy) -> Account:
    again = now + policy.failed_reading_seconds * (1 + jitter)
    if outcome.scope == "account" and outcome.code == NOT_AUTHENTICATED:
        return _after_refused_reading(account, now, jitter, policy)
    if outcome.scope == "account" and outcome.code == RATE_LIMITED:
        # Poe's word holds for uses as well; a wait that it did not name is none of theirs.
        wait = _retry_after(outcome, policy)
        if wait is None:
            return replace(account, refresh_due_at=again)
        until = max(account.speed_until, now + wait)
        return replace(account, speed_until=until, last_error=RATE_LIMITED, refresh_due_at=max(again, now + wait))
    if outcome.scope == "account" and outcome.code == INSUFFICIENT_POINTS:
        until = max(account.points_until, _points_expected_at(account, now, jitter, policy))
        due = now + policy.empty_reading_seconds * (0.9 + 0.2 * jitter)
        return replace(account, points_until=until, last_error=INSUFFICIENT_POINTS, refresh_due_at=due)
    return replace(account, refresh_due_at=again)


def _after_refused_reading(account: Account, now: float, jitter: float, policy: Policy) -> Account:
    """One refusal is a doubt, a second one in a row is a fact."""
    is_confirmed = account.doubts > 0 or account.state is AccountState.LOGGED_OUT
    doubted = replace(account, doubts=account.doubts + 1, last_error=NOT_AUTHENTICATED)
    if not is_confirmed:
        again = now + policy.cooldown_seconds * (0.5 + 0.5 * jitter)
        until = max(account.credentials_until, now + policy.cooldown_seconds)
        return replace(doubted, credentials_until=until, refresh_due_at=again)
    state = AccountState.LOGGED_OUT if account.state is AccountState.ACTIVE else account.state
    # The exponent is bounded, because doubling for months would overflow.
    wait = min(policy.probe_seconds * 2.0 ** min(max(doubted.doubts - 2, 0), 16), policy.max_probe_seconds)
    return replace(doubted, state=state, refresh_due_at=now + wait * (0.9 + 0.2 * jitter))


def _points_expected_at(account: Account, now: float, jitter: float, policy: Policy) -> float:
    grant = account.points.next_grant_at if account.points else None
    if grant is not None and grant > now:
        # A day at most: the grant's time may be wrong, or points may be bought.
        return min(grant + policy.grant_delay_seconds * (1 + jitter), now + policy.max_retry_after_seconds)
    return now + policy.unknown_grant_wait_seconds


def _retry_after(outcome: Outcome, policy: Policy) -> float | None:
    """How long Poe said to wait, within reason; `None` if it did not say."""
    wait = outcome.retry_after_seconds
    # The header is a stranger's number.
    if wait is None or not math.isfinite(wait) or wait <= 0:
        return None
    return min(wait, policy.max_retry_after_seconds)


def _growing(failures: int, jitter: float, policy: Policy) -> float:
    wait = min(policy.cooldown_seconds * 2.0 ** min(max(failures, 1) - 1, 16), policy.max_cooldown_seconds)
    return min(wait * (0.75 + 0.5 * jitter), policy.max_cooldown_seconds)
