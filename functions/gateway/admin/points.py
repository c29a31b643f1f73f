"""`/admin/points`: what each account has left, how fast it goes, and whether the books agree with Poe's."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from accounts import Account, Sums
from gateway.admin.accounts import ServicesArgument
from gateway.admin.shown import iso_time, pace_of, reconciled_days
from pool.status import status_of

router = APIRouter(prefix="/points")
HOUR, DAY = 3600.0, 86_400.0
RECONCILED_DAYS = 7
_MAX_ACCOUNTS = 200


class AccountPoints(BaseModel):
    """What an account has left. Unknown is null, never 0."""

    account: str
    label: str
    kind: str
    status: str
    balance: int | None
    as_of: str | None
    allotment: int | None
    next_grant_at: str | None
    used_today: int
    """Since midnight UTC, settled and estimated."""
    points_per_hour: float | None
    """The pace of the last 24 hours; null where it would mislead."""
    runs_out_at: str | None
    """At this pace; null if the next grant comes first, or where it would mislead."""


class Reconciled(BaseModel):
    """One UTC day of an account: what the gateway booked, and what Poe's history has besides."""

    day: str
    account: str
    label: str
    booked: int
    """Settled sends of the gateway."""
    unsettled: int
    """Estimates of sends that are not settled yet."""
    elsewhere: int | None
    """Points that other programs spent; null where Poe's history was not read for the day."""
    charged: int | None
    """What Poe's history has in all."""


class PointsShown(BaseModel):
    """Every account, and with `reconcile` the comparison."""

    data: list[AccountPoints]
    reconciled: list[Reconciled] | None = None


@router.get("", response_model=PointsShown)
async def show_points(services: ServicesArgument, reconcile: Annotated[bool, Query()] = False) -> dict[str, Any]:
    """What is left, as of when, and how long it lasts."""
    now = time.time()
    page = await services.store.list_accounts(limit=_MAX_ACCOUNTS)
    # Whole UTC days, which is how Poe's history is added up.
    since = now // DAY * DAY - (RECONCILED_DAYS - 1) * DAY
    # Read once for all accounts: each day is one item, whatever the number of accounts.
    sums = await services.store.sums(since=since, until=-(-now // HOUR) * HOUR)
    used = _by_account(sums)
    shown: dict[str, Any] = {"data": [_points(account, used[account.id], now) for account in page.items]}
    if reconcile:
        rows: list[dict[str, Any]] = []
        for account in page.items:
            # Only where it is asked for: one read for each account.
            state = await services.store.settlement_state(account.id)
            rows += reconciled_days(account, used[account.id], state.elsewhere, is_read=state.read_until > 0)
        shown["reconciled"] = sorted(rows, key=lambda row: (row["day"], row["label"]), reverse=True)
    return shown


def _by_account(sums: Iterable[Sums]) -> defaultdict[str, list[Sums]]:
    found: defaultdict[str, list[Sums]] = defaultdict(list)
    for row in sums:
        found[row.account_id].append(row)
    return found


def _points(account: Account, used: list[Sums], now: float) -> dict[str, Any]:
    points = account.points
    # Estimates count as well: what was just sent is not settled yet.
    today = sum(row.points for row in used if row.hour >= now // DAY * DAY)
    last_day = sum(row.points for row in used if row.hour >= now - DAY)
    # Never read is unknown, which is not an empty account.
    balance = points.balance if points else None
    grant = points.next_grant_at if points else None
    pace, runs_out_at = pace_of(balance, last_day, grant, now)
    return {
        "account": account.id,
        "label": account.label,
        "kind": account.kind.value,
        "status": status_of(account, now).value,
        "balance": balance,
        "as_of": iso_time(points.read_at if points else None),
        "allotment": points.allotment if points else None,
        "next_grant_at": iso_time(grant),
        "used_today": today,
        "points_per_hour": pace,
        "runs_out_at": iso_time(runs_out_at),
    }
