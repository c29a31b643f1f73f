"""Requests: the log with a histogram, and one request with its tries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from accounts import LedgerEntry, RequestCount, RequestRecord, Selection, at_once
from gateway.admin.lookups import find_request, tries_of
from gateway.admin.shown import iso_time, show_entry, show_request
from gateway.console.answers import Answer, json_answer
from gateway.console.figures import (
    BY_CLASS,
    BY_HOUR,
    Names,
    count_requests,
    first_names,
    names_of,
    show_counts,
    show_histogram,
)
from gateway.console.query import (
    Filters,
    Query,
    Range,
    bad_cursor,
    read_cursor,
    read_filters,
    read_limit,
    read_range,
    read_text,
)
from gateway.console.sign_in import Visit
from gateway.console.tables import MAX_ROWS, csv_answer, table_name, wants_csv
from gateway.http.errors import NOT_FOUND, GatewayError
from gateway.surfaces.context import Services


async def answer(services: Services, _visit: Visit, path: str, query: Query) -> Answer:
    """The page, its table, or one request. Raises `GatewayError` (400, 404)."""
    if path:
        return await _one(services, path)
    now = time.time()
    span, filters, outcome = read_range(query, now), read_filters(query), read_text(query, "status")
    is_csv = wants_csv(query)
    table_name(query, "requests")
    cursor = read_cursor(query)
    limit = MAX_ROWS if is_csv else read_limit(query, default=50, highest=100)
    # Counts are of the whole range, and names are for the filters: neither changes with the part that is shown.
    is_first = cursor is None and not is_csv
    async with at_once() as group:
        list_read = group.create_task(list_requests(services, span, filters, outcome, limit=limit, cursor=cursor))
        names_read = group.create_task(first_names(services.store)) if is_first else None
        by = (BY_HOUR, BY_CLASS)
        counts_read = (
            group.create_task(count_requests(services, span, filters, by=by, outcome=outcome)) if is_first else None
        )
    records, next_cursor = list_read.result()
    known = names_read.result() if names_read is not None else None
    counts: Sequence[Sequence[RequestCount]] = counts_read.result() if counts_read is not None else []
    names = await _names_of(services, records, known)
    rows = [show(record, names) for record in records]
    if is_csv:
        return csv_answer("requests", rows, next_cursor=next_cursor)
    return json_answer(
        {
            "as_of": iso_time(now),
            "from": iso_time(span.since),
            "to": iso_time(span.until),
            "is_kept": services.settings.request_log_days > 0,
            "data": rows,
            "next_cursor": next_cursor,
            "histogram": show_histogram(counts[0], span) if counts else None,
            "counts": show_counts(counts[1]) if counts else None,
            "names": None if known is None else known.choices(),
        }
    )


async def list_requests(
    services: Services,
    span: Range,
    filters: Filters,
    outcome: str | None = None,
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[RequestRecord], str | None]:
    """One page of the log, newest first, and its cursor. Raises `GatewayError` (400)."""
    wanted = Selection(since=span.since, until=span.until, outcome=outcome, **filters)
    try:
        page = await services.store.list_requests(wanted, limit=limit, cursor=cursor)
    except ValueError:
        raise bad_cursor() from None
    return list(page.items), page.cursor


def show(record: RequestRecord, names: Names) -> dict[str, Any]:
    """A row of the log."""
    label = names.accounts.get(record.account_id or "")
    keys = {("key", key_id): name for key_id, name in names.keys.items()}
    return {"ref": record.ref, **show_request(record, keys), "account_label": label}


async def _names_of(services: Services, records: list[RequestRecord], known: Names | None) -> Names:
    keys = {record.key_id for record in records}
    accounts = {record.account_id for record in records if record.account_id is not None}
    return await names_of(services.store, keys, accounts, known=known)


async def _one(services: Services, ref: str) -> Answer:
    try:
        record = await services.store.get_request(ref)
    except ValueError:
        # The address may hold a caller's own request id, from a log or an error message.
        record = await find_request(services.store, ref)
    if record is None:
        raise GatewayError(NOT_FOUND, "There is no such request, or it is no longer kept.")
    tries = await tries_of(services.store, record)
    names = await names_of(
        services.store, {record.key_id}, {record.account_id or "", *(entry.account_id for entry in tries)}
    )
    started_at = record.at - (record.total_seconds or 0.0)
    return json_answer(
        {
            "as_of": iso_time(time.time()),
            **show(record, names),
            "tries": [_show_try(entry, started_at, names) for entry in tries],
        }
    )


def _show_try(entry: LedgerEntry, started_at: float, names: Names) -> dict[str, Any]:
    shown = show_entry(entry)
    kept = ("id", "attempt", "model", "account", "outcome", "prompt_tokens", "completion_tokens", "tokens_estimated")
    return {
        **{name: shown[name] for name in (*kept, "estimate", "reported", "settled", "settled_by")},
        "account_label": names.accounts.get(entry.account_id),
        "starts_after_seconds": _after(started_at, entry.started_at),
        "first_token_after_seconds": _after(started_at, entry.first_token_at),
        "ends_after_seconds": _after(started_at, entry.ended_at),
    }


def _after(start: float, moment: float | None) -> float | None:
    # Clocks of two sandboxes may differ by a little; before its beginning nothing happens.
    return None if moment is None else round(max(0.0, moment - start), 3)
