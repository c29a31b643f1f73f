"""Leases as plain values: what a caller needs an account for, and the right to use one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from accounts._account_model import Account, AccountKind
from accounts._key_model import Reserved
from lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Intention:
    """What a lease is about to spend, and for whom: the beginning of a ledger entry."""

    key_id: str
    model: str
    surface: str = ""
    """Which of the gateway's APIs was called: `chat`, `responses` and so on."""
    request_id: str = ""
    attempt: int = 1
    """The number of this send among those of its request."""
    estimate: int | None = None
    """Points that it will probably cost; `None` if nobody can tell."""
    usd: float | None = None
    """Dollars that it will probably cost, by the list of models: an account that tells what its points are worth
    makes them the estimate, instead of the given one."""
    reserved: Reserved | None = None
    """What `reserve_budget` reserved under the lease's owner; `None` for a key without limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """What a caller needs an account for."""

    owner: str
    """Who holds the lease: a random name of this one attempt. Only the owner can release it."""
    bot: str
    """The model, lower case: accounts that recently hit their limit for it are passed over."""
    ttl_seconds: float
    """After this a lease frees itself: the holder was killed."""
    kinds: Sequence[AccountKind] = tuple(AccountKind)
    """Acceptable kinds, best first."""
    sticky_account_id: str | None = None
    """Take this account if it can be had; otherwise any other."""
    exclude: frozenset[str] = frozenset()
    """Accounts that already failed for this request."""
    subscribed_only: bool = False
    intention: Intention | None = None
    """Begins a ledger entry. Without one the lease spends nothing, and leaves no entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to use one slot of an account until `expires_at`."""

    account: Account
    slot: int
    owner: str
    expires_at: float
    credentials: Mapping[str, str] = field(repr=False)
    session_data: Mapping[str, Any] | None = field(default=None, repr=False)
    """Derived data that an earlier holder left for this account (form key, channel), if still fresh."""
    started_at: float = 0.0
    intention: Intention | None = None

    @property
    def entry_id(self) -> str:
        """The id of the ledger entry that this lease has or will have."""
        return entry_id(self.started_at, self.owner)


def entry_id(started_at: float, owner: str) -> str:
    """Names a ledger entry; ids sort by the time at which the lease began."""
    return f"{round(started_at * 1000):014d}#{owner}"
