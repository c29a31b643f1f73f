"""How long points last, and whether the books agree with Poe's. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from accounts import Account, Sums

HOUR = 3600.0
# A pace is told only from so much use on: what little was used says nothing about the days to come.
LEAST_SHARE_USED = 0.03


def pace_of(
    balance: int | None, used_last_day: int, next_grant_at: float | None, now: float
) -> tuple[float | None, float | None]:
    """Points per hour and the time at which they run out, each `None` where it would mislead. Pure."""
    if balance is None or used_last_day <= 0 or used_last_day < LEAST_SHARE_USED * (balance + used_last_day):
        return None, None
    # Of a whole day, because hours of the night would say that points last for ever.
    pace = used_last_day / 24
    runs_out_at = now + balance / pace * HOUR
    # The grant comes first, so that they do not run out at all.
    if next_grant_at is not None and runs_out_at >= next_grant_at > now:
        return round(pace, 1), None
    return round(pace, 1), runs_out_at


def reconciled_days(
    account: Account, used: Iterable[Sums], elsewhere: Mapping[str, int], *, is_read: bool
) -> list[dict[str, Any]]:
    """What the gateway booked on each UTC day, and what Poe's history has besides. `used` is of the account."""
    booked: defaultdict[str, int] = defaultdict(int)
    unsettled: defaultdict[str, int] = defaultdict(int)
    for row in used:
        day = datetime.fromtimestamp(row.hour, UTC).date().isoformat()
        # Only settled points: an estimate agrees with nothing that Poe has.
        booked[day] += row.settled
        unsettled[day] += row.estimated
    rows = []
    for day in sorted({*booked, *elsewhere}):
        # A history that was never read has nothing to say; 0 would claim that nobody else spent anything.
        others = elsewhere.get(day, 0) if is_read else None
        rows.append(
            {
                "day": day,
                "account": account.id,
                "label": account.label,
                "booked": booked[day],
                "unsettled": unsettled[day],
                "elsewhere": others,
                "charged": None if others is None else booked[day] + others,
            }
        )
    return rows
