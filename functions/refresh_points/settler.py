"""Settles what an account's sends cost, against what Poe says it charged.

It runs with a reading of the account, on the same client, while the reading's claim keeps other runs away; a run that
comes all the same loses by the version of the stored state. Nothing here may hurt the reading.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol, cast

from accounts import (
    Account,
    AccountStore,
    AccountStoreError,
    BalanceReading,
    LedgerEntry,
    Selection,
    SettledBy,
    Settlement,
    SettlementState,
)
from refresh_points.balances import MAX_WINDOW_SECONDS, Balance, attribute, ended_at
from refresh_points.matching import GIVE_UP_SECONDS, LONGEST_SEND_SECONDS, SLACK_SECONDS, match
from reverse.chat import PoeClient, PointsSpent
from reverse.errors import ErrorCode, PoeError

# What Poe keeps.
HISTORY_SECONDS = 30 * 86_400.0
# An account that was not used for so long has nothing left to settle.
USED_SECONDS = 3 * 86_400.0
MAX_ITEMS = 5_000
_PAGE = 500


class _HasHistory(Protocol):
    def points_history(self) -> AsyncGenerator[PointsSpent, None]: ...


class Settler:
    """Settles accounts one by one; safe to use for several at once. `note` is told what each send has cost."""

    def __init__(
        self,
        store: AccountStore,
        *,
        wall_clock: Callable[[], float],
        note: Callable[[LedgerEntry, int], None] = lambda *_: None,
    ) -> None:
        self._store = store
        self._note = note
        self._wall_clock = wall_clock
        self.settled = 0
        self.failures: dict[str, int] = {}

    async def settle(self, account: Account, client: PoeClient, reading: BalanceReading) -> None:
        """Settle what can be settled by now. A failure is only counted, by its code.

        `account` is as it was before the `reading`, which is of a moment ago.
        """
        try:
            await self._settle(account, client, reading)
        except PoeError as error:
            self._count(error.code.value)
        except AccountStoreError as error:
            self._count(type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a defect that one account's history brings out
            self._count(f"unexpected_{type(error).__name__}")

    async def _settle(self, account: Account, client: PoeClient, reading: BalanceReading) -> None:
        now = self._wall_clock()
        # Most accounts of a large fleet: this saves them the reads that follow.
        if account.last_used_at is None or now - account.last_used_at > USED_SECONDS:
            return
        unsettled = await self._store.unsettled(account.id)
        if not unsettled:
            return
        state = await self._store.settlement_state(account.id)
        # An earlier run was killed between its two writes: what it matched is booked now.
        if state.pending:
            await self._book(state)
            unsettled = [entry for entry in unsettled if entry.id not in state.pending]
        oldest = min((entry.started_at for entry in unsettled), default=now)
        begin = max(min(state.read_until or oldest, oldest) - SLACK_SECONDS, now - HISTORY_SECONDS)
        try:
            history = await self._history(client, begin)
        except PoeError as error:
            if error.code is not ErrorCode.STALE_OPERATION or not account.kind.traits.reports_charges:
                raise
            # This generation of the web API has no list of what was spent.
            self._count(error.code.value)
            return await self._settle_by_balance(account, reading, state, now)
        sends: Sequence[LedgerEntry] = unsettled
        if account.kind.traits.reports_charges:
            # Here most sends are settled by the cost that came with the answer; the history lists them all the same.
            sends = await self._sends(account.id, begin - LONGEST_SEND_SECONDS, now)
        found = match(sends, history, state, now)
        # What pays for what is written before it is booked: an entry of the history never pays for two sends.
        paid = {s.entry_id: s.points for s in found.settlements if s.points is not None}
        stored = await self._store.put_settlement_state(account.id, replace(found.state, pending=paid))
        self.settled += await self._book(stored)
        for entry in sends:
            if entry.id in paid:
                self._note(entry, paid[entry.id])
        unpaid = [settlement for settlement in found.settlements if settlement.points is None]
        self.settled += await self._store.settle(unpaid)

    async def _settle_by_balance(
        self, account: Account, reading: BalanceReading, state: SettlementState, now: float
    ) -> None:
        """Settle what was sent between two readings, or keep the earlier one for the next run: see `balances`."""
        if reading.balance is None:
            return
        # Whoever began a send before the reading still holds a slot then, or has written its entry.
        is_busy = await self._store.held_slots(account.id) > 0
        sends = await self._sends(account.id, now - MAX_WINDOW_SECONDS - LONGEST_SEND_SECONDS, now)
        still_open = [entry for entry in sends if entry.settled_by is None]
        before = _baseline(account, state, min((entry.started_at for entry in still_open), default=now))
        current = Balance(reading.balance, now, reading.next_grant_at)
        found = None if before is None or is_busy else attribute(before, current, sends)
        if found is not None:
            for settlement, entry in ((s, e) for s in found for e in sends if e.id == s.entry_id):
                self._note(entry, settlement.points or 0)
            self.settled += await self._store.settle(found)
        else:
            # Else nothing could ever be told again: an open send keeps the window from closing.
            late = [entry for entry in still_open if now - ended_at(entry) >= GIVE_UP_SECONDS]
            unknown = [Settlement(entry_id=entry.id, points=None, by=SettledBy.NONE) for entry in late]
            self.settled += await self._store.settle(unknown)
        # Until something was found the earlier reading stays: sends over the later one may still be attributed.
        kept = before if found is None else current
        if kept is not None and (kept.points, kept.at) != (state.balance, state.balance_at):
            changed = replace(state, balance=kept.points, balance_at=kept.at, grant_at=kept.grant_at)
            await self._store.put_settlement_state(account.id, changed)

    async def _book(self, state: SettlementState) -> int:
        """Book what was matched; what is booked already stays."""
        costs = [Settlement(entry_id=e, points=points, by=SettledBy.HISTORY) for e, points in state.pending.items()]
        return await self._store.settle(costs)

    async def _history(self, client: PoeClient, begin: float) -> list[PointsSpent]:
        items: list[PointsSpent] = []
        async with aclosing(cast(_HasHistory, client).points_history()) as history:
            async for item in history:
                # The newest come first, so that what follows is older still.
                if (item.spent_at or sys.float_info.max) < begin or len(items) >= MAX_ITEMS:
                    break
                items.append(item)
        return items

    async def _sends(self, account_id: str, since: float, until: float) -> list[LedgerEntry]:
        selection = Selection(since=since, until=until + SLACK_SECONDS, account_id=account_id)
        entries: list[LedgerEntry] = []
        cursor: str | None = None
        while len(entries) < MAX_ITEMS:
            page = await self._store.list_entries(selection, limit=_PAGE, cursor=cursor)
            entries += page.items
            if (cursor := page.cursor) is None:
                break
        return entries

    def _count(self, code: str) -> None:
        self.failures[code] = self.failures.get(code, 0) + 1


def _baseline(account: Account, state: SettlementState, oldest: float) -> Balance | None:
    """The last balance that is known from before the oldest open send."""
    known = []
    if state.balance is not None:
        known.append(Balance(state.balance, state.balance_at, state.grant_at))
    if account.points is not None:
        known.append(Balance(account.points.balance, account.points.read_at, account.points.next_grant_at))
    return max((b for b in known if b.at + SLACK_SECONDS <= oldest), key=lambda b: b.at, default=None)
