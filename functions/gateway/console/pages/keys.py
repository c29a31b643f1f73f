"""Keys: what each has spent of its limits, and why one can't be used. Never a secret."""

from __future__ import annotations

import time
from typing import Any

from accounts import ApiKey, KeyUse
from gateway.admin.shown import iso_time, show_key
from gateway.console.answers import Answer, json_answer
from gateway.console.query import Query, bad_cursor, read_cursor, read_limit
from gateway.console.reasons import key_reason
from gateway.console.sign_in import Visit
from gateway.console.tables import MAX_ROWS, csv_answer, table_name, wants_csv
from gateway.surfaces.context import Services
from gateway.surfaces.models import limits_of

_AT_ONCE = 100


async def answer(services: Services, _visit: Visit, _path: str, query: Query) -> Answer:
    """The page, or its table. Raises `GatewayError` (400)."""
    now = time.time()
    is_csv = wants_csv(query)
    table_name(query, "keys")
    limit = MAX_ROWS if is_csv else read_limit(query, default=50, highest=_AT_ONCE)
    rows: list[dict[str, Any]] = []
    cursor = read_cursor(query)
    while True:
        try:
            page = await services.store.list_keys(limit=min(limit - len(rows), _AT_ONCE), cursor=cursor)
        except ValueError:
            raise bad_cursor() from None
        # For the whole page in one batch; the store takes at most so many at once.
        uses = await services.store.key_uses([key.id for key in page.items]) if page.items else {}
        rows += [show(key, uses[key.id], now) for key in page.items]
        cursor = page.cursor
        if cursor is None or len(rows) >= limit or not is_csv:
            break
    if is_csv:
        return csv_answer("keys", [_flat(row) for row in rows], next_cursor=cursor)
    return json_answer({"as_of": iso_time(now), "data": rows, "next_cursor": cursor})


def show(key: ApiKey, use: KeyUse, now: float) -> dict[str, Any]:
    """A key with its limits. Pure."""
    limits = limits_of(key, use)
    return show_key(key, use) | {"reason": key_reason(key, limits, now), "limits": limits}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    limits = {f"{item['unit']}_{item['window']}_used": item["used"] for item in row["limits"]}
    reason = row["reason"]["text"] if row["reason"] else None
    return {name: value for name, value in row.items() if name != "limits"} | {"reason": reason} | limits
