"""Lists of chats, their pages and messages, and what changes a chat as a whole."""

from __future__ import annotations

from typing import Any

from local.poe_web.accounts import Chat
from local.poe_web.bots import folded
from local.poe_web.operations.query import Data, Query, QueryFailed, operation

_PAGE_MESSAGES = 50


@operation("ChatHistoryListPaginationQuery")
def chats(query: Query) -> Data:
    """A page of all chats, the latest first."""
    return {"chats": _page(query, list(query.account.chats.values()))}


@operation("ChatHistoryFilteredListPaginationQuery")
def chats_of_bot(query: Query) -> Data:
    """A page of the chats with one bot."""
    wanted = query.get("handle", str)
    bot = query.world.bots.named(wanted, query.account.p_b)
    handles = {folded(wanted)} | ({folded(bot.handle)} if bot else set())
    return {"filteredChats": _page(query, [c for c in query.account.chats.values() if folded(c.bot) in handles])}


def _page(query: Query, found: list[Chat]) -> dict[str, Any]:
    """Cursors name the last chat of a page, so that deleting chats in between does not shift what follows."""
    size, cursor = query.get("count", int), query.get("cursor", str, None)
    if cursor is not None and not cursor.isdecimal():
        raise QueryFailed("this cursor was not given out")
    ordered = sorted(found, key=lambda chat: chat.latest, reverse=True)
    rest = [chat for chat in ordered if cursor is None or chat.latest < int(cursor)]
    edges = [{"cursor": str(chat.latest), "node": _node(query, chat)} for chat in rest[:size]]
    end = edges[-1]["cursor"] if edges else cursor
    return {"edges": edges, "pageInfo": {"hasNextPage": len(rest) > size, "endCursor": end}}


def _node(query: Query, chat: Chat) -> dict[str, Any]:
    bot = query.world.bots.named(chat.bot, query.account.p_b)
    return {**chat.wire(), "defaultBotObject": {"displayName": bot.display_name if bot else chat.bot}}


@operation("ChatPageQuery")
def chat_page(query: Query) -> Data:
    """A chat by its code, with its last messages, oldest first."""
    code = query.get("chatCode", str)
    chat = next((chat for chat in query.account.chats.values() if chat.code == code), None)
    if chat is None:
        raise QueryFailed("the account has no chat with this code")
    edges = [{"cursor": str(m.message_id), "node": m.wire()} for m in chat.messages[-_PAGE_MESSAGES:]]
    return {"chatOfCode": {**_node(query, chat), "messagesConnection": {"edges": edges}}}


@operation("ChatListPaginationQuery")
def messages(query: Query) -> Data:
    """A page of a chat's messages, oldest first; the next page has older ones, and the last page is empty."""
    chat = query.chat(query.node("Chat"))
    size, cursor = query.get("count", int), query.get("cursor", str, None)
    if cursor is not None and not cursor.isdecimal():
        raise QueryFailed("this cursor was not given out")
    older = [m for m in chat.messages if cursor is None or m.message_id < int(cursor)]
    page = older[-size:] if size > 0 else []
    edges = [{"cursor": str(m.message_id), "node": m.wire()} for m in page]
    start = edges[0]["cursor"] if edges else cursor
    info = {"startCursor": start, "hasPreviousPage": len(older) > len(page)}
    return {"node": {"id": chat.id, "messagesConnection": {"edges": edges, "pageInfo": info}}}


@operation("DeleteChat")
def delete_chat(query: Query) -> Data:
    """Delete a chat with everything in it; an answer that is being written there is cancelled."""
    chat = query.chat(query.get("chatId", int))
    query.world.cancel_jobs(query.account, chat_id=chat.chat_id)
    del query.account.chats[chat.chat_id]
    return {"chatDelete": {"chat": {"chatId": chat.chat_id}}}


@operation("ChatSettingsModal_ChatSetContextOptimization_Mutation")
def set_context_optimization(query: Query) -> Data:
    """Switch context optimisation of a chat."""
    chat = query.chat(query.get("chatId", int))
    chat.optimizes_context = query.get("isContextOptimizationOn", bool)
    return {
        "chatSetContextOptimization": {
            "status": "success",
            "chat": {"id": chat.id, "isContextOptimizationOn": chat.optimizes_context},
        }
    }


@operation("MessageCitationSourceModalQuery")
def citations(query: Query) -> Data:
    """The sources of a message; `message` is null if there is no such message."""
    found = query.account.find_message(query.get("messageId", int))
    return {"message": {"citations": list(found[1].citations)} if found else None}
