"""Accounts: their state in words, what they have left, and what is under way on them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from accounts import Account, AccountNotFoundError, DayBalance, Points, Sums, at_once
from gateway.admin.shown import iso_time, pace_of, reconciled_days, show_account
from gateway.console.answers import Answer, json_answer
from gateway.console.figures import HOURLY, show_hours
from gateway.console.query import DAY, HOUR, Query, Range, bad_cursor, read_cursor, read_limit
from gateway.console.reasons import account_reason
from gateway.console.sign_in import Visit
from gateway.console.tables import MAX_ROWS, csv_answer, table_name, wants_csv
from gateway.http.errors import NOT_FOUND, GatewayError
from gateway.surfaces.context import Services

_DAYS = 7
_BALANCE_DAYS = 29
"""And today."""


async def answer(services: Services, _visit: Visit, path: str, query: Query) -> Answer:
    """The page, its table, or one account. Raises `GatewayError` (400, 404)."""
    now = time.time()
    if path:
        return await _one(services, path, now)
    is_csv = wants_csv(query)
    table_name(query, "accounts")
    # A table is wanted whole; the page goes on with its cursor.
    limit = MAX_ROWS if is_csv else read_limit(query, default=25, highest=50)
    async with at_once() as group:
        accounts_read = group.create_task(_list(services, limit, read_cursor(query), is_whole=is_csv))
        # One read of sums for all rows, instead of one for each account.
        used_read = group.create_task(services.store.tally(since=_since(now), until=now, by=[("hour", "account_id")]))
        in_use_read = group.create_task(services.store.slots_in_use())
    found, cursor = accounts_read.result()
    [used], in_use = used_read.result(), in_use_read.result()
    rows = [show(account, used, in_use, now) for account in found]
    if is_csv:
        for row in rows:
            # A cell holds a text.
            row["reason"] = row["reason"]["text"] if row["reason"] else None
        return csv_answer("accounts", rows, next_cursor=cursor)
    return json_answer(
        {
            "as_of": iso_time(now),
            "can_sign_in": bool(services.settings.poe_client_id),
            "data": rows,
            "next_cursor": cursor,
        }
    )


async def _list(
    services: Services, limit: int, cursor: str | None, *, is_whole: bool
) -> tuple[list[Account], str | None]:
    """One page of accounts, or as many as `limit` allows, and the cursor. Raises `GatewayError` (400)."""
    found: list[Account] = []
    while True:
        try:
            page = await services.store.list_accounts(limit=limit - len(found), cursor=cursor)
        except ValueError:
            raise bad_cursor() from None
        found += page.items
        cursor = page.cursor
        if cursor is None or len(found) >= limit or not is_whole:
            return found, cursor


async def _one(services: Services, account_id: str, now: float) -> Answer:
    try:
        account = await services.store.get_account(account_id)
    except AccountNotFoundError:
        raise GatewayError(NOT_FOUND, "There is no such account.") from None
    # Whole days, as the reconciliation has them, up to the present hour.
    span = Range(int(now // DAY * DAY) - (_DAYS - 1) * DAY, int(-(-now // HOUR) * HOUR))
    async with at_once() as group:
        sums_read = group.create_task(
            services.store.tally(
                since=span.since, until=span.until, by=[HOURLY, ("hour", "account_id")], account_id=account_id
            )
        )
        balances_read = group.create_task(services.store.balances_by_day(account_id, since=now - _BALANCE_DAYS * DAY))
        state_read = group.create_task(services.store.settlement_state(account_id))
        in_use_read = group.create_task(services.store.slots_in_use())
    rows, days = sums_read.result()
    state, in_use = state_read.result(), in_use_read.result()
    # What Poe charged beside what was booked: a difference is somebody else's use, or an error of ours.
    reconciled = reconciled_days(account, days, state.elsewhere, is_read=state.read_until > 0)
    return json_answer(
        {
            "as_of": iso_time(now),
            **show(account, days, in_use, now),
            "reconciled": [
                {name: row[name] for name in ("day", "booked", "unsettled", "elsewhere", "charged")}
                for row in reversed(reconciled)
            ],
            "hours": show_hours(rows, span),
            "balances": _show_balances(balances_read.result(), account.points),
        }
    )


def _show_balances(kept: Sequence[DayBalance], points: Points | None) -> list[dict[str, Any]]:
    """What is kept of earlier readings, and the newest one."""
    found = list(kept)
    if points is not None and (not found or points.read_at > found[-1].read_at):
        day = datetime.fromtimestamp(points.read_at, UTC).date().isoformat()
        newest = DayBalance(day=day, read_at=points.read_at, balance=points.balance, addon=points.addon)
        if found and found[-1].day == day:
            newest = replace(newest, rose_at=found.pop().rose_at)
        found.append(newest)
    return [
        {
            "day": balance.day,
            "read_at": iso_time(balance.read_at),
            "balance": balance.balance,
            "addon_points": balance.addon,
            "rose_at": iso_time(balance.rose_at),
        }
        for balance in found
    ]


def show(account: Account, used: Iterable[Sums], in_use: Mapping[str, int], now: float) -> dict[str, Any]:
    """An account with what it has left. `used` are sums by hour and account, for a day at least. Pure."""
    rows = [row for row in used if row.account_id == account.id]
    points = account.points
    balance, addon = (points.balance, points.addon) if points else (None, None)
    # Points of the plan are spent first.
    addon = None if addon is None or balance is None else min(addon, balance)
    last_day = sum(row.points for row in rows if row.hour >= now - DAY)
    pace, runs_out_at = pace_of(balance, last_day, points.next_grant_at if points else None, now)
    return show_account(account, now) | {
        "reason": account_reason(account, now),
        "allotment": points.allotment if points else None,
        "plan_points": None if addon is None or balance is None else balance - addon,
        "addon_points": addon,
        "used_today": sum(row.points for row in rows if row.hour >= now // DAY * DAY),
        "points_per_hour": pace,
        "runs_out_at": iso_time(runs_out_at),
        "slots_in_use": in_use.get(account.id, 0),
    }


def _since(now: float) -> float:
    # The pace needs the last 24 hours, "today" the calendar's day: whichever began earlier.
    return min(now // DAY * DAY, now - DAY)
