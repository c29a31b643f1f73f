"""Accounts as plain values: state, balance, waits. Times are epoch seconds; `None` is unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTraits:
    """What the API of a kind of account can do: all that decisions about a request depend on."""

    is_native: bool
    """Whether turns, tools, formats and limits are sent as they are. Otherwise a request is one message of text, which
    tells the rest in words."""
    ignores_unknown_parameters: bool
    """Whether a parameter that a model does not declare has no effect. Otherwise the request is refused."""
    keeps_chats: bool
    """Whether an answer belongs to a chat that a later request can continue."""
    reports_charges: bool
    """Whether the cost that comes with an answer is what Poe charged. Otherwise it may differ from the history."""
    has_video_jobs: bool
    lists_bots: bool
    """Whether its client lists bots, so that the list of models can be completed from it."""
    has_run_time_settings: bool
    """Whether its client is configured by a document that may change at run time."""


class AccountKind(StrEnum):
    """Which of Poe's APIs the account's credentials open. The first one is preferred."""

    OFFICIAL = "official"
    """An API key of the documented API."""
    WEB = "web"
    """Browser cookies, for the unofficial web API."""

    @property
    def traits(self) -> KindTraits:
        return _TRAITS[self]


_TRAITS = {
    AccountKind.OFFICIAL: KindTraits(
        is_native=True,
        ignores_unknown_parameters=False,
        keeps_chats=False,
        reports_charges=False,
        has_video_jobs=True,
        lists_bots=False,
        has_run_time_settings=False,
    ),
    AccountKind.WEB: KindTraits(
        is_native=False,
        ignores_unknown_parameters=True,
        keeps_chats=True,
        reports_charges=True,
        has_video_jobs=False,
        lists_bots=True,
        has_run_time_settings=True,
    ),
}


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
    usd_per_point: float | None = None
    """What a point is worth, by the last reading that told the balance in dollars as well."""
    addon: int | None = None
    """How many of them were bought besides the plan; `None` where Poe does not say."""


class Wait(StrEnum):
    """What an account waits for. Each wait has a time of its own; the account may be asked when all are over."""

    SPEED = "rate_limited"
    """Poe asked to slow down."""
    POINTS = "insufficient_points"
    """The balance is too low."""
    CREDENTIALS = "not_authenticated"
    """The credentials were refused once, and a reading has yet to confirm or disprove that."""
    ERRORS = "errors"
    """Several failures in a row, of no kind we know better."""


@dataclass(frozen=True, slots=True)
class BotLimit:
    """An account is not asked for one bot before `until`; `code` says why.

    `balance` is the lowest balance known since the refusal: a higher one lifts a limit for missing points.
    """

    until: float
    code: str
    balance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One Poe account, without its credentials."""

    id: str
    kind: AccountKind
    label: str
    """What the owner calls it (an e-mail address, usually): shown to the admin only."""
    state: AccountState = AccountState.ACTIVE
    speed_until: float = 0.0
    points_until: float = 0.0
    credentials_until: float = 0.0
    errors_until: float = 0.0
    bot_limits: Mapping[str, BotLimit] = field(default_factory=dict)
    """By bot, lower case. Expired ones go with the next change."""
    points: Points | None = None
    subscribed: bool | None = None
    max_concurrency: int = 2
    """How many requests may use the account at once, i.e. how many slot items it has."""
    consecutive_errors: int = 0
    doubts: int = 0
    """How often in a row the credentials were refused, by uses and readings."""
    last_error: str | None = None
    """Code of the last failure that concerned the account; cleared by what disproves it."""
    last_used_at: float | None = None
    refresh_due_at: float = 0.0
    created_at: float = 0.0
    updated_at: float = 0.0
    version: int = 0
    """Grows with every change of the account's state; a writer that read an older one loses and reads again."""
    credentials_version: int = 0
    """Grows when the credentials are replaced: what happened to the old ones says nothing about the new ones."""

    @property
    def eligible_at(self) -> float:
        """The earliest moment at which every wait is over; 0 if there never was one."""
        return max(self.speed_until, self.points_until, self.credentials_until, self.errors_until)

    def waits_for(self, now: float) -> Wait | None:
        """The wait that ends last, if one is not over."""
        times = {
            Wait.SPEED: self.speed_until,
            Wait.POINTS: self.points_until,
            Wait.CREDENTIALS: self.credentials_until,
            Wait.ERRORS: self.errors_until,
        }
        # The one that ends last decides when the account can be asked.
        last = max(times, key=lambda wait: times[wait])
        return last if times[last] > now else None

    def limit_for(self, bot: str, now: float) -> BotLimit | None:
        """The limit that keeps the account from being asked for the bot, if there is one."""
        # Poe takes names in any case.
        limit = self.bot_limits.get(bot.lower())
        return limit if limit is not None and limit.until > now else None


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
class BalanceReading:
    """A balance just read from Poe. `balance` is `None` when Poe did not say."""

    balance: int | None
    subscribed: bool | None = None
    allotment: int | None = None
    next_grant_at: float | None = None
    usd_per_point: float | None = None
    addon: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBalance:
    """The last balance that was read on a UTC day."""

    day: str
    read_at: float
    balance: int
    addon: int | None = None
    """How many of these were bought; `None` where Poe did not say."""
    rose_at: float | None = None
    """When the balance was last found to be higher than before: points were granted or bought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to read an account's balance, with what that takes. It expires by itself."""

    account: Account
    credentials: Mapping[str, str] = field(repr=False)
    session_data: Mapping[str, Any] | None = field(default=None, repr=False)
