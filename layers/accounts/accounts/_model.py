"""What the store keeps, as plain values. Times are epoch seconds; `None` means unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class AccountKind(StrEnum):
    """Which of Poe's two APIs the account's credentials open."""

    OFFICIAL = "official"
    """An API key of the documented API."""
    WEB = "web"
    """Browser cookies, for the unofficial web API."""


class AccountState(StrEnum):
    """Whether an account may be chosen at all. When, is a matter of `eligible_at`."""

    ACTIVE = "active"
    """May be chosen once `eligible_at` has passed. A cooldown or an empty balance is only a later `eligible_at`."""
    DISABLED = "disabled"
    """Switched off by its owner, until they switch it on again."""
    LOGGED_OUT = "logged_out"
    """Its credentials were refused. New credentials, or a successful scheduled reading, bring it back."""


@dataclass(frozen=True, slots=True)
class Points:
    """A balance as it was read at `read_at`."""

    balance: int
    read_at: float
    allotment: int | None = None
    next_grant_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One Poe account, without its credentials."""

    id: str
    kind: AccountKind
    label: str
    """What the owner calls it (an e-mail address, usually): shown to the admin only."""
    state: AccountState = AccountState.ACTIVE
    eligible_at: float = 0.0
    points: Points | None = None
    subscribed: bool | None = None
    max_concurrency: int = 2
    """How many requests may use the account at once, i.e. how many slot items it has."""
    consecutive_errors: int = 0
    last_error: str | None = None
    """Code of the last failure that concerned the account; cleared by a success."""
    last_used_at: float | None = None
    refresh_due_at: float = 0.0
    created_at: float = 0.0
    updated_at: float = 0.0
    version: int = 0
    """Grows with every change of the account's state; a writer that read an older one loses and reads again."""
    credentials_version: int = 0
    """Grows when the credentials are replaced: what happened to the old ones says nothing about the new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a use of an account ended. `code` and `scope` are values of the Poe client's errors, or `ok`."""

    code: str = "ok"
    scope: str = "account"
    bot: str | None = None
    retry_after_seconds: float | None = None
    points_spent: int | None = None

    @property
    def is_success(self) -> bool:
        return self.code == "ok"


@dataclass(frozen=True, slots=True)
class Reading:
    """A balance just read from Poe. `balance` is `None` when Poe did not say."""

    balance: int | None
    subscribed: bool | None = None
    allotment: int | None = None
    next_grant_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """What a caller needs an account for."""

    owner: str
    """Who holds the lease: the request id. Only the owner can release it."""
    bot: str
    """The model, lower case: accounts that recently hit their limit for it are passed over."""
    ttl_seconds: float
    """After this a lease frees itself: the holder was killed."""
    kinds: Sequence[AccountKind] = (AccountKind.OFFICIAL, AccountKind.WEB)
    """Acceptable kinds, best first."""
    sticky_account_id: str | None = None
    """Take this account if it can be had; otherwise any other."""
    exclude: frozenset[str] = frozenset()
    """Accounts that already failed for this request."""
    subscribed_only: bool = False


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to read an account's balance, with what that takes. It expires by itself."""

    account: Account
    credentials: Mapping[str, str] = field(repr=False)
    session_data: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one request consumed, to be added to the day's aggregates."""

    key_id: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    points: int = 0
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that callers of the gateway use. The secret itself is shown once and stored only as a hash."""

    id: str
    """First characters of the hash: safe to show and to log."""
    name: str
    hash: str = field(repr=False)
    enabled: bool = True
    models: tuple[str, ...] = ()
    """Models the key may use (lower case, `*` as a wildcard at the end); empty for all."""
    requests_per_minute: int | None = None
    points_per_day: int | None = None
    expires_at: float | None = None
    created_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSession:
    """A caller's conversation that continues one Poe chat on one account."""

    key_id: str
    session_id: str
    account_id: str
    model: str
    chat_id: int
    chat_code: str | None
    turns: int
    """How many of the caller's messages the Poe chat already holds."""
    digest: str
    """Hash over those messages: if the caller's history no longer matches, the chat is rebuilt."""
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; `cursor` asks for the next part and is `None` at the end."""

    items: Sequence[T]
    cursor: str | None = None
