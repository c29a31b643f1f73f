"""What an owner is told of: accounts that need them, points that run low, budgets near their end. Pure.

A text says what is the matter and what to do. Labels and names are the owner's own words, made printable; no key, no
cookie and no prompt can be in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from accounts import Account, Alert, ApiKey, KeyRole, KeyUse
from pool.status import AccountStatus, status_of

FEW, NEARLY_NONE = 0.20, 0.05
"""Shares of the grant below which somebody is told."""
NEAR, SPENT = 0.80, 1.00
"""Shares of a budget from which on somebody is told."""
UNREAD_SECONDS = 86_400.0
LATE_SECONDS = 2 * 3_600.0
_MAX_NAME_CHARS = 60


def account_alerts(account: Account, now: float) -> Iterator[Alert]:
    """What is the matter with an account."""
    status, name = status_of(account, now), named(account.label)
    # Its owner has switched it off, and knows.
    if status is AccountStatus.DISABLED:
        return
    if status is AccountStatus.INVALID:
        text = (
            f"Poe refuses the credentials of account {name}. "
            f"Give it new ones: `poegw accounts add {account.kind.value}`, with this label."
        )
        yield _of(account, "account_refused", text)
        return
    points = account.points
    if status is AccountStatus.DEPLETED:
        until = f" until {_time(account.eligible_at)}" if account.eligible_at > now else ""
        yield _of(account, "account_depleted", f"Account {name} has too few points and waits{until}.")
    elif points is not None and points.allotment:
        share = points.balance / points.allotment
        if share < NEARLY_NONE:
            yield _of(account, "points_nearly_gone", _few(name, account, NEARLY_NONE))
        elif share < FEW:
            yield _of(account, "points_low", _few(name, account, FEW))
    if points is not None and account.last_error and now - points.read_at > UNREAD_SECONDS:
        text = (
            f"The points of account {name} could not be read since {_time(points.read_at)} "
            f"({named(account.last_error)}). Try it: `poegw accounts test`."
        )
        yield _of(account, "account_unread", text)


def key_alerts(key: ApiKey, use: KeyUse) -> Iterator[Alert]:
    """Which budgets of a key are nearly, or wholly, spent."""
    if key.role is not KeyRole.CLIENT or not key.enabled:
        return
    day = datetime.fromtimestamp(use.at, UTC)
    for what, limit, used, window in (
        ("points", key.points_per_day, use.points_today, f"{day:%Y-%m-%d}"),
        ("points", key.points_per_month, use.points_this_month, f"{day:%Y-%m}"),
        ("tokens", key.tokens_per_day, use.tokens_today, f"{day:%Y-%m-%d}"),
        ("tokens", key.tokens_per_month, use.tokens_this_month, f"{day:%Y-%m}"),
    ):
        if not limit:
            continue
        period = "day" if len(window) > len("2026-11") else "month"
        kind = "budget_spent" if used >= SPENT * limit else "budget_near" if used >= NEAR * limit else None
        if kind is None:
            continue
        left = "is used up" if kind == "budget_spent" else "is nearly used up"
        text = f"The budget of key {named(key.name)} {left}: {used:,} of {limit:,} {what} this {period} (UTC)."
        # The window is part of the id, so that each day's budget is told anew.
        yield Alert(id=f"{kind}:{what}:{window}:{key.id}", kind=kind, text=text, key_id=key.id)


def no_account_alert() -> Alert:
    """None of the accounts can serve."""
    text = "No account can serve, so every request is refused. `poegw accounts list` says what each waits for."
    return Alert(id="no_account", kind="no_account", text=text)


def late_alert(last_run_at: float, now: float) -> Alert | None:
    """The scheduled job was not run for a while, which somebody should know once it runs again."""
    if now - last_run_at < LATE_SECONDS:
        return None
    text = (
        f"The scheduled job did not run between {_time(last_run_at)} and {_time(now)}: no points were read, no budget "
        "was settled. Look at its schedule: `poegw doctor --aws`."
    )
    return Alert(id=f"job_late:{int(last_run_at)}", kind="job_late", text=text)


def named(text: str) -> str:
    """The owner's word for something, printable and short."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return f"'{shown[:_MAX_NAME_CHARS]}'"


def _few(name: str, account: Account, share: float) -> str:
    points = account.points
    if points is None:  # pragma: no cover - callers have looked
        return ""
    grant = f" The next grant is at {_time(points.next_grant_at)}." if points.next_grant_at else ""
    return (
        f"Account {name} has {points.balance:,} of {points.allotment:,} points left, less than {share:.0%}, "
        f"as read at {_time(points.read_at)}.{grant}"
    )


def _of(account: Account, kind: str, text: str) -> Alert:
    return Alert(id=f"{kind}:{account.id}", kind=kind, text=text, account_id=account.id)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="minutes")
