"""Keeps the books between readings: sends of killed holders, sums of hours, reservations, and a daily check.

Each part is repeatable, and a failure of one is told and leaves the others to their work.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import field

from accounts import AccountStore, AccountStoreError, Selection, SettledBy, Settlement
from lazy_dataclasses import dataclass
from refresh_points.chats import ChatCleaner
from refresh_points.estimates import Estimates

CHECK_SECONDS = 86_400.0
# An account that is read at all is read within 27 hours of a send's end, and its sends are settled then.
UNKNOWN_AFTER_SECONDS = 27 * 3_600.0 + 1_200.0
GIVE_UP_EVERY_SECONDS = 3_600.0
FIRST_LOOK_SECONDS = 3 * 86_400.0
# How far back the daily check looks. What is settled later than a day says so, and opens its hour again.
CHECKED_SECONDS = 3 * 86_400.0
# Uses of keys are noted from the entries of so long ago on: some runs may have failed.
USES_SECONDS = 3_600.0
_CHECK_NAME = "books"
_PAGE = 100


@dataclass(slots=True)
class BooksReport:
    """What was done; `failures` has the codes of parts that failed."""

    recovered: int = 0
    """Slots of killed holders."""
    repaired: int = 0
    """Reservations of killed holders."""
    hours: int = 0
    """Hours that were summed up."""
    corrected: int = 0
    """Stored sums that differed from their entries."""
    settled: int = 0
    given_up: int = 0
    """Sends whose cost could not be found for more than a day."""
    chats_deleted: int = 0
    """Chats at Poe that the gateway had begun and that nobody needed any more."""
    failures: dict[str, str] = field(default_factory=dict)


class Books:
    """One run's work on the books. It ends early when the time is up; the next run goes on."""

    def __init__(
        self,
        store: AccountStore,
        estimates: Estimates,
        chats: ChatCleaner,
        *,
        wall_clock: Callable[[], float],
        stop_at: float,
    ) -> None:
        self._store = store
        self._chats = chats
        self._estimates = estimates
        self._wall_clock = wall_clock
        self._stop_at = stop_at
        self.report = BooksReport()

    async def before_readings(self) -> None:
        """Find lost sends first, so that the readings settle them."""
        self.report.recovered = await self._part("recover", self._store.recover_slots())

    async def after_readings(self) -> None:
        """Sum up, repair, check."""
        now = self._wall_clock()
        self.report.repaired = await self._part("repair", self._repair_limits())
        self.report.given_up = await self._part("give up", self._give_up(now))
        self.report.chats_deleted = await self._part("chats", self._chats.run())
        # After the readings, which have settled what it learns from.
        await self._part("estimates", self._estimates.keep())
        await self._part("uses", self._store.note_key_uses(since=now - USES_SECONDS))
        # After what settles and gives up, both of which open hours again.
        self.report.hours = await self._part("hours", self._store.close_hours())
        self.report.corrected = await self._part("check", self._check(now))

    async def _part(self, name: str, work: Awaitable[int]) -> int:
        try:
            return await work
        except AccountStoreError as error:
            self.report.failures[name] = type(error).__name__
            return 0

    async def _repair_limits(self) -> int:
        repaired = 0
        cursor: str | None = None
        while time.monotonic() < self._stop_at:
            page = await self._store.list_keys(limit=_PAGE, cursor=cursor)
            for key in page.items:
                # Only limited keys have reservations.
                if key.is_limited:
                    repaired += await self._store.repair_limits(key.id)
            if (cursor := page.cursor) is None:
                break
        return repaired

    async def _check(self, now: float) -> int:
        """Once a day all stored sums of the last days are compared with their entries."""
        if time.monotonic() >= self._stop_at:
            return 0
        document = await self._store.get_config(_CHECK_NAME) or {}
        # It reads all entries of three days, which is paid for.
        if now - float(document.get("checked_at", 0.0)) < CHECK_SECONDS:
            return 0
        corrected = await self._store.check_sums(since=now - CHECKED_SECONDS)
        await self._store.put_config(_CHECK_NAME, document | {"checked_at": now})
        return corrected

    async def _give_up(self, now: float) -> int:
        """Say that nothing will be known of sends of accounts that are not read any more: deleted, or logged out.

        Each entry is looked at once, after a day and some hours; the settlement of its account came first.
        """
        document = await self._store.get_config(_CHECK_NAME) or {}
        until = now - UNKNOWN_AFTER_SECONDS
        # From where the last run ended: each entry is looked at once, and not in every run.
        since = float(document.get("given_up_until", until - FIRST_LOOK_SECONDS))
        if until - since < GIVE_UP_EVERY_SECONDS:
            return 0
        given_up = 0
        selection, cursor = Selection(since=since, until=until), None
        while time.monotonic() < self._stop_at:
            page = await self._store.list_entries(selection, limit=_PAGE, cursor=cursor)
            unknown = [
                Settlement(entry_id=entry.id, points=None, by=SettledBy.NONE)
                for entry in page.items
                if entry.settled_by is None
            ]
            given_up += await self._store.settle(unknown)
            if (cursor := page.cursor) is None:
                # Only at the end of the list: a run that has no time left begins here again.
                await self._store.put_config(_CHECK_NAME, document | {"given_up_until": until})
                break
        return given_up
