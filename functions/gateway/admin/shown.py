"""What the administration and the console show: records as plain objects, rows of CSV, and figures made of them. Pure.

Unknown is `None`, never 0. It stands apart from the shapes of the administration because those need FastAPI, without
which the console does.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from accounts import Account, Alert, ApiKey, AuditEntry, KeyUse, LedgerEntry, RequestRecord, Sums
from pool.status import status_of

# From the class itself, so that a fact which is added to it is shown.
_COUNTED = tuple(name for name in Sums._fields if name not in ("hour", "key_id", "model", "account_id"))
_SHOWN_AS = {
    "settled": "points_settled",
    "estimated": "points_estimated",
    "unknown": "sends_unknown",
    "unattributed": "sends_unattributed",
}
SUMS = tuple(_SHOWN_AS.get(name, name) for name in _COUNTED)
"""What the facts of sums are called."""
counts_of = attrgetter(*_COUNTED)
"""These facts of a row, in that order."""


def show_account(account: Account, now: float) -> dict[str, Any]:
    """An account as its owner sees it; the names are the original gateway's where it had one."""
    points = account.points
    return {
        "id": account.id,
        "kind": account.kind.value,
        "label": account.label,
        # The original gateway's name for what is the label here; its programs look for it.
        "email": account.label,
        "status": status_of(account, now).value,
        # Never read is null: 0 would be an account that is empty.
        "message_point_balance": points.balance if points else None,
        "subscription_active": account.subscribed,
        "max_concurrency": account.max_concurrency,
        "last_refresh_at": iso_time(points.read_at if points else None),
        "next_refresh_at": iso_time(account.refresh_due_at),
        "next_grant_at": iso_time(points.next_grant_at if points else None),
        "last_used_at": iso_time(account.last_used_at),
        "last_error": account.last_error,
        "error_count": account.consecutive_errors,
        # A time that has passed would read as if the account still waited.
        "cooldown_until": iso_time(account.eligible_at if account.eligible_at > now else None),
        "created_at": iso_time(account.created_at),
        "updated_at": iso_time(account.updated_at),
    }


def show_key(key: ApiKey, use: KeyUse | None = None) -> dict[str, Any]:
    """An API key without its secret."""
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role.value,
        "enabled": key.enabled,
        "models": list(key.models),
        "routes": list(key.routes),
        "ip_ranges": list(key.ip_ranges),
        "requests_per_minute": key.requests_per_minute,
        "max_concurrent": key.max_concurrent,
        "points_per_day": key.points_per_day,
        "points_per_month": key.points_per_month,
        "tokens_per_day": key.tokens_per_day,
        "tokens_per_month": key.tokens_per_month,
        "expires_at": iso_time(key.expires_at),
        "created_at": iso_time(key.created_at),
        # With the key's counters, which every request writes; the key itself is written only when it is changed.
        "last_used_at": iso_time(use.last_used_at) if use else None,
        "last_success_at": iso_time(use.last_success_at) if use else None,
        "version": key.version,
    }


def show_use(use: KeyUse) -> dict[str, Any]:
    """What a key has consumed in the present windows."""
    now = datetime.fromtimestamp(use.at, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    # 32 days after the first are in the next month, however long this one is.
    next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return {
        "requests_this_minute": use.requests_this_minute,
        "running": use.running,
        "points_today": use.points_today,
        "points_this_month": use.points_this_month,
        "tokens_today": use.tokens_today,
        "tokens_this_month": use.tokens_this_month,
        "day_ends_at": iso_time((day + timedelta(days=1)).timestamp()),
        "month_ends_at": iso_time(next_month.timestamp()),
    }


def show_entry(entry: LedgerEntry) -> dict[str, Any]:
    """A send as its owner sees it."""
    return {
        "id": entry.id,
        "request_id": entry.request_id,
        "attempt": entry.attempt,
        "key": entry.key_id,
        "model": entry.model,
        "account": entry.account_id,
        "surface": entry.surface,
        "started_at": iso_time(entry.started_at),
        "ended_at": iso_time(entry.ended_at),
        "outcome": entry.outcome,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "tokens_estimated": entry.is_estimated,
        "estimate": entry.estimate,
        "reported": entry.reported,
        "settled": entry.settled,
        "settled_by": entry.settled_by.value if entry.settled_by is not None else None,
    }


def show_request(record: RequestRecord, names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """A request as its owner sees it."""
    return {
        "request_id": record.request_id,
        "at": iso_time(record.at),
        "key": record.key_id,
        # Null for a key that was deleted since; its id stays in the books.
        "key_name": names.get(("key", record.key_id)),
        "model": record.model,
        "surface": record.surface,
        "status": record.status,
        "code": record.code,
        "cause": record.cause,
        "account": record.account_id,
        "attempts": record.attempts,
        "first_token_seconds": record.first_token_seconds,
        "total_seconds": record.total_seconds,
        "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
        "points": record.points,
        "points_estimated": record.points_estimated,
        "is_estimated": record.is_estimated,
    }


def show_sums(rows: Iterable[Sums]) -> dict[str, int]:
    """What rows add up to, each fact under its name."""
    # Column by column in C: a page of usage adds up thousands of rows.
    columns = list(zip(*map(counts_of, rows), strict=True))
    return dict(zip(SUMS, map(sum, columns) if columns else [0] * len(SUMS), strict=True))


def show_audit(entry: AuditEntry) -> dict[str, Any]:
    """A change as administrators see it."""
    return {
        "id": entry.id,
        "at": iso_time(entry.at),
        "actor_id": entry.actor_id,
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "fields": list(entry.fields),
        "address": entry.address,
        "status": entry.status,
        "code": entry.code,
        "request_id": entry.request_id,
    }


def show_alert(alert: Alert) -> dict[str, Any]:
    """An alert as its owner sees it."""
    return {
        "id": alert.id,
        "at": iso_time(alert.since),
        "kind": alert.kind,
        "text": alert.text,
        "account": alert.account_id,
        "key": alert.key_id,
        "ended_at": iso_time(alert.ended_at),
        "told": {channel: iso_time(at) for channel, at in sorted(alert.told.items())},
    }


def iso_time(seconds: float | None) -> str | None:
    """Epoch seconds as the admin routes show them."""
    # 0 is a time that was never set.
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


# Full-width signs count as well, for some spreadsheets.
_FORMULA_STARTS = tuple("=+-@\t\n\uff1d\uff0b\uff0d\uff20")


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """The rows with a line of names. `columns` are the names where there are no rows."""
    text = io.StringIO()
    names = list(rows[0]) if rows else list(columns)
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row.get(name)) for name in names})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        value = "; ".join(map(str, value.values() if isinstance(value, Mapping) else value))
    if isinstance(value, str):
        # The writer quotes what has a line feed, and not what has a carriage return.
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        # A spreadsheet would run a name that begins like this as a formula, and callers choose names.
        return f"'{value}"
    return value


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
