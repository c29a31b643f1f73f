"""Finds a request in the log by its id, for which the log has no index, and what belongs to it."""

from __future__ import annotations

import time

from accounts import AccountStore, LedgerEntry, RequestRecord, Selection

_HOUR, _DAY = 3600.0, 86_400.0
# How far back a request is looked for, and how many are looked at.
_LOOK_BACK_SECONDS = 31 * _DAY
_LOOK_PAGES, _LOOK_PAGE = 25, 200


async def find_request(store: AccountStore, request_id: str) -> RequestRecord | None:
    """The request with this id, if it is among the latest 5,000 of a month."""
    now = time.time()
    wanted = Selection(since=now - _LOOK_BACK_SECONDS, until=now + _HOUR)
    cursor: str | None = None
    for _ in range(_LOOK_PAGES):
        page = await store.list_requests(wanted, limit=_LOOK_PAGE, cursor=cursor)
        for record in page.items:
            if record.request_id == request_id:
                return record
        cursor = page.cursor
        if cursor is None:
            break
    return None


def is_of_request(entry: LedgerEntry, request_id: str) -> bool:
    """Whether the send was for the request, or for one of its several answers."""
    return entry.request_id == request_id or entry.request_id.startswith(f"{request_id}-")
