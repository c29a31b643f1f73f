"""Finding bots and people."""

from __future__ import annotations

from local.poe_web.bots import Bot, folded
from local.poe_web.operations.query import Data, Query, QueryFailed, operation


def _public(query: Query) -> list[Bot]:
    return [bot for bot in query.world.bots if not bot.deleted and not bot.private]


@operation("ExploreBotsIndexPageQuery")
def categories(query: Query) -> Data:
    """The categories in which there are bots."""
    names = list(dict.fromkeys(bot.category for bot in _public(query)))
    return {"exploreBotsCategoryObjects": [{"categoryName": name} for name in names]}


@operation("ExploreBotsListPaginationQuery")
def explore(query: Query) -> Data:
    """A page of a category (`defaultCategory`: of all bots); the next begins after the last edge's cursor."""
    category, size = query.get("categoryName", str), query.get("count", int)
    cursor = query.get("cursor", str, "-1")
    if not cursor.removeprefix("-").isdecimal():
        raise QueryFailed("this cursor was not given out")
    found = [bot for bot in _public(query) if category in ("defaultCategory", bot.category)]
    start = int(cursor) + 1
    edges = [
        {"cursor": str(start + i), "node": {"handle": bot.handle}} for i, bot in enumerate(found[start : start + size])
    ]
    return {"exploreBotsConnection": {"edges": edges}}


@operation("SearchResultsListPaginationQuery")
def search(query: Query) -> Data:
    """A page of bots or people whose name has the text in it; the cursor is a position."""
    text, kind = folded(query.get("query", str)), query.get("entityType", str)
    start, size = query.get("cursor", int, 0), query.get("count", int)
    if kind == "bot":
        handles = [bot.handle for bot in _public(query) if text in folded(bot.handle)]
        key = "handle"
    elif kind == "user":
        people = (account.handle for account in query.world.accounts.values())
        handles = [handle for handle in people if handle and text in folded(handle)]
        key = "nullableHandle"
    else:
        raise QueryFailed("entityType has to be bot or user")
    return {"searchEntityConnection": {"edges": [{"node": {key: h}} for h in handles[start : start + size]]}}


@operation("HandleProfilePageQuery")
def profile(query: Query) -> Data:
    """A person's public bots; `user` is null if nobody has the handle."""
    wanted = folded(query.get("handle", str))
    accounts = query.world.accounts.values()
    owner = next((a for a in accounts if a.handle and folded(a.handle) == wanted), None)
    if owner is None:
        return {"user": None}
    created = [{"handle": bot.handle} for bot in _public(query) if bot.owner == owner.p_b]
    return {"user": {"handle": owner.handle, "createdBotCount": len(created), "createdBots": created}}
