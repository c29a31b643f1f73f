"""Sharing a chat, and continuing a shared one."""

from __future__ import annotations

import dataclasses
import secrets

from local.poe_web.operations.query import Data, Query, QueryFailed, operation


@operation("ShareMessageMutation")
def share(query: Query) -> Data:
    """Make messages of a chat readable for who has the code; null if there is nothing to share."""
    chat = query.chat(query.get("chatId", int))
    wanted = set(query.numbers("messageIds"))
    shared = [dataclasses.replace(message) for message in chat.messages if message.message_id in wanted]
    if len(shared) != len(wanted):
        raise QueryFailed("a message is not in this chat")
    if not shared:
        return {"messagesShare": None}
    code = secrets.token_urlsafe(15)
    query.world.shares[code] = shared
    return {"messagesShare": {"shareCode": code}}


@operation("ContinueChatCTAButton_continueChatFromPoeShare_Mutation")
def continue_share(query: Query) -> Data:
    """A new chat of this account that begins with the shared messages."""
    bot = query.bot(query.get("botName", str))
    shared = query.world.shares.get(query.get("shareCode", str))
    if shared is None:
        return {"continueChatFromPoeShare": {"status": "not_found", "messages": []}}
    chat = query.world.new_chat(query.account, bot)
    edges = []
    for message in shared:
        copy = query.world.new_message(chat, message.author, message.text, message.state)
        copy.attachments = message.attachments
        edges.append({"node": {**copy.wire(), "chat": chat.wire()}})
    return {"continueChatFromPoeShare": {"status": "success", "messages": edges}}
