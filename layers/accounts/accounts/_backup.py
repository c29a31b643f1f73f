"""What a backup holds of the store, and how it comes back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Any

from accounts._account_model import Account, AccountState
from accounts._budgets import Windows
from accounts._key_model import ApiKey, KeyUse
from accounts._ledger_model import SettlementState
from accounts._transitions import without_waits
from lazy_dataclasses import dataclass

CREDENTIALS_MISSING = "credentials_missing"
"""The last error of an account that came back without its credentials."""


class Restored(StrEnum):
    """What became of one thing of a backup. Nothing that is there is ever changed."""

    CREATED = "created"
    SAME = "same"
    """It was there already."""
    KEPT = "kept"
    """Something else is in its place, which stays."""
    EXPIRED = "expired"
    """It is too old to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBackup:
    """A key with the hashes of its earlier secrets that still work, and what it has consumed."""

    key: ApiKey
    previous: Mapping[str, float] = field(default_factory=dict, repr=False)
    """Until when each works, by its hash."""
    use: KeyUse


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBackup:
    """An account without its credentials, and how far its points history was read."""

    account: Account
    settlement: SettlementState


def restored_account(account: Account, now: float, *, has_credentials: bool) -> Account:
    """The account as it comes back: no wait of before counts, and a reading is due."""
    back = replace(without_waits(account, now), updated_at=now, version=1, credentials_version=1)
    if has_credentials:
        # Whether they are still good, its first reading tells.
        # What its owner switched off stays off.
        state = AccountState.DISABLED if account.state is AccountState.DISABLED else AccountState.ACTIVE
        return replace(back, state=state)
    return replace(back, state=AccountState.LOGGED_OUT, last_error=CREDENTIALS_MISSING)


def counters_of(use: KeyUse) -> dict[str, Any]:
    """The counters of a key's limits, as its item has them. Reservations under way count as consumed."""
    windows = Windows(use.at).names
    counted = {
        "pd": use.points_today,
        "pm": use.points_this_month,
        "td": use.tokens_today,
        "tm": use.tokens_this_month,
    }
    counters: dict[str, Any] = {windows[name]: count for name, count in counted.items() if count}
    times = {"used_at": use.last_used_at, "succeeded_at": use.last_success_at}
    return counters | {name: at for name, at in times.items() if at is not None}
