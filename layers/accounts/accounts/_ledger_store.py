"""The part of the account store that knows what sends and requests were, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from accounts._ledger_model import (
    LedgerEntry,
    RequestCount,
    RequestRecord,
    Selection,
    Settlement,
    SettlementState,
    Sums,
)
from accounts._page import Page


class LedgerStore(Protocol):
    """The ledger and the log of requests; see `AccountStore`."""

    async def list_entries(
        self, selection: Selection, *, limit: int = 50, cursor: str | None = None
    ) -> Page[LedgerEntry]:
        """Ledger entries, newest first. A page may be short and still have a cursor. `ValueError` for a bad cursor."""

    async def get_entry(self, entry_id: str) -> LedgerEntry | None:
        """Raises `ValueError` for what is no id of an entry."""

    async def late_report(self, entry_id: str, points: int) -> bool:
        """Book a cost that the upstream reported after the release; `False` if that changes nothing."""

    async def unsettled(self, account_id: str, *, limit: int = 1000) -> Sequence[LedgerEntry]:
        """The account's entries whose final cost is not known, oldest first."""

    async def settle(self, settlements: Sequence[Settlement]) -> int:
        """Book final costs; what is settled stays. Returns how many entries that changed."""

    async def chats_to_delete(self, *, ended_before: float, limit: int = 500) -> Sequence[LedgerEntry]:
        """Settled entries with a chat whose answer ended before a time, the oldest first."""

    async def put_off_chat(self, entry_id: str, until: float | None) -> None:
        """Let the chat of an entry look as if its answer had ended then; `None` says that it is gone, or never was."""

    async def held_slots(self, account_id: str) -> int:
        """How many sends of the account are under way, or were when their holders were killed."""

    async def settlement_state(self, account_id: str) -> SettlementState: ...

    async def put_settlement_state(self, account_id: str, state: SettlementState) -> SettlementState:
        """The state as it is stored, one version on. Raises `ConflictError` unless the stored one is of its version."""

    async def sums(self, *, since: float, until: float, key_id: str | None = None) -> Sequence[Sums]:
        """What the entries of `[since, until)` add up to, for each hour, key, model and account. Whole hours."""

    async def tally(
        self,
        *,
        since: float,
        until: float,
        by: Sequence[Sequence[str]],
        key_id: str | None = None,
        model: str | None = None,
        account_id: str | None = None,
    ) -> Sequence[Sequence[Sums]]:
        """What the entries of `[since, until)` add up to, in several ways that are read at once. Whole hours.

        `by` has, for each of them, some of `hour`, `key_id`, `model`, `account_id`; the others are empty in its rows.
        The cost grows with the days, not with the entries, as long as the scheduled job runs.
        """

    async def count_requests(
        self,
        *,
        since: float,
        until: float,
        by: Sequence[Sequence[str]],
        key_id: str | None = None,
        model: str | None = None,
        account_id: str | None = None,
        outcome: str | None = None,
    ) -> Sequence[Sequence[RequestCount]]:
        """How many requests of the log ended in `[since, until)`. Whole hours. `outcome` is `ok`, `error`, or a code.

        In several ways that are read at once, as `tally`: each of `by` has some of `hour`, `key_id`, `model`,
        `account_id`, `code` and `first_token_class`.
        """

    async def close_hours(self) -> int:
        """Store the sums of the hours that are over; returns how many of them had entries."""

    async def note_key_uses(self, *, since: float) -> int:
        """Keep, for `key_use`, when keys were last used and answered, for those whose limits do not tell.

        Returns how many were used since.
        """

    async def check_sums(self, *, since: float) -> int:
        """Compare stored sums with the entries and put right what differs; returns how many rows did."""

    async def record_request(self, record: RequestRecord) -> None:
        """Write a request to the log, where no release does."""

    async def list_requests(
        self, selection: Selection, *, limit: int = 50, cursor: str | None = None
    ) -> Page[RequestRecord]:
        """The log of requests, newest first. A page may be short and still have a cursor."""

    async def get_request(self, ref: str) -> RequestRecord | None:
        """The request with this `ref`. Raises `ValueError` for what is no ref."""
