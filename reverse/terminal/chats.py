"""Chat operations for the terminal: one class for each kind of account, with the same methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import field
from typing import Protocol

from lazy_dataclasses import dataclass
from reverse import resending
from reverse.chat import Attachment, ChatRef, ChatRequest, Message, PointsReading
from reverse.errors import ErrorCode, poe_error
from reverse.events import ChatStarted, Event, Finished, TextDelta, TextReplaced
from reverse.official import PoeOfficialClient
from reverse.web import ChatSummary, PoeWebClient

_LISTED = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chat's history."""

    speaker: str
    text: str = field(repr=False)


class BotChat(Protocol):
    """The chat with one bot. Every method raises `PoeError`; what an account can't do is `UNSUPPORTED_FEATURE`."""

    bot: str
    suggests: bool
    """Whether suggested replies are waited for, where there are any."""

    def ask(self, text: str, attachments: Sequence[Attachment] = ()) -> AsyncGenerator[Event, None]:
        """Ask, and yield what happens."""

    def retry(self) -> AsyncGenerator[Event, None]:
        """Let the bot answer the last question again."""

    def begin(self, bot: str) -> None:
        """Begin a new chat."""

    async def bots(self, text: str) -> list[str]:
        """The names of bots that match a text; with an empty one the account's own list."""

    async def chats(self) -> list[ChatSummary]:
        """The newest chats."""

    async def open(self, chat: ChatSummary | str) -> None:
        """Go on with a chat: one of `chats`, or a code."""

    async def history(self, count: int) -> list[Line]:
        """The newest messages of this chat, oldest first."""

    async def forget(self) -> None:
        """Let the bot forget what was said, but keep it readable."""

    async def purge(self) -> None:
        """Delete the messages of this chat."""

    async def purge_all(self) -> None:
        """Delete the messages of all chats."""

    async def delete(self) -> None:
        """Delete this chat."""

    async def points(self) -> PointsReading:
        """Read the balance."""


class WebChat:
    """A chat that Poe keeps."""

    def __init__(self, client: PoeWebClient, bot: str) -> None:
        self._client = client
        self.bot = bot
        self.suggests = False
        self._chat: ChatRef | None = None

    async def ask(self, text: str, attachments: Sequence[Attachment] = ()) -> AsyncGenerator[Event, None]:
        """See `BotChat`; the chat is the one that the first question began."""
        message = Message("user", text, tuple(attachments))
        request = ChatRequest(self.bot, [message], chat=self._chat, suggest_replies=self.suggests)
        async with aclosing(resending.stream(self._client, request)) as events:
            async for event in events:
                if isinstance(event, ChatStarted):
                    known = self._chat.chat_code if self._chat else None
                    # Later answers of a chat come without its code.
                    self._chat = ChatRef(event.chat_id, event.chat_code or known)
                yield event

    async def retry(self) -> AsyncGenerator[Event, None]:
        """See `BotChat`."""
        chat, suggests = self._current(), self.suggests
        asked = resending.resent(lambda: self._client.regenerate(chat, suggest_replies=suggests))
        async with aclosing(asked) as events:
            async for event in events:
                yield event

    def begin(self, bot: str) -> None:
        """See `BotChat`; Poe learns of it with the first question."""
        self.bot, self._chat = bot, None

    async def bots(self, text: str) -> list[str]:
        """See `BotChat`."""
        found: list[str] = []
        if text:
            async with aclosing(self._client.bots.search(text)) as handles:
                async for handle in handles:
                    found.append(handle)
                    if len(found) == _LISTED:
                        break
            return found
        async with aclosing(self._client.bots.available()) as bots:
            async for bot in bots:
                found.append(bot.handle)
                if len(found) == _LISTED:
                    break
        return found

    async def chats(self) -> list[ChatSummary]:
        """See `BotChat`."""
        return list((await self._client.chats.history_page(count=_LISTED)).items)

    async def open(self, chat: ChatSummary | str) -> None:
        """See `BotChat`."""
        if isinstance(chat, str):
            chat, _ = await self._client.chats.open(chat)
        self._chat = chat.ref
        self.bot = chat.bot or self.bot

    async def history(self, count: int) -> list[Line]:
        """See `BotChat`."""
        if self._chat is None:
            return []
        found: list[Line] = []
        async with aclosing(self._client.chats.messages(self._chat.chat_id)) as messages:
            async for message in messages:
                if len(found) == count:
                    break
                found.append(Line("you" if message.author == "human" else message.author, message.text))
        return found[::-1]

    async def forget(self) -> None:
        """See `BotChat`."""
        await self._client.chats.clear_context(self._current().chat_id)

    async def purge(self) -> None:
        """See `BotChat`."""
        await self._client.chats.purge(self._current().chat_id)

    async def purge_all(self) -> None:
        """See `BotChat`."""
        await self._client.chats.purge_all()

    async def delete(self) -> None:
        """See `BotChat`."""
        await self._client.chats.delete(self._current().chat_id)
        self._chat = None

    async def points(self) -> PointsReading:
        """See `BotChat`."""
        return await self._client.points()

    def _current(self) -> ChatRef:
        if self._chat is None:
            raise poe_error(ErrorCode.CHAT_NOT_FOUND, "nothing was said in this chat yet")
        return self._chat


class OfficialChat:
    """A chat that is kept here and sent whole with every question, because the documented API keeps none."""

    def __init__(self, client: PoeOfficialClient, bot: str) -> None:
        self._client = client
        self.bot = bot
        self.suggests = False
        self._messages: list[Message] = []

    async def ask(self, text: str, attachments: Sequence[Attachment] = ()) -> AsyncGenerator[Event, None]:
        """See `BotChat`; a question without a whole answer is not kept."""
        question = Message("user", text, tuple(attachments))
        answer = ""
        request = ChatRequest(self.bot, [*self._messages, question])
        async with aclosing(resending.stream(self._client, request)) as events:
            async for event in events:
                match event:
                    case TextDelta(more):
                        answer += more
                    case TextReplaced(whole):
                        answer = whole
                    case Finished():
                        self._messages += [question, Message("assistant", answer)]
                yield event

    async def retry(self) -> AsyncGenerator[Event, None]:
        """See `BotChat`."""
        if not self._messages:
            raise poe_error(ErrorCode.CHAT_NOT_FOUND, "nothing was said in this chat yet")
        question, before = self._messages[-2], self._messages[:]
        self._messages = before[:-2]
        try:
            async with aclosing(self.ask(question.text, question.attachments)) as events:
                async for event in events:
                    yield event
        finally:
            # The new answer did not come: the old one stays.
            if len(self._messages) < len(before):
                self._messages = before

    def begin(self, bot: str) -> None:
        """See `BotChat`."""
        self.bot, self._messages = bot, []

    async def bots(self, text: str) -> list[str]:
        """See `BotChat`."""
        names = [model.id for model in await self._client.models()]
        return [name for name in names if text.lower() in name.lower()][:_LISTED]

    async def chats(self) -> list[ChatSummary]:
        """Not offered."""
        raise _not_offered()

    async def open(self, chat: ChatSummary | str) -> None:  # noqa: ARG002 - part of the protocol
        """Not offered."""
        raise _not_offered()

    async def history(self, count: int) -> list[Line]:
        """See `BotChat`."""
        lines = [Line("you" if message.role == "user" else self.bot, message.text) for message in self._messages]
        return lines[-count:]

    async def forget(self) -> None:
        """See `BotChat`."""
        self._messages = []

    async def purge(self) -> None:
        """See `BotChat`."""
        self._messages = []

    async def purge_all(self) -> None:
        """Not offered."""
        raise _not_offered()

    async def delete(self) -> None:
        """See `BotChat`."""
        self._messages = []

    async def points(self) -> PointsReading:
        """See `BotChat`."""
        return await self._client.points()


def _not_offered() -> Exception:
    return poe_error(ErrorCode.UNSUPPORTED_FEATURE, "the documented API keeps no chats")
