"""Finds in the store what it has no index for: the names of keys and accounts by id, and a request by its own id.

Each looks at a bounded number of pages, as far as a request has time for.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from accounts import AccountStore, LedgerEntry, Page, RequestRecord, Selection

T = TypeVar("T")
_PAGE, _PAGES = 200, 25
_HOUR, _DAY = 3600.0, 86_400.0
# How far back a request is looked for.
_LOOK_BACK_SECONDS = 31 * _DAY


async def names_of(store: AccountStore, groups: Iterable[str]) -> dict[tuple[str, str], str]:
    """The names by group (`key`, `account`) and id, of the first 5,000 of each."""
    names: dict[tuple[str, str], str] = {}
    if "key" in groups:
        names |= {("key", key.id): key.name async for key in _first(store.list_keys)}
    if "account" in groups:
        names |= {("account", account.id): account.label async for account in _first(store.list_accounts)}
    return names


async def find_request(store: AccountStore, request_id: str) -> RequestRecord | None:
    """The request with this id, if it is among the latest 5,000 of a month."""
    now = time.time()
    wanted = Selection(since=now - _LOOK_BACK_SECONDS, until=now + _HOUR)
    async with aclosing(_first(partial(store.list_requests, wanted))) as records:
        async for record in records:
            if record.request_id == request_id:
                return record
    return None


def is_of_request(entry: LedgerEntry, request_id: str) -> bool:
    """Whether the send was for the request, or for one of its several answers."""
    return entry.request_id == request_id or entry.request_id.startswith(f"{request_id}-")


async def _first(list_page: Callable[..., Awaitable[Page[T]]]) -> AsyncGenerator[T, None]:
    """What the first pages hold, page by page."""
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await list_page(limit=_PAGE, cursor=cursor)
        for item in page.items:
            yield item
        cursor = page.cursor
        if cursor is None:
            break
