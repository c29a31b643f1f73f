"""Chats of the account: lists, histories, deletion, sharing."""

from __future__ import annotations

import random
import string
from collections.abc import AsyncGenerator, Iterable
from http import HTTPStatus

from reverse.chat import ChatRef
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.web._graphql import GraphQL
from reverse.web._models import (
    ChatSummary,
    Citation,
    StoredMessage,
    read_chat,
    read_citation,
    read_stored_message,
    text_or_none,
)
from reverse.web._paging import Cursor, Page, each, next_cursor, nodes_of
from reverse.web._protocol import global_id, mapping, sequence
from reverse.web._refusals import refusal

_PAGE = 50
_MESSAGES_PAGE = 100
# Ids per deletion; the published client deletes a page of a chat at a time.
_DELETE_BATCH = 50
_NONCE_ALPHABET = string.ascii_letters + string.digits


class Chats:
    """The account's chats; `client.chats`. Every method raises `PoeError`."""

    def __init__(self, graphql: GraphQL, rng: random.Random) -> None:
        self._graphql = graphql
        self._rng = rng

    async def history_page(
        self, bot: str | None = None, *, count: int = _PAGE, cursor: Cursor | None = None
    ) -> Page[ChatSummary]:
        """One page of the chats, newest first; with `bot` only those with this bot (its display name or handle)."""
        if bot is None:
            variables = {"count": count, "cursor": cursor}
            data = await self._graphql.query("ChatHistoryListPaginationQuery", variables)
            connection = data.get("chats")
        else:
            filtered = {"count": count, "handle": bot, "cursor": cursor}
            data = await self._graphql.query("ChatHistoryFilteredListPaginationQuery", filtered)
            connection = data.get("filteredChats")
        # What has no id can't be used, and costs the page nothing.
        chats = (read_chat(node) for node in nodes_of(connection))
        return Page(tuple(chat for chat in chats if chat is not None), next_cursor(connection))

    def history(self, bot: str | None = None, *, page_size: int = _PAGE) -> AsyncGenerator[ChatSummary, None]:
        """All chats, newest first."""
        return each(lambda cursor: self.history_page(bot, count=page_size, cursor=cursor))

    async def open(self, chat_code: str) -> tuple[ChatSummary, tuple[StoredMessage, ...]]:
        """A chat by its code, with its last messages, oldest first. Raises `CHAT_NOT_FOUND`."""
        try:
            data = await self._graphql.query("ChatPageQuery", {"chatCode": chat_code})
        except PoeError as error:
            # A refusal in JSON.
            if error.code is ErrorCode.UPSTREAM_FAILED and error.status == HTTPStatus.OK:
                raise poe_error(ErrorCode.CHAT_NOT_FOUND, operation=error.operation) from error
            raise
        node = mapping(data.get("chatOfCode"))
        chat = read_chat(node)
        if chat is None:
            raise poe_error(ErrorCode.CHAT_NOT_FOUND, operation="ChatPageQuery")
        return chat, _messages(node.get("messagesConnection"))

    async def find(self, bot: str | None = None, *, chat_id: int) -> ChatSummary:
        """A chat by its number, looked for in the list of chats. Raises `CHAT_NOT_FOUND`."""
        # There is no operation that finds a chat by its number.
        async for chat in self.history(bot):
            if chat.chat_id == chat_id:
                return chat
        raise poe_error(ErrorCode.CHAT_NOT_FOUND)

    async def exists(self, chat_id: int) -> bool:
        """Whether the account has this chat. Poe refuses what it does not have, or answers without it."""
        variables = {"count": 1, "cursor": None, "id": global_id("Chat", chat_id)}
        try:
            data = await self._graphql.query("ChatListPaginationQuery", variables)
        except PoeError as error:
            if error.code is not ErrorCode.UPSTREAM_FAILED or error.upstream_text is None:
                raise
        else:
            return bool(mapping(data.get("node")))
        # It refuses a lot in these words: it must answer something that does not depend on the chat.
        await self.history_page(count=1)
        return False

    async def messages_page(
        self, chat_id: int, *, count: int = _MESSAGES_PAGE, cursor: Cursor | None = None
    ) -> Page[StoredMessage]:
        """One page of a chat's messages, oldest first; the next page has older ones."""
        variables = {"count": count, "cursor": cursor, "id": global_id("Chat", chat_id)}
        data = await self._graphql.query("ChatListPaginationQuery", variables)
        connection = mapping(data.get("node")).get("messagesConnection")
        older = mapping(mapping(connection).get("pageInfo")).get("startCursor")
        # Only a page without messages is the last one (docs/reference/poe-web.md#operations).
        return Page(_messages(connection), older if isinstance(older, str) and nodes_of(connection) else None)

    async def messages(self, chat_id: int, *, page_size: int = _MESSAGES_PAGE) -> AsyncGenerator[StoredMessage, None]:
        """All messages of a chat, newest first, each once."""

        async def newest_first(cursor: Cursor | None) -> Page[StoredMessage]:
            page = await self.messages_page(chat_id, count=page_size, cursor=cursor)
            return Page(page.items[::-1], page.cursor)

        oldest: int | None = None
        async for message in each(newest_first):
            # A message that arrives between two pages may shift their border.
            if oldest is None or message.message_id < oldest:
                oldest = message.message_id
                yield message

    async def delete_messages(self, message_ids: Iterable[int]) -> None:
        """Delete messages by their ids, in batches."""
        ids = list(message_ids)
        for start in range(0, len(ids), _DELETE_BATCH):
            await self._graphql.mutate("DeleteMessageMutation", {"messageIds": ids[start : start + _DELETE_BATCH]})

    async def purge(self, chat_id: int, count: int | None = None) -> int:
        """Delete the newest `count` messages of a chat, or all of them; says how many there were."""
        ids: list[int] = []
        async for message in self.messages(chat_id):
            if count is not None and len(ids) >= count:
                break
            ids.append(message.message_id)
        await self.delete_messages(ids)
        return len(ids)

    async def purge_all(self) -> None:
        """Delete the messages of all chats of the account."""
        await self._graphql.mutate("DeleteUserMessagesMutation", {})

    async def delete(self, *chat_ids: int) -> None:
        """Delete chats with everything in them."""
        for chat_id in chat_ids:
            # One by one: Poe's mutation takes one.
            await self._graphql.mutate("DeleteChat", {"chatId": chat_id})

    async def delete_all(self, bot: str | None = None) -> int:
        """Delete all chats, or all with one bot; says how many there were."""
        chat_ids = [chat.chat_id async for chat in self.history(bot)]
        await self.delete(*chat_ids)
        return len(chat_ids)

    async def clear_context(self, chat_id: int) -> None:
        """Let the bot forget what was said so far: a chat break."""
        nonce = "".join(self._rng.choices(_NONCE_ALPHABET, k=16))
        await self._graphql.mutate("SendChatBreakMutation", {"chatId": chat_id, "clientNonce": nonce})

    async def share(self, chat: ChatRef, count: int | None = None) -> str:
        """Make a chat readable for who has the returned code: its first `count` messages, or the whole page of it."""
        if chat.chat_code is None:
            chat = (await self.find(chat_id=chat.chat_id)).ref
        _, messages = await self.open(chat.chat_code or "")
        # Poe shares messages, not chats.
        ids = [message.message_id for message in messages][:count]
        data = await self._graphql.mutate("ShareMessageMutation", {"chatId": chat.chat_id, "messageIds": ids})
        code = text_or_none(mapping(data.get("messagesShare")).get("shareCode"))
        if not code:
            raise poe_error(ErrorCode.INVALID_REQUEST, "Poe shared nothing", operation="ShareMessageMutation")
        return code

    async def import_shared(self, share_code: str, bot: str) -> ChatSummary:
        """Continue a shared chat with a bot, in a new chat of this account."""
        name = "ContinueChatCTAButton_continueChatFromPoeShare_Mutation"
        data = await self._graphql.mutate(name, {"botName": bot, "shareCode": share_code, "postId": None})
        result = mapping(data.get("continueChatFromPoeShare"))
        if result.get("status") != "success":
            raise refusal(text_or_none(result.get("status")) or "unknown", operation=name)
        for edge in sequence(result.get("messages")):
            node = mapping(mapping(mapping(edge).get("node")).get("chat"))
            if (chat := read_chat(node)) is not None:
                return chat
            # Some answers name the chat by its code only.
            if (code := text_or_none(node.get("chatCode"))) is not None:
                return (await self.open(code))[0]
        raise poe_error(ErrorCode.PROTOCOL, "Poe named no chat", operation=name)

    async def citations(self, message_id: int) -> tuple[Citation, ...]:
        """The sources that an answer names; empty if there are none."""
        data = await self._graphql.query("MessageCitationSourceModalQuery", {"messageId": message_id})
        found = sequence(mapping(data.get("message")).get("citations"))
        return tuple(read_citation(mapping(node)) for node in found)

    async def set_context_optimization(self, chat_id: int, enabled: bool) -> None:
        """Let Poe shorten what the bot is given of a long chat, or not."""
        name = "ChatSettingsModal_ChatSetContextOptimization_Mutation"
        await self._graphql.mutate(name, {"chatId": chat_id, "isContextOptimizationOn": enabled})


def _messages(connection: object) -> tuple[StoredMessage, ...]:
    found = (read_stored_message(node) for node in nodes_of(connection))
    return tuple(message for message in found if message is not None)
