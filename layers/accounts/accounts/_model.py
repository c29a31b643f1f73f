"""What the store keeps, as plain values. Times are epoch seconds; `None` means unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Literal, TypedDict, TypeVar

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
    usd_per_point: float | None = None
    """What a point is worth, by the last reading that told the balance in dollars as well."""


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
        last = max(times, key=lambda wait: times[wait])
        return last if times[last] > now else None

    def limit_for(self, bot: str, now: float) -> BotLimit | None:
        """The limit that keeps the account from being asked for the bot, if there is one."""
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
class Reading:
    """A balance just read from Poe. `balance` is `None` when Poe did not say."""

    balance: int | None
    subscribed: bool | None = None
    allotment: int | None = None
    next_grant_at: float | None = None
    usd_per_point: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What is reserved for one send, until it is released: points and tokens in the windows of a UTC day."""

    points: int
    tokens: int
    day: str
    """`YYYYMMDD`."""
    is_running: bool
    """Whether it counts as a concurrent request."""


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
    kinds: Sequence[AccountKind] = (AccountKind.OFFICIAL, AccountKind.WEB)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to read an account's balance, with what that takes. It expires by itself."""

    account: Account
    credentials: Mapping[str, str] = field(repr=False)
    session_data: Mapping[str, Any] | None = field(default=None, repr=False)


class SettledBy(StrEnum):
    """How it is known what a send cost in the end."""

    HISTORY = "history"
    """From Poe's points history."""
    REPORTED = "reported"
    """From the cost that Poe reported with the answer."""
    REFUSED = "refused"
    """Poe refused the send before it took it, and charged nothing."""
    BALANCE = "balance"
    """From the difference of two balances."""
    NONE = "none"
    """Nothing was found within a day, and nothing will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRecord:
    """What a lease's holder knows of its send at the end. `None` means unknown, never zero."""

    ended_at: float | None = None
    first_token_at: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    is_estimated: bool = True
    """Whether the tokens are estimates."""
    points: int | None = None
    """The cost as the upstream reported it."""
    is_refused: bool = False
    """Whether the upstream said no before it took the message, and charged nothing."""
    chat_id: int | None = None
    """The chat that was begun for it at the upstream, and that is there until it is deleted."""
    conversation: str | None = None
    """The name of the stored conversation that may go on in this chat: while one does, the chat is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One send to Poe and its cost: points are four separate facts."""

    id: str
    account_id: str
    kind: AccountKind
    key_id: str
    model: str
    surface: str
    request_id: str
    attempt: int
    started_at: float
    ended_at: float | None = None
    first_token_at: float | None = None
    outcome: str = "lost"
    """`ok`, the code of a failure, `cancelled`, or `lost`: the holder was killed, and nobody knows how it ended."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    is_estimated: bool = True
    estimate: int | None = None
    reported: int | None = None
    settled: int | None = None
    settled_by: SettledBy | None = None
    """`None` while it is not settled."""
    budgeted: int | None = None
    """Points that the key's budget counts for this entry; `None` if the key has none."""
    chat_id: int | None = None
    """The chat that was begun for the send."""
    conversation: str | None = None
    """The stored conversation that may go on in it."""
    chat_due_at: float | None = None
    """From when on the chat is looked at for deletion, as old as the answer; `None` if there is nothing to delete."""

    @property
    def points(self) -> int | None:
        """The best that is known of the cost."""
        return next((p for p in (self.settled, self.reported, self.estimate) if p is not None), None)

    @property
    def is_error(self) -> bool:
        return self.outcome != "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What one entry cost, and how that is known. `points` is `None` where it stays unknown."""

    entry_id: str
    points: int | None
    by: SettledBy


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementState:
    """How far the history of an account has been read, and what of it was not ours."""

    read_until: float = 0.0
    """Everything older was looked at for the last time."""
    key_name: str | None = None
    """The name of our key in the account's history, once known."""
    claimed: Mapping[str, float] = field(default_factory=dict)
    """History entries that were matched, with their times: never matched again. Older than `read_until` are dropped."""
    explained: Mapping[str, float] = field(default_factory=dict)
    """Sends whose cost was known already and that had their entry in the history, with their times."""
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """Points that others spent, by UTC day."""
    pending: Mapping[str, int] = field(default_factory=dict)
    """Costs to book, by entry: written with the claims of the history entries that pay for them, before they are
    booked, so that a run that is killed in between books them when it is repeated, and pays for nothing else."""
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request of a caller, for the log that an owner reads. No prompt, no answer."""

    request_id: str
    at: float
    key_id: str
    model: str
    surface: str
    status: int
    code: str | None = None
    cause: str | None = None
    account_id: str | None = None
    attempts: int = 0
    first_token_seconds: float | None = None
    total_seconds: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    points: int | None = None
    points_estimated: bool = False
    is_estimated: bool = True
    """Whether the tokens are estimates."""
    ttl_seconds: float = 30 * 86_400.0
    """How long it is kept; 0 keeps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change that somebody made by the administration. Names of fields, never their values."""

    at: float
    actor_id: str | None
    """The id of the key; `None` for the admin key of the deployment."""
    actor: str
    """The name of the key at that time."""
    action: str
    """What was done, such as `create_key`."""
    target: str | None
    """The id of what was changed."""
    status: int
    """The HTTP status of the answer."""
    code: str | None = None
    """The code of the error, where nothing came of it."""
    fields: tuple[str, ...] = ()
    address: str | None = None
    """Where the request came from."""
    request_id: str = ""
    id: str = ""
    """Given by the store; ids sort by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entries or requests to list. `since` and `until` are epoch seconds, `until` exclusive."""

    since: float
    until: float
    key_id: str | None = None
    model: str | None = None
    account_id: str | None = None
    outcome: str | None = None
    """Of an entry: its outcome. Of a request: its code, or `ok`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What entries add up to, for one hour, key, model and account."""

    hour: int
    """Epoch seconds of its beginning."""
    key_id: str
    model: str
    account_id: str
    sends: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    settled: int = 0
    """Points of settled entries."""
    estimated: int = 0
    """Points of entries that are not settled, as reported or estimated."""
    unknown: int = 0
    """Entries of which no points are known."""
    unattributed: int = 0
    """Entries for which no cost was found within a day."""

    @property
    def points(self) -> int:
        return self.settled + self.estimated


class KeyRole(StrEnum):
    """What a key may do. A key has exactly one role."""

    ADMIN = "admin"
    VIEWER = "viewer"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that callers of the gateway use. The secret itself is shown once and stored only as a hash."""

    id: str
    """Safe to show and to log. Stays the same when the secret is rotated."""
    name: str
    hash: str = field(repr=False)
    role: KeyRole = KeyRole.CLIENT
    enabled: bool = True
    models: tuple[str, ...] = ()
    """Models the key may use (lower case, `*` as a wildcard at the end); empty for all."""
    routes: tuple[str, ...] = ()
    """Paths the key may call (`*` as a wildcard at the end); empty for all."""
    ip_ranges: tuple[str, ...] = ()
    """Networks, in CIDR notation, from which the key may call; empty for all."""
    requests_per_minute: int | None = None
    max_concurrent: int | None = None
    points_per_day: int | None = None
    points_per_month: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    expires_at: float | None = None
    secret_expires_at: float | None = None
    """Until when the secret that found this key works, after a rotation."""
    created_at: float = 0.0
    version: int = 1
    """Grows with every change."""

    @property
    def has_budget(self) -> bool:
        """Whether points or tokens are limited."""
        limits = (self.points_per_day, self.points_per_month, self.tokens_per_day, self.tokens_per_month)
        return any(limit is not None for limit in limits)

    @property
    def is_limited(self) -> bool:
        return self.has_budget or self.requests_per_minute is not None or self.max_concurrent is not None


LimitName = Literal["rate", "budget", "tokens", "concurrency"]


class OverLimit(float):
    """Seconds to wait, with the limit that was reached."""

    limit: LimitName

    def __new__(cls, seconds: float, limit: LimitName) -> OverLimit:
        value = super().__new__(cls, seconds)
        value.limit = limit
        return value


class KeySettings(TypedDict, total=False):
    """What of a key its owner chooses; see `ApiKey`."""

    name: str
    role: KeyRole
    enabled: bool
    models: Sequence[str]
    routes: Sequence[str]
    ip_ranges: Sequence[str]
    requests_per_minute: int | None
    max_concurrent: int | None
    points_per_day: int | None
    points_per_month: int | None
    tokens_per_day: int | None
    tokens_per_month: int | None
    expires_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What requests are about to consume, each under the name of its lease's owner. All are reserved, or none."""

    owners: Sequence[str]
    """One name per send, at most 100."""
    requests: int = 0
    """How many count against the rate."""
    points: int = 0
    """Per owner."""
    tokens: int = 0
    """Per owner."""
    is_running: bool = True
    """Whether each counts as a concurrent request until it is released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What a key has consumed, reservations included, in the windows of `at`."""

    at: float
    requests_this_minute: int = 0
    running: int = 0
    points_today: int = 0
    points_this_month: int = 0
    tokens_today: int = 0
    tokens_this_month: int = 0
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What came of a reservation."""

    over: OverLimit | None
    """The limit that was reached, with the seconds to wait; then nothing was reserved."""
    use: KeyUse
    reserved: Reserved | None = None
    """What is reserved under each owner; `None` for a key without a budget or a limit of concurrent requests."""


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
