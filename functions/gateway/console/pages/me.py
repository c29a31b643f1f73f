"""My key: what the holder of a client key sees of its own use."""

from __future__ import annotations

import time
from typing import Any

from accounts import at_once
from gateway.admin.shown import iso_time, show_sums
from gateway.console.answers import Answer, json_answer
from gateway.console.figures import HOURLY, Names, count_requests, show_counts, show_hours
from gateway.console.pages.requests import list_requests, show
from gateway.console.query import DAY, Filters, Query, read_cursor, read_limit, read_range
from gateway.console.sign_in import WRONG_PAGE, Visit
from gateway.http.errors import GatewayError
from gateway.surfaces.context import Services
from gateway.surfaces.models import limits_of

# Which account served a request is the owner's business.
_HIDDEN = ("account", "account_label")


async def answer(services: Services, visit: Visit, _path: str, query: Query) -> Answer:
    """The page. Raises `GatewayError` (400)."""
    now = time.time()
    key = visit.caller.key
    # The admin key of the deployment has no use of its own to show.
    if key is None:
        raise GatewayError(WRONG_PAGE)
    span = read_range(query, now, default_seconds=7 * DAY)
    # The only filter, and not the caller's to choose: everything below is of this key.
    own: Filters = {"key_id": key.id, "model": None, "account_id": None}
    limit, cursor = read_limit(query, default=50, highest=100), read_cursor(query)
    async with at_once() as group:
        sums_read = group.create_task(services.store.tally(since=span.since, until=span.until, by=[HOURLY], **own))
        records_read = group.create_task(list_requests(services, span, own, limit=limit, cursor=cursor))
        counts_read = group.create_task(count_requests(services, span, own))
        use_read = group.create_task(services.store.key_use(key.id))
    [rows] = sums_read.result()
    records, next_cursor = records_read.result()
    counts = counts_read.result()
    names = Names({key.id: key.name}, {})
    data: list[dict[str, Any]] = [
        {name: value for name, value in show(record, names).items() if name not in _HIDDEN} for record in records
    ]
    return json_answer(
        {
            "as_of": iso_time(now),
            "name": key.name,
            "models": list(key.models),
            "expires_at": iso_time(key.expires_at),
            "limits": limits_of(key, use_read.result()),
            "from": iso_time(span.since),
            "to": iso_time(span.until),
            "totals": show_sums(rows),
            "requests": show_counts(*counts) if counts else None,
            "hours": show_hours(rows, span),
            "data": data,
            "next_cursor": next_cursor,
        }
    )
