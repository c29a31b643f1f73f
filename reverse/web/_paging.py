"""Reads lists that Poe returns page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from lazy_dataclasses import dataclass
from reverse.web._protocol import mapping, sequence

T = TypeVar("T")
Cursor = str | int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page; `cursor` asks for the next one and is `None` on the last."""

    items: tuple[T, ...]
    cursor: Cursor | None = None


async def each(fetch: Callable[[Cursor | None], Awaitable[Page[T]]]) -> AsyncGenerator[T, None]:
    """Yield the items of all pages; a page is fetched when its first item is asked for.

    Ends at a page without a cursor, or when the server hands out a cursor for the second time.
    """
    cursor: Cursor | None = None
    seen: set[Cursor] = set()
    while True:
        page = await fetch(cursor)
        for item in page.items:
            yield item
        cursor = page.cursor
        if cursor is None or cursor in seen:
            return
        seen.add(cursor)


def nodes_of(connection: object) -> list[dict[str, Any]]:
    """The nodes of a relay connection."""
    return [mapping(mapping(edge).get("node")) for edge in sequence(mapping(connection).get("edges"))]


def next_cursor(connection: object) -> str | None:
    """The cursor behind this page, where the page says that more follow; an empty page never does."""
    page_info = mapping(mapping(connection).get("pageInfo"))
    cursor = page_info.get("endCursor")
    if page_info.get("hasNextPage") is False or not nodes_of(connection):
        return None
    return cursor if isinstance(cursor, str) else None
