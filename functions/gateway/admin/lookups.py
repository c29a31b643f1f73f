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
# A request and its sends are of one process, whose clock is its own.
_SLACK_SECONDS = 2.0
# Of the sends while a request ran, those of the same key.
_TRIES_PAGES = 5
# How far back a request is looked for.
_LOOK_BACK_SECONDS = 31 * _DAY


async def names_of(store: AccountStore, groups: Iterable[str]) -> dict[tuple[str, str], str]:
    """The names by group (`key`, `account`) and id, of the first 5,000 of each."""
    # Together under pairs, since keys and accounts have ids of the same form.
    names: dict[tuple[str, str], str] = {}
    if "key" in groups:
        names |= {("key", key.id): key.name async for key in _first(store.list_keys)}
    if "account" in groups:
        names |= {("account", account.id): account.label async for account in _first(store.list_accounts)}
    return names


async def find_request(store: AccountStore, request_id: str) -> RequestRecord | None:
    """The request with this id, if it is among the latest 5,000 of a month."""
    now = time.time()
    # An hour ahead, for sandboxes whose clock is fast.
    wanted = Selection(since=now - _LOOK_BACK_SECONDS, until=now + _HOUR)
    # Closed at once when it is found, instead of whenever the garbage collector comes.
    async with aclosing(_first(partial(store.list_requests, wanted))) as records:
        async for record in records:
            if record.request_id == request_id:
                return record
    return None


async def tries_of(store: AccountStore, record: RequestRecord) -> list[LedgerEntry]:
    """The sends of a request, the first one first.

    They began while it ran. Where its length is not known, a day is looked through.
    """
    # The log and the ledger are joined by time and request id: an entry of the ledger has no index by it.
    length = _DAY if record.total_seconds is None else record.total_seconds
    wanted = Selection(
        since=record.at - length - _SLACK_SECONDS, until=record.at + _SLACK_SECONDS, key_id=record.key_id
    )
    # Bounded: a busy key may have made thousands of sends in that time.
    async with aclosing(_first(partial(store.list_entries, wanted), pages=_TRIES_PAGES)) as entries:
        found = [entry async for entry in entries if _is_of_request(entry, record.request_id)]
    return sorted(found, key=lambda entry: (entry.started_at, entry.attempt))


def _is_of_request(entry: LedgerEntry, request_id: str) -> bool:
    """Whether the send was for the request, or for one of its several answers."""
    # Several answers to one request are told apart by a number behind its id (`RequestRecord.part`).
    return entry.request_id == request_id or entry.request_id.startswith(f"{request_id}-")


async def _first(list_page: Callable[..., Awaitable[Page[T]]], *, pages: int = _PAGES) -> AsyncGenerator[T, None]:
    """What the first pages hold, page by page."""
    cursor: str | None = None
    # Bounded, since the function has a deadline, and each page is paid for.
    for _ in range(pages):
        page = await list_page(limit=_PAGE, cursor=cursor)
        for item in page.items:
            yield item
        cursor = page.cursor
        if cursor is None:
            break
