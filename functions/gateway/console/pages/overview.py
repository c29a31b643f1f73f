"""Overview: what is left and how long it lasts, what was used, and what needs a person."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from accounts import Account, AccountStore, Alert, ApiKey, KeyRole, Page, Sums, at_once
from gateway.admin.shown import iso_time, pace_of, show_sums
from gateway.console.answers import Answer, json_answer
from gateway.console.figures import HOURLY, count_requests, show_counts, show_hours
from gateway.console.query import DAY, HOUR, Query, Range, read_filters, read_moment, read_range
from gateway.console.reasons import account_reason
from gateway.console.sign_in import Visit
from gateway.console.tables import csv_answer, hour_rows, table_name, wants_csv
from gateway.surfaces.context import Services
from pool.status import AccountStatus, status_of

_MOST = 100
_OVERDUE_SECONDS = 3_600.0


async def answer(services: Services, _visit: Visit, _path: str, query: Query) -> Answer:
    """The page, or its chart as a table. Raises `GatewayError` (400)."""
    now = time.time()
    span, filters = read_range(query, now), read_filters({})
    store = services.store
    if wants_csv(query):
        table_name(query, "hours")
        [rows] = await store.tally(since=span.since, until=span.until, by=[HOURLY])
        return csv_answer("overview", hour_rows(show_hours(rows, span)))
    day_start = read_moment(query, "day_start") or now // DAY * DAY
    async with at_once() as group:
        # The page tells when its day begins, in its own time zone: bounded, because the address is the caller's.
        sums_read = group.create_task(_read_sums(store, span, min(max(day_start, now - 2 * DAY), now) - DAY, now))
        accounts_read = group.create_task(store.list_accounts(limit=_MOST))
        keys_read = group.create_task(store.list_keys(limit=_MOST))
        alerts_read = group.create_task(store.list_alerts())
        counts_read = group.create_task(count_requests(services, span, filters))
    rows, recent = sums_read.result()
    accounts, counts = accounts_read.result(), counts_read.result()
    return json_answer(
        {
            "as_of": iso_time(now),
            "from": iso_time(span.since),
            "to": iso_time(span.until),
            "points": _points(accounts.items, recent, now),
            "used": _used(recent, day_start, now),
            "sends": show_sums(rows),
            "requests": show_counts(*counts) if counts else None,
            "hours": show_hours(rows, span),
            "attention": attention(accounts, keys_read.result().items, alerts_read.result(), now),
            "has_more_accounts": accounts.cursor is not None,
        }
    )


async def _read_sums(
    store: AccountStore, span: Range, recent_since: float, now: float
) -> tuple[Sequence[Sums], Sequence[Sums]]:
    """The sums of the range, and those since yesterday: read once where they overlap."""
    if span.until < recent_since:
        [rows] = await store.tally(since=span.since, until=span.until, by=[HOURLY])
        [recent] = await store.tally(since=recent_since, until=now, by=[("hour",)])
        return rows, recent
    [both] = await store.tally(since=min(span.since, recent_since), until=max(span.until, now), by=[HOURLY])
    rows = [row for row in both if span.since <= row.hour < span.until]
    recent = [row for row in both if recent_since // HOUR * HOUR <= row.hour <= now]
    return rows, recent


def _points(accounts: Sequence[Account], recent: Iterable[Sums], now: float) -> dict[str, Any]:
    known = [account.points for account in accounts if account.points is not None]
    # `None` where no balance was ever read: 0 would say that all is spent.
    left = sum(points.balance for points in known) if known else None
    allotments = [points.allotment for points in known if points.allotment is not None]
    grants = [at for points in known if (at := points.next_grant_at) is not None and at > now]
    used_last_day = sum(row.points for row in recent if row.hour >= now - DAY)
    grant = min(grants, default=None)
    # A balance that is not known may be what carries on.
    pace, runs_out_at = pace_of(left if len(known) == len(accounts) else None, used_last_day, grant, now)
    return {
        "left": left,
        "accounts": len(accounts),
        "accounts_known": len(known),
        "as_of": iso_time(min((points.read_at for points in known), default=None)),
        "allotment": sum(allotments) if allotments else None,
        "next_grant_at": iso_time(grant),
        "points_per_hour": pace,
        "runs_out_at": iso_time(runs_out_at),
    }


def _used(recent: Sequence[Sums], day_start: float, now: float) -> dict[str, Any]:
    """Today, from the hour in which the day begins, and how much of the day before was used by this time."""
    start = day_start // HOUR * HOUR
    today = [row for row in recent if row.hour >= start]
    so_far = now - DAY
    before = 0.0
    for row in recent:
        if start - DAY <= row.hour < start:
            # Of the hour that is running a share, as if it had been used evenly.
            before += row.points * min(max((so_far - row.hour) / HOUR, 0.0), 1.0)
    return {"today": show_sums(today), "yesterday_by_now": round(before), "day_start": iso_time(start)}


def attention(
    accounts: Page[Account], keys: Iterable[ApiKey], alerts: Iterable[Alert], now: float
) -> list[dict[str, Any]]:
    """What needs a person, the worst first. Pure."""
    found = [item for account in accounts.items if (item := _of_account(account, now)) is not None]
    active = [account for account in accounts.items if status_of(account, now) is AccountStatus.ACTIVE]
    if not accounts.items:
        found.append(_item("fail", "no_account", "There is no account.", "Add one."))
    # With more accounts than were read, one of the others may be able.
    elif not active and accounts.cursor is None:
        found.append(_item("fail", "account_waits", "No account can be used now.", "See below what each waits for."))
    enabled = [account for account in accounts.items if status_of(account, now) is not AccountStatus.DISABLED]
    overdue = sum(account.refresh_due_at < now - _OVERDUE_SECONDS for account in enabled)
    # The job itself can't say that it does not run.
    if overdue:
        text = f"{overdue} accounts should have been read more than an hour ago: the scheduled job does not run."
        found.append(_item("fail", "job_overdue", text, "Look at the job's log, and at its schedule."))
    # Only these can spend.
    clients = [key for key in keys if key.role is KeyRole.CLIENT and key.enabled]
    endless = sum(key.points_per_day is None and key.points_per_month is None for key in clients)
    if endless:
        text = f"{endless} of {len(clients)} keys have no budget of points."
        found.append(_item("warn", "keys_without_budget", text, "Give each a budget."))
    # What an account waits for is told better above.
    told = {item["account"] for item in found} - {None}
    for alert in alerts:
        if alert.is_open and alert.account_id not in told:
            found.append(_item("warn", "alert", alert.text, None) | {"account": alert.account_id})
    return sorted(found, key=lambda item: item["severity"] != "fail")


def _of_account(account: Account, now: float) -> dict[str, Any] | None:
    status, reason = status_of(account, now), account_reason(account, now)
    # Switched off on purpose: nothing to attend to.
    if reason is None or status is AccountStatus.DISABLED:
        return None
    kind = {AccountStatus.INVALID: "account_refused", AccountStatus.DEPLETED: "account_depleted"}.get(
        status, "account_waits"
    )
    severity = "fail" if status is AccountStatus.INVALID else "warn"
    remedy = "Replace its credentials." if status is AccountStatus.INVALID else None
    about = {"account": account.id, "label": account.label, "until": reason["until"]}
    return _item(severity, kind, reason["text"], remedy) | about


def _item(severity: str, kind: str, text: str, remedy: str | None) -> dict[str, Any]:
    # Present in every item, so that the page need not ask which kind it is.
    absent = dict.fromkeys(("account", "label", "until"))
    return {"severity": severity, "kind": kind, "text": text, "remedy": remedy} | absent
