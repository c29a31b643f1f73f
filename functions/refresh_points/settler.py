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
    LedgerEntry,
    Selection,
    SettledBy,
    Settlement,
    SettlementState,
)
from refresh_points.matching import LONGEST_SEND_SECONDS, SLACK_SECONDS, match
from reverse.chat import PoeClient, PointsSpent
from reverse.errors import PoeError

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

    async def settle(self, account: Account, client: PoeClient) -> None:
        """Settle what can be settled by now. A failure is only counted, by its code."""
        try:
            await self._settle(account, client)
        except PoeError as error:
            self._count(error.code.value)
        except AccountStoreError as error:
            self._count(type(error).__name__)

    async def _settle(self, account: Account, client: PoeClient) -> None:
        now = self._wall_clock()
        if account.last_used_at is None or now - account.last_used_at > USED_SECONDS:
            return
        unsettled = await self._store.unsettled(account.id)
        if not unsettled:
            return
        state = await self._store.settlement_state(account.id)
        if state.pending:
            await self._book(state)
            unsettled = [entry for entry in unsettled if entry.id not in state.pending]
        oldest = min((entry.started_at for entry in unsettled), default=now)
        begin = max(min(state.read_until or oldest, oldest) - SLACK_SECONDS, now - HISTORY_SECONDS)
        history = await self._history(client, begin)
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

    async def _book(self, state: SettlementState) -> int:
        """Book what was matched; what is booked already stays."""
        costs = [Settlement(entry_id=e, points=points, by=SettledBy.HISTORY) for e, points in state.pending.items()]
        return await self._store.settle(costs)

    async def _history(self, client: PoeClient, begin: float) -> list[PointsSpent]:
        items: list[PointsSpent] = []
        async with aclosing(cast(_HasHistory, client).points_history()) as history:
            async for item in history:
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
