"""What sends cost here before, and what a point is worth: a document in the table, from which estimates are made."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from accounts import AccountStore, AccountStoreError, BalanceReading, Outcome
from pool.config_names import ESTIMATES


async def note_first_rate(store: AccountStore, reading: BalanceReading | Outcome) -> None:
    """Keep what a point is worth by this reading, if that is not known yet; the scheduled job keeps it up to date.

    A failure of the store is no failure of the reading: the job will do it.
    """
    rate = reading.usd_per_point if isinstance(reading, BalanceReading) else None
    if rate is None:
        return
    with suppress(AccountStoreError):
        document: dict[str, Any] = await store.get_config(ESTIMATES) or {}
        # The job's median of many readings is better than this one.
        if document.get("usd_per_point") is None:
            await store.put_config(ESTIMATES, document | {"usd_per_point": rate})
