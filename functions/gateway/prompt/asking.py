"""How an account is asked: natively or in words, reading what was asked for out of the answer, one try at a correction.

Poe's web API takes one message of text. What a request wants beyond that is told to the model in the message, and the
model's answer is read for it. The official API knows more, but not each of its endpoints does: what one has no word for
is told there, too. An answer that can't be used is asked for once more, of the same model, with what was wrong with it;
a second one that can't be used is an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import astuple, dataclass, replace
from typing import TypeVar

from accounts import AccountKind, Lease
from gateway.http.errors import UPSTREAM, GatewayError
from gateway.prompt.answer_readers import Correction, Reading, reading_of, reading_of_native
from gateway.prompt.conversations import Conversation
from gateway.prompt.refused_options import RefusedOptions
from gateway.prompt.request import ChatCall
from reverse.chat import ChatRef, ChatRequest, Message, PoeClient
from reverse.errors import ErrorCode, PoeError
from reverse.events import ChatStarted, Event, Finished, FinishReason, TextDelta, TextReplaced, UsageReported

# What Poe says of a chat that was deleted is not known for certain: the words that it may be, none of which another
# account would have to be asked about.
_CHAT_MAY_BE_LOST = frozenset(
    {ErrorCode.CHAT_NOT_FOUND, ErrorCode.INVALID_REQUEST, ErrorCode.BOT_FAILED, ErrorCode.PROTOCOL}
    | {ErrorCode.UPSTREAM_FAILED}
)

# So much is read in a few milliseconds.
_AT_ONCE_CHARS = 32 * 1024

T = TypeVar("T")
Correct = Callable[[ChatRequest, Correction, ChatStarted | None], ChatRequest | None]
"""Makes the request for a corrected answer, given the Poe chat that the first one is in, if it is in one; `None` where
the model can't be asked again."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks for one chat completion, whichever kind of account was leased."""

    call: ChatCall
    bot: str
    refused: RefusedOptions
    conversation: Conversation | None = None

    def __call__(self, client: PoeClient, lease: Lease) -> AsyncGenerator[Event, None]:
        """The answer's events. Raises `PoeError`, and `GatewayError` for an answer that can't be used."""
        if lease.account.kind is AccountKind.OFFICIAL:
            request = self.call.build(self.bot, AccountKind.OFFICIAL)
            if self.call.response_format is None and not request.stop:
                return self.refused.stream(client, request)
            return self._ask_official(client, request)
        if self.conversation is None and not self.call.specs.tools and self.call.response_format is None:
            return client.stream(self.call.build(self.bot, AccountKind.WEB))
        return self._ask_web(client, lease)

    async def _ask_official(self, client: PoeClient, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Natively; what the model's endpoint does not take is left to the gateway, which sees to it in any case."""
        reading = reading_of_native(self.call)
        while True:
            try:
                async with aclosing(self._read(client, request, reading, _with_the_conversation)) as events:
                    async for event in events:
                        yield event
                return
            except PoeError as error:
                # Such an error is raised before anything is sent.
                if error.code is not ErrorCode.UNSUPPORTED_FEATURE:
                    raise
                if error.param == "stop" and request.stop:
                    request = replace(request, stop=())
                elif error.param == "response_format" and request.response_format is not None:
                    request, reading = self._told_the_format(request), reading_of_native(self.call, knows_format=False)
                else:
                    raise

    async def _ask_web(self, client: PoeClient, lease: Lease) -> AsyncGenerator[Event, None]:
        """In the Poe chat that holds the beginning of the conversation; anew where there is none, or it is lost."""
        going_on = self.conversation.continuation(lease.account.id) if self.conversation else None
        reading = reading_of(self.call)
        if going_on is not None:
            request = self.call.web_request(self.bot, going_on.turns, reading.protocol, going_on.chat)
            is_silent = True
            try:
                async with aclosing(self._read(client, request, reading, _in_the_chat)) as events:
                    async for event in events:
                        is_silent = False
                        yield event
                return
            except PoeError as error:
                if error.code not in _CHAT_MAY_BE_LOST or not is_silent:
                    raise
            reading = reading_of(self.call)
        request = self.call.web_request(self.bot, self.call.turns, reading.protocol)
        async with aclosing(self._read(client, request, reading, _in_the_chat)) as events:
            async for event in events:
                yield event

    async def _read(
        self, client: PoeClient, request: ChatRequest, reading: Reading, correct: Correct
    ) -> AsyncGenerator[Event, None]:
        """The answer as it reads, corrected if need be."""
        answer = _Answer(reading)
        async with aclosing(answer.follow(self.refused.stream(client, request))) as events:
            async for event in events:
                yield self._noted(event)
        again = correct(request, reading.correction, answer.chat) if reading.correction else None
        if again is not None:
            async with aclosing(answer.follow(self.refused.stream(client, again))) as events:
                async for event in events:
                    yield self._noted(event)
        if (failure := reading.failure) is not None:
            raise GatewayError(UPSTREAM, failure.message, code=failure.code)
        if answer.reason is not None:
            yield Finished(reading.reason(answer.reason))

    def _told_the_format(self, request: ChatRequest) -> ChatRequest:
        """The request to an endpoint that has no word for a format."""
        if self.call.response_format is None:
            return request
        rule = Message("system", self.call.response_format.instructions())
        return replace(request, messages=(rule, *request.messages), response_format=None)

    def _noted(self, event: Event) -> Event:
        if self.conversation is not None:
            self.conversation.observe(event)
        return event


def _in_the_chat(request: ChatRequest, correction: Correction, chat: ChatStarted | None) -> ChatRequest | None:
    if chat is None:
        return None
    return replace(request, messages=(Message("user", correction.text),), chat=ChatRef(chat.chat_id, chat.chat_code))


def _with_the_conversation(request: ChatRequest, correction: Correction, _chat: ChatStarted | None) -> ChatRequest:
    answered = [Message("assistant", correction.answer)] if correction.answer.strip() else []
    # An endpoint may have left the rule out without a word.
    told = Message("user", f"{correction.text}\n{correction.rule}")
    return replace(request, messages=(*request.messages, *answered, told))


class _Answer:
    """An answer that may come in two messages: each is read in its turn, and what both cost is added up."""

    def __init__(self, reading: Reading) -> None:
        self.chat: ChatStarted | None = None
        """Where the answer is."""
        self.reason: FinishReason | None = None
        """Why its last message ended; `None` if the upstream did not say."""
        self._reading = reading
        self._spent = UsageReported()
        # Of the message under way.
        self._chars = 0

    async def follow(self, stream: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The events of one message as they read, without its end."""
        before = self._spent
        self.reason = None
        async with aclosing(stream) as events:
            async for event in events:
                match event:
                    case Finished(reason):
                        self.reason = reason
                        break
                    case ChatStarted():
                        if self.chat is not None:
                            continue
                        self.chat = event
                    case UsageReported():
                        self._spent = _sum(before, event)
                for read in await self._feed(self._spent if isinstance(event, UsageReported) else event):
                    yield read
        if self.reason is not None:
            for read in await self._finish(self.reason):
                yield read

    async def _feed(self, event: Event) -> list[Event]:
        size = len(event.text) if isinstance(event, TextDelta | TextReplaced) else 0
        self._chars += size
        return await _off_the_loop(self._reading.feed, event) if size > _AT_ONCE_CHARS else self._reading.feed(event)

    async def _finish(self, reason: FinishReason) -> list[Event]:
        """What was held back is read now, all of it."""
        chars, self._chars = self._chars, 0
        return (
            await _off_the_loop(self._reading.finish, reason)
            if chars > _AT_ONCE_CHARS
            else self._reading.finish(reason)
        )


async def _off_the_loop(read: Callable[[T], list[Event]], value: T) -> list[Event]:
    """Read in a thread, so that keep-alive, deadline and other requests go on meanwhile.

    Cancelled, it does not wait: the reading ends soon by itself, and nobody looks at it any more.
    """
    return await asyncio.to_thread(read, value)


def _sum(before: UsageReported, now: UsageReported) -> UsageReported:
    pairs = zip(astuple(before), astuple(now), strict=True)
    return UsageReported(*(None if a is None and b is None else (a or 0) + (b or 0) for a, b in pairs))
