"""Usage: what was used in a range, by hour, and by key, model and account."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from accounts import Sums, at_once
from gateway.admin.shown import iso_time, show_sums
from gateway.console.answers import Answer, json_answer
from gateway.console.figures import HOURLY, Names, count_requests, first_names, names_of, show_counts, show_hours
from gateway.console.query import DAY, Query, read_filters, read_range
from gateway.console.sign_in import Visit
from gateway.console.tables import csv_answer, hour_rows, table_name, wants_csv
from gateway.surfaces.context import Services

_BY_NAMES = ("key_id", "model", "account_id")


async def answer(services: Services, _visit: Visit, _path: str, query: Query) -> Answer:
    """The page, or one of its tables. Raises `GatewayError` (400)."""
    now = time.time()
    span, filters = read_range(query, now, default_seconds=7 * DAY), read_filters(query)
    is_csv, table = wants_csv(query), table_name(query, "breakdown", "hours")
    if is_csv and table == "hours":
        [rows] = await services.store.tally(since=span.since, until=span.until, by=[HOURLY], **filters)
        return csv_answer("usage", hour_rows(show_hours(rows, span)))
    async with at_once() as group:
        sums_read = group.create_task(
            # Both groupings from one read of the sums.
            services.store.tally(since=span.since, until=span.until, by=[HOURLY, _BY_NAMES], **filters)
        )
        names_read = group.create_task(first_names(services.store))
        counts_read = None if is_csv else group.create_task(count_requests(services, span, filters))
    rows, groups = sums_read.result()
    known = names_read.result()
    names = await names_of(
        services.store, {row.key_id for row in groups}, {row.account_id for row in groups}, known=known
    )
    breakdown = _breakdown(groups, names)
    if counts_read is None:
        return csv_answer("usage", breakdown, list(show_sums([])))
    counts = counts_read.result()
    return json_answer(
        {
            "as_of": iso_time(now),
            "from": iso_time(span.since),
            "to": iso_time(span.until),
            "totals": show_sums(groups),
            "requests": show_counts(*counts) if counts else None,
            "hours": show_hours(rows, span),
            "breakdown": breakdown,
            "names": known.choices(),
        }
    )


def _breakdown(groups: Sequence[Sums], names: Names) -> list[dict[str, Any]]:
    # By names last, so that equal rows keep their order from one look to the next.
    ordered = sorted(groups, key=lambda row: (-row.points, -row.sends, row.key_id, row.model, row.account_id))
    return [
        {
            "key": row.key_id,
            "key_name": names.keys.get(row.key_id),
            "model": row.model,
            "account": row.account_id,
            "account_label": names.accounts.get(row.account_id),
            **show_sums([row]),
        }
        for row in ordered
    ]
