"""What keys and accounts are called, for answers that show them by id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from accounts import AccountStore, Page

T = TypeVar("T")
_PAGE, _PAGES = 200, 25


async def names_of(store: AccountStore, groups: Iterable[str]) -> dict[tuple[str, str], str]:
    """The names by group (`key`, `account`) and id, as far as a request has time for."""
    names: dict[tuple[str, str], str] = {}
    if "key" in groups:
        names |= {("key", key.id): key.name for key in await _first(store.list_keys)}
    if "account" in groups:
        names |= {("account", account.id): account.label for account in await _first(store.list_accounts)}
    return names


async def _first(list_page: Callable[..., Awaitable[Page[T]]]) -> list[T]:
    found: list[T] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await list_page(limit=_PAGE, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    return found
