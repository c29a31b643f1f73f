"""Methods for messages and chats, with the published package's names and parameters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from reverse import resending
from reverse.chat import Attachment, ChatRequest, Message
from reverse.compat._chunks import Chunk, ChunkFolder
from reverse.compat._connection import Connection
from reverse.compat._patience import within
from reverse.events import ChatStarted, ChatTitled, Event
from reverse.file_sources import attachment_from
from reverse.web import ChatSummary, StoredMessage

_TIMEOUT = 5


class Messages(Connection):
    """Sending and everything about chats. Every method raises `PoeError`."""

    async def send_message(  # noqa: PLR0917 - the original's signature
        self,
        bot: str,
        message: str,
        chatId: int | None = None,
        chatCode: str | None = None,
        msgPrice: int = 20,  # noqa: ARG002 - part of the signature, without effect
        file_path: Sequence[str | Path | Attachment] = (),
        suggest_replies: bool = False,
        timeout: float = _TIMEOUT,
        botId: int | None = None,  # noqa: ARG002 - part of the signature, without effect
        parameters: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """Send a message, to a new chat or to the one that is named, and yield its answer in chunks.

        `file_path` takes paths, https addresses and `data:` URLs. A `timeout` other than the default is the longest
        silence in seconds, after which the call fails with `TIMEOUT`. Leaving early stops the answer on Poe.
        """
        known = await self.chat_of(bot, chatId, chatCode) if chatId is not None or chatCode is not None else None
        # In a thread: a large file would hold up every other answer.
        attachments = tuple([await asyncio.to_thread(attachment_from, source) for source in file_path])
        request = ChatRequest(
            bot,
            [Message("user", message, attachments)],
            chat=known.ref if known else None,
            parameters=parameters or {},
            suggest_replies=suggest_replies,
        )
        folder = ChunkFolder(author=bot)
        if known is not None:
            # So that the first chunk already names the chat.
            folder.feed(ChatStarted(known.chat_id, known.chat_code, known.title))
        async with aclosing(self._chunks(resending.stream(self.client, request), folder, timeout)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def retry_message(
        self, chatCode: str, suggest_replies: bool = False, timeout: float = _TIMEOUT
    ) -> AsyncGenerator[Chunk, None]:
        """Let the bot answer the chat's last question again; the chunks have no `msgPrice`."""
        chat, messages = await self.client.chats.open(chatCode)
        self.remember(chat)
        not_bots = ("human", "chat_break")
        author = next((message.author for message in reversed(messages) if message.author not in not_bots), None)
        folder = ChunkFolder(author=author, with_price=False)
        folder.feed(ChatStarted(chat.chat_id, chatCode, chat.title))
        events = resending.resent(lambda: self.client.regenerate(chat.ref, suggest_replies=suggest_replies))
        async with aclosing(self._chunks(events, folder, timeout)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _chunks(
        self, events: AsyncGenerator[Event, None], folder: ChunkFolder, timeout: float
    ) -> AsyncGenerator[Chunk, None]:
        chat: ChatSummary | None = None
        # The original's default of five seconds would end the answer of every bot that thinks first.
        async with aclosing(within(events, None if timeout == _TIMEOUT else timeout)) as bounded:
            async for event in bounded:
                if isinstance(event, ChatStarted):
                    chat = ChatSummary(event.chat_id, event.chat_code, event.title)
                    self.remember(chat)
                elif isinstance(event, ChatTitled) and chat is not None:
                    self.remember(replace(chat, title=event.title))
                if (chunk := folder.feed(event)) is not None:
                    yield chunk

    async def cancel_message(self, chunk: Mapping[str, Any] | int) -> None:
        """Stop the answer that a chunk is part of, or that has this message id."""
        known: Mapping[str, Any] = {"messageId": chunk} if isinstance(chunk, int) else chunk
        text = known.get("text") or ""
        await self.client.stop(known.get("chatId"), message_id=known.get("messageId"), text_length=len(text))

    async def chat_break(self, bot: str, chatId: int | None = None, chatCode: str | None = None) -> None:
        """Let the bot forget what was said in a chat so far."""
        await self.client.chats.clear_context((await self.ref_of(bot, chatId, chatCode)).chat_id)

    async def delete_message(self, message_ids: int | Iterable[int]) -> None:
        """Delete messages."""
        await self.client.chats.delete_messages([message_ids] if isinstance(message_ids, int) else message_ids)

    async def purge_conversation(
        self, bot: str, chatId: int | None = None, chatCode: str | None = None, count: int = 50, del_all: bool = False
    ) -> None:
        """Delete the newest `count` messages of a chat, or all of them; never more than asked."""
        chat = await self.ref_of(bot, chatId, chatCode)
        await self.client.chats.purge(chat.chat_id, None if del_all else count)

    async def purge_all_conversations(self) -> None:
        """Delete the messages of all chats of the account."""
        await self.client.chats.purge_all()

    async def delete_chat(
        self,
        bot: str,
        chatId: int | Sequence[int] | None = None,
        chatCode: str | Sequence[str] | None = None,
        del_all: bool = False,
    ) -> None:
        """Delete the chats that are named, or all with a bot. Raises `ValueError` where neither is asked for."""
        if del_all:
            await self.client.chats.delete_all(bot)
            return
        ids = [chatId] if isinstance(chatId, int) else list(chatId or ())
        for code in [chatCode] if isinstance(chatCode, str) else chatCode or ():
            ids.append((await self.ref_of(bot, None, code)).chat_id)
        # A call that names nothing must not mean all chats.
        if not ids:
            raise ValueError("name chats by chatId or chatCode, or say del_all")
        await self.client.chats.delete(*ids)
        for chat_id in ids:
            self._known_chats.pop(chat_id, None)

    async def get_chat_history(
        self, bot: str | None = None, count: int | None = None, interval: int = 50, cursor: str | None = None
    ) -> dict[str, Any]:
        """The chats, newest first, grouped by bot: `{"data": {bot: [...]}, "cursor": ...}`.

        With `count` one page, and the cursor behind it (`None` at the end); without it all, `interval` at a time.
        """
        data: dict[str, list[dict[str, Any]]] = {}
        at: str | int | None = cursor
        while True:
            page = await self.client.chats.history_page(bot, count=count or interval, cursor=at)
            for chat in page.items:
                self.remember(chat)
                data.setdefault(bot or chat.bot or "", []).append(_thread(chat))
            # A server that repeats itself must not keep us here.
            if count is not None or page.cursor is None or page.cursor == at:
                return {"data": data, "cursor": page.cursor if count is not None else None}
            at = page.cursor

    # The names below are the original's, capital letters included.
    async def get_threadData(
        self, bot: str = "", chatCode: str | None = None, chatId: int | None = None
    ) -> dict[str, Any]:
        """One chat: by its code or number, else the newest with the bot. Raises `CHAT_NOT_FOUND`."""
        if chatId is not None and chatCode is None:
            return _thread(await self.client.chats.find(bot or None, chat_id=chatId))
        return _thread(await self.chat_of(bot, None, chatCode))

    async def get_previous_messages(  # noqa: PLR0917 - the original's signature
        self,
        bot: str,
        chatId: int | None = None,
        chatCode: str | None = None,
        count: int = 50,
        get_all: bool = False,
        include_extended: bool = False,
    ) -> list[dict[str, Any]]:
        """The newest `count` messages of a chat, or all of them, oldest first."""
        chat = await self.ref_of(bot, chatId, chatCode)
        found: list[StoredMessage] = []
        async with aclosing(self.client.chats.messages(chat.chat_id)) as messages:
            async for message in messages:
                if not get_all and len(found) >= count:
                    break
                found.append(message)
        return [_stored(message, include_extended) for message in reversed(found)]

    async def share_chat(
        self, bot: str, chatId: int | None = None, chatCode: str | None = None, count: int | None = None
    ) -> str | None:
        """Make a chat readable for who has the returned code."""
        return await self.client.chats.share(await self.ref_of(bot, chatId, chatCode), count)

    async def import_chat(self, bot: str = "", shareCode: str = "") -> dict[str, Any] | None:
        """Continue a shared chat with a bot, in a new chat."""
        chat = await self.client.chats.import_shared(shareCode, bot)
        self.remember(chat)
        return {"chatId": chat.chat_id, "chatCode": chat.chat_code}

    async def get_citations(self, messageId: int) -> list[dict[str, Any]] | None:
        """The sources that an answer names; `None` if there are none."""
        return [citation.raw for citation in await self.client.chats.citations(messageId)] or None

    async def set_context_optimization(self, chat_id: int, enabled: bool) -> dict[str, Any]:
        """Let Poe shorten what the bot is given of a long chat, or not; returns Poe's answer."""
        name = "ChatSettingsModal_ChatSetContextOptimization_Mutation"
        return await self.send_request(
            query_name=name, variables={"chatId": chat_id, "isContextOptimizationOn": enabled}
        )


def _thread(chat: ChatSummary) -> dict[str, Any]:
    return {"chatId": chat.chat_id, "chatCode": chat.chat_code, "id": chat.id, "title": chat.title}


def _stored(message: StoredMessage, extended: bool) -> dict[str, Any]:
    plain = {
        "author": message.author,
        "text": message.text,
        "messageId": message.message_id,
        "contentType": message.content_type,
    }
    if not extended:
        return plain
    # In microseconds, as the original has it.
    created = None if message.created_at is None else round(message.created_at * 1_000_000)
    return {**plain, "state": message.state, "creationTime": created}
