"""Learns what sends cost here and what points are worth, for the estimates of later sends.

Of each model the costs of the last settled answers are kept, newest last, and their median. The document is bounded: a
model that was not used for longest makes room. Nothing is counted twice, so a run that is repeated changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from accounts import AccountStore, BalanceReading, LedgerEntry, Outcome, Selection, SettledBy
from pool.config_names import ESTIMATES
from refresh_points.matching import LONGEST_SEND_SECONDS

SAMPLES = 9
MAX_MODELS = 500
# Readings of one run whose rates are looked at.
MAX_RATES = 1_000
# How far back the first run looks, and how many entries a run looks at.
FIRST_LOOK_SECONDS = 86_400.0
MAX_ENTRIES = 10_000
_PAGE = 500
_KNOWN = (SettledBy.HISTORY, SettledBy.REPORTED, SettledBy.BALANCE)

Sample = tuple[str, int, int]
"""Model, when the send began in milliseconds, points."""


class Estimates:
    """What one run learns."""

    def __init__(self, store: AccountStore, *, wall_clock: Callable[[], float]) -> None:
        self._store = store
        self._wall_clock = wall_clock
        self._rates: list[float] = []
        self._samples: list[Sample] = []

    def note_reading(self, reading: BalanceReading | Outcome) -> None:
        """Take in what a balance says a point is worth."""
        if isinstance(reading, BalanceReading) and reading.usd_per_point is not None and len(self._rates) < MAX_RATES:
            self._rates.append(reading.usd_per_point)

    def note_settled(self, entry: LedgerEntry, points: int) -> None:
        """Take in what an answer has cost."""
        # A send that failed says nothing about what an answer costs.
        if entry.outcome == "ok":
            self._samples.append((entry.model, round(entry.started_at * 1000), points))

    async def keep(self) -> int:
        """Add what was learned to the document, and what was settled without the job; returns how many models it has.

        Raises `AccountStoreError`.
        """
        now = self._wall_clock()
        document = await self._store.get_config(ESTIMATES) or {}
        # Entries are listed by their beginning, and those that had not ended then are new now.
        since = float(document.get("seen_until", now - FIRST_LOOK_SECONDS)) - LONGEST_SEND_SECONDS
        await self._note_entries(max(since, now - FIRST_LOOK_SECONDS), now)
        costs = merged(document.get("costs", {}), self._samples)
        # The median, since balances are rounded, and one odd account must not set the rate.
        rate = median(self._rates) if self._rates else document.get("usd_per_point")
        await self._store.put_config(ESTIMATES, {"usd_per_point": rate, "costs": costs, "seen_until": now})
        return len(costs)

    async def _note_entries(self, since: float, until: float) -> None:
        """Take in the answers whose cost came with them."""
        selection = Selection(since=since, until=until, outcome="ok")
        cursor: str | None = None
        for _ in range(MAX_ENTRIES // _PAGE):
            page = await self._store.list_entries(selection, limit=_PAGE, cursor=cursor)
            for entry in page.items:
                if entry.settled is not None and entry.settled_by in _KNOWN:
                    self.note_settled(entry, entry.settled)
            if (cursor := page.cursor) is None:
                return


def merged(costs: Mapping[str, Mapping[str, Any]], samples: list[Sample]) -> dict[str, dict[str, Any]]:
    """The costs by model with these samples among them."""
    found = {model: {int(at): int(points) for at, points in cost["samples"]} for model, cost in costs.items()}
    for model, at, points in samples:
        # By its time, so that the same send counts once, however often it is seen.
        found.setdefault(model, {})[at] = points
    newest = {model: sorted(kept.items())[-SAMPLES:] for model, kept in found.items()}
    models = sorted(newest, key=lambda model: newest[model][-1][0])[-MAX_MODELS:]
    return {
        model: {
            "points": math.ceil(median(points for _, points in newest[model])),
            "samples": [list(sample) for sample in newest[model]],
        }
        for model in models
    }
