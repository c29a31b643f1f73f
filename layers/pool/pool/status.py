"""The status of an account: one word for administration, scheduled job and selection. Pure."""

from __future__ import annotations

from enum import StrEnum

from accounts import Account, AccountState, lacks_points


class AccountStatus(StrEnum):
    """What an account's owner is told of it. The words are the original gateway's."""

    ACTIVE = "active"
    """May be chosen now."""
    COOLDOWN = "cooldown"
    """Waits, for another reason than points."""
    DEPLETED = "depleted"
    """Waits for points."""
    INVALID = "invalid"
    """Its credentials were refused."""
    DISABLED = "disabled"
    """Switched off by its owner."""


ALIASES = {"logged_out": AccountStatus.INVALID}
"""Other words that callers may use."""


def status_of(account: Account, now: float) -> AccountStatus:
    """The status at `now`, in epoch seconds."""
    # The state first: an account that is switched off may have waits of before.
    if account.state is AccountState.DISABLED:
        return AccountStatus.DISABLED
    if account.state is AccountState.LOGGED_OUT:
        return AccountStatus.INVALID
    if account.eligible_at <= now:
        return AccountStatus.ACTIVE
    # By the wait that ends last, which decides when it serves again.
    return AccountStatus.DEPLETED if lacks_points(account, now) else AccountStatus.COOLDOWN


def parse_status(word: str) -> AccountStatus:
    """The status that a caller names, an alias included. Raises `ValueError`."""
    return ALIASES.get(word) or AccountStatus(word)
