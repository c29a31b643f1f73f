"""Ledger entries and logged requests as plain values. `None` means unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import NamedTuple

from accounts._account_model import AccountKind
from lazy_dataclasses import dataclass


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
        # From what Poe's books say down to what was only guessed.
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
    balance: int | None = None
    """The balance from which on sends are open, where the history can't be read (web)."""
    balance_at: float = 0.0
    grant_at: float | None = None
    """When the next grant was due by that reading."""
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

    @property
    def ref(self) -> str:
        """Where it is in the log: its time, in milliseconds, and its id. Its characters mean nothing in an address."""
        return f"{round(self.at * 1000):014d}~{self.request_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCount:
    """How many requests there were of a kind. Names that were not asked for are empty."""

    requests: int
    hour: int = 0
    """Epoch seconds of its beginning."""
    key_id: str = ""
    model: str = ""
    account_id: str | None = None
    code: str | None = None
    """`None` for those that were answered."""
    first_token_class: int | None = None
    """How long the first token of an answer took; see `first_token_percentile`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entries or requests to list. `since` and `until` are epoch seconds, `until` exclusive."""

    since: float
    until: float
    key_id: str | None = None
    model: str | None = None
    account_id: str | None = None
    outcome: str | None = None
    """Of an entry: its outcome. Of a request: its code, `ok`, or `error` for any code."""


class Sums(NamedTuple):
    """What entries add up to, for one hour, key, model and account. A tuple, because pages make thousands of them."""

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

    @property
    def names(self) -> tuple[str, str, str]:
        """Key, model and account."""
        return self[1:4]

    @property
    def counts(self) -> tuple[int, ...]:
        """What was counted, in the order of the fields."""
        return self[4:]
