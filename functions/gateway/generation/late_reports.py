"""Books costs that Poe reports after the end of an answer, without delaying it.

A web account's cost may come some time after the last text, when the caller has its answer and the send is booked. The
client's connection is open all the same, so a task waits for the cost for a while and adds it to the ledger's entry. On
Lambda a sandbox is frozen between requests: then the cost is read with the next request, if the connection lived so
long. Nothing depends on it: what is not known by then, the scheduled job settles.
"""

from __future__ import annotations

import asyncio

from accounts import AccountStore, AccountStoreError
from gateway.http.deadline import settled
from gateway.http.request_log import Journal

# How long a cost is waited for, in pieces: while a sandbox is frozen, only one of them passes.
_PIECES = 20
_PIECE_SECONDS = 0.5
SECONDS = _PIECES * _PIECE_SECONDS
MOST = 64


class LateReports:
    """Waits for the costs of a sandbox's answers; at most `MOST` at a time, the oldest is given up first."""

    def __init__(self, store: AccountStore, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        self._tasks: dict[asyncio.Task[None], None] = {}

    def expect(self, entry_id: str, points: asyncio.Future[int]) -> None:
        """Book the cost of the entry when it comes. The entry must have been written."""
        # The client was closed: the connection that would have told the cost is gone.
        if points.cancelled():
            return
        while len(self._tasks) >= MOST:
            oldest = next(iter(self._tasks))
            del self._tasks[oldest]
            oldest.cancel()
        task = asyncio.create_task(self._book(entry_id, points), name="late-report")
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def aclose(self) -> None:
        """Give up what is still awaited."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            await settled(task)

    async def _book(self, entry_id: str, points: asyncio.Future[int]) -> None:
        for _ in range(_PIECES):
            # `asyncio.wait` leaves the future alone at the timeout; `wait_for` would cancel it, and the cost would be
            # lost.
            await asyncio.wait({points}, timeout=_PIECE_SECONDS)
            if points.done():
                break
        if not points.done() or points.cancelled():
            return
        try:
            await self._store.late_report(entry_id, points.result())
        except AccountStoreError as error:
            # The entry keeps its estimate, and the scheduled job settles it.
            self._journal.event("late_report.failed", code=type(error).__name__)
