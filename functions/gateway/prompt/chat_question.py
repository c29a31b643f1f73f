"""How an account is asked: natively or in words, and how what was asked for is read out of the answer.

Poe's web API takes one message of text. What a request wants beyond that is told to the model in the message, and the
model's answer is read for it. The official API knows more, but not each of its endpoints does: what one has no word for
is told there, too. An answer that can't be used is rejected; what then happens is the plan's decision
(`gateway.generation.plan`), and the changes that it may ask for are made here.

An option that the answering model turns out to refuse is left out of the next send, and told to the caller: many
programs send a reasoning effort with every request, and what a model takes is often not known before it is asked. The
upstream checks a request before it begins to answer, so that the refused one costs nothing but its round trip.

Where the web is searched and no citations come in a form of their own, the links in the text are what it cites: not
every endpoint of Poe has such a form.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Set
from contextlib import aclosing
from dataclasses import field, replace
from typing import TypeVar

from accounts import AccountKind, Lease
from gateway.generation.rules import Change
from gateway.generation.task import AnswerRejectedError, bot_protocol_change
from gateway.prompt.answer_readers import AnswerReader, Correction, RequiredCallReader, native_reader, worded_reader
from gateway.prompt.conversations import CallExtras, Continuation, Conversation
from gateway.prompt.request import GenerationRequest
from lazy_dataclasses import dataclass
from reverse.chat import ChatRef, ChatRequest, Message, PoeClient
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import ChatStarted, Event, Finished, FinishReason, TextDelta, TextReplaced, UrlCited, UsageReported

_REFUSALS = frozenset({ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED_FEATURE})
_EFFORT = "reasoning_effort"
# What the endpoints of the official API call the same thing.
_BLAMED = {"reasoning": _EFFORT, "reasoning.effort": _EFFORT, "output_config.effort": _EFFORT}


@dataclass(slots=True)
class RefusedOptions:
    """Of one request, which may be several generations."""

    doubtful: Set[str]
    """Fields that may be left out if need be: the model does not say that it takes them."""
    names: set[str] = field(default_factory=set)
    """Those that were refused so far."""

    def without(self, request: ChatRequest) -> ChatRequest:
        """The request without what was refused."""
        if self.names.isdisjoint(request.parameters):
            return request
        kept = {name: value for name, value in request.parameters.items() if name not in self.names}
        return replace(request, parameters=kept)

    def blamed(self, error: PoeError, request: ChatRequest) -> Set[str]:
        """What of the request the upstream blames; the effort where it does not say, because that is what it checks."""
        if error.code not in _REFUSALS:
            return frozenset()
        name = _BLAMED.get(error.param, error.param) if error.param else _EFFORT
        return {name} & self.doubtful & request.parameters.keys()


T = TypeVar("T")
# So much is read in a few milliseconds.
_AT_ONCE_CHARS = 32 * 1024
_NOT_TAKEN = (Delivery.NOT_SENT, Delivery.REFUSED)


class ChatQuestion:
    """Asks for one chat completion, whichever kind of account was leased. Implements `Question`."""

    def __init__(
        self,
        request: GenerationRequest,
        bot: str,
        refused: RefusedOptions,
        conversation: Conversation | None = None,
        extras: CallExtras | None = None,
    ) -> None:
        """`extras` is told what comes with the answer's calls."""
        self._extras = extras
        self._asked = request
        self._bot = bot
        self._refused = refused
        self._conversation = conversation
        # Changes that stay, once made.
        self._made: set[Change] = set()
        self._is_chat_spoilt = False
        # Of the last send: the request, how its answer is read (`None` for as it comes), where the answer is, and which
        # options its failure blames.
        self._request = ChatRequest(bot, ())
        self._reader: AnswerReader | None = None
        self._is_continued = False
        self._account_id = ""
        self._kind: AccountKind | None = None
        self._chat: ChatStarted | None = None
        self._blamed: frozenset[str] = frozenset()

    def ask(self, client: PoeClient, lease: Lease, change: Change | None) -> AsyncGenerator[Event, None]:
        """Send it once; see `Question`."""
        if change is Change.WITHOUT_OPTION:
            # Of the whole request: the other answers to it are asked without the option from the start.
            self._refused.names |= self._blamed
        elif change is not None:
            self._made.add(change)
        kind, account_id = lease.account.kind, lease.account.id
        # A correction needs the conversation that led to the answer. On another account, or without a chat, it is asked
        # anew.
        correction = self._correction(account_id) if change is Change.CORRECTION else None
        if correction is None:
            self._chat = None
            self._begin(kind, account_id)
        else:
            self._request = correction
        self._kind, self._account_id = kind, account_id
        self._request = self._refused.without(self._request)
        events = self._answer(client)
        # Links inside of JSON are values of the caller's, no citations.
        has_text = self._asked.response_format is None
        return with_cited_links(events) if self._asked.searches_the_web and has_text else events

    def changes(self, error: PoeError) -> frozenset[Change]:
        """The changes that would answer this failure of the last send."""
        request = self._request
        # Whatever Poe took stands in the chat now: going on there would show the model the question twice.
        self._is_chat_spoilt = self._is_chat_spoilt or error.delivery not in _NOT_TAKEN
        # Kept for `ask`: the plan may choose another change first.
        self._blamed = frozenset(self._refused.blamed(error, request))
        possible = set(bot_protocol_change(error))
        if self._blamed:
            possible.add(Change.WITHOUT_OPTION)
        if error.param == "stop" and request.stop:
            possible.add(Change.WITHOUT_STOP)
        if error.param == "response_format" and request.response_format is not None:
            possible.add(Change.FORMAT_IN_WORDS)
        # Only then can a lost chat be the reason, whatever the error says.
        if self._is_continued:
            possible.add(Change.NEW_CHAT)
        return frozenset(possible)

    def _answer(self, client: PoeClient) -> AsyncGenerator[Event, None]:
        if self._reader is not None:
            return self._read(client, self._reader)
        return client.stream(self._request) if self._extras is None else self._noting(client, self._extras)

    def _begin(self, kind: AccountKind, account_id: str) -> None:
        """Make the request that tells all that this account must be told."""
        asked = self._asked
        self._is_continued = False
        # An official account has no chats to continue: it is sent the whole conversation every time.
        if kind.traits.is_native:
            is_native = Change.FORMAT_IN_WORDS not in self._made
            self._reader = _native_reader(asked, knows_format=is_native)
            self._request = self._native_request(kind)
            return
        going_on = self._continuation(account_id)
        reads = self._conversation is not None or asked.specs.tools or asked.response_format is not None
        # A conversation needs a reader even where nothing is asked for: it observes what the answer was, to find it
        # again in the caller's history.
        self._reader = reader = worded_reader(asked) if reads else None
        protocol = reader.protocol if reader else None
        if going_on is None:
            self._request = asked.text_request(self._bot, kind, asked.turns, protocol)
            return
        self._is_continued = True
        self._request = asked.text_request(self._bot, kind, going_on.turns, protocol, going_on.chat)

    def _continuation(self, account_id: str) -> Continuation | None:
        """How to go on in the Poe chat that holds the beginning; anew where there is none, or it holds too much."""
        if self._conversation is None or self._is_chat_spoilt or Change.NEW_CHAT in self._made:
            return None
        return self._conversation.continuation(account_id)

    def _native_request(self, kind: AccountKind) -> ChatRequest:
        request = self._asked.build(self._bot, kind)
        if Change.WITHOUT_STOP in self._made:
            request = replace(request, stop=())
        if Change.BOT_PROTOCOL in self._made:
            request = replace(request, in_bot_protocol=True)
        if Change.FORMAT_IN_WORDS in self._made and self._asked.response_format is not None:
            rule = Message("system", self._asked.response_format.instructions())
            request = replace(request, messages=(rule, *request.messages), response_format=None)
        return request

    def _correction(self, account_id: str | None) -> ChatRequest | None:
        """The request for a corrected answer; `None` where the model can't be asked that."""
        correction = self._reader.correction if self._reader else None
        if correction is None:
            return None
        if self._kind is not None and self._kind.traits.is_native:
            return _with_the_conversation(self._request, correction)
        # A web account's correction is a further message in the chat of the answer, which only that account has.
        if self._chat is None or account_id not in (None, self._account_id):
            return None
        return _in_the_chat(self._request, correction, self._chat)

    async def _read(self, client: PoeClient, reader: AnswerReader) -> AsyncGenerator[Event, None]:
        """The answer as it reads. Raises `AnswerRejectedError` for one that can't be used."""
        reason: FinishReason | None = None
        has_begun = False
        chars = 0
        try:
            async with aclosing(client.stream(self._request)) as events:
                async for event in events:
                    # Held back: the reader may have text to pass on before it.
                    if isinstance(event, Finished):
                        reason = event.reason
                        break
                    if isinstance(event, ChatStarted):
                        self._chat = event
                    has_begun = has_begun or not isinstance(event, ChatStarted | UsageReported)
                    size = len(event.text) if isinstance(event, TextDelta | TextReplaced) else 0
                    chars += size
                    for read in await _read_sized(reader.feed, event, size):
                        yield self._noted(read)
            if reason is None:
                raise poe_error(ErrorCode.PROTOCOL, "the answer ended without its last event")
        except PoeError as error:
            if has_begun:
                error.delivery = Delivery.PARTIAL  # although nothing may have been shown yet
            raise
        # What was held back is read now, all of it.
        for read in await _read_sized(reader.finish, reason, chars):
            yield self._noted(read)
        if (failure := reader.failure) is not None:
            is_correctable = self._correction(None) is not None
            raise AnswerRejectedError(failure.message, failure.code, is_correctable=is_correctable)
        # After the check: once a caller has seen the end, a correction would come too late.
        yield Finished(reader.reason(reason))

    async def _noting(self, client: PoeClient, extras: CallExtras) -> AsyncGenerator[Event, None]:
        async with aclosing(client.stream(self._request)) as events:
            async for event in events:
                if type(event) is not TextDelta:
                    extras.note(event)
                yield event

    def _noted(self, event: Event) -> Event:
        if self._extras is not None:
            self._extras.note(event)
        if self._conversation is not None:
            self._conversation.observe(event)
        return event


def _native_reader(request: GenerationRequest, *, knows_format: bool) -> AnswerReader | None:
    """How the answer of a model is read that is told of tools and formats natively; `None` for as it comes."""
    if request.specs.must_call:
        return RequiredCallReader(request.specs)
    return None if request.response_format is None else native_reader(request, knows_format=knows_format)


async def _read_sized(read: Callable[[T], list[Event]], value: T, size: int) -> list[Event]:
    """Read at once, or a large piece in a thread: keep-alive, deadline and other requests go on meanwhile.

    Cancelled, it does not wait: the thread ends soon by itself, and nobody looks at its result any more.
    """
    return read(value) if size <= _AT_ONCE_CHARS else await asyncio.to_thread(read, value)


def _in_the_chat(request: ChatRequest, correction: Correction, chat: ChatStarted) -> ChatRequest:
    return replace(request, messages=(Message("user", correction.text),), chat=ChatRef(chat.chat_id, chat.chat_code))


def _with_the_conversation(request: ChatRequest, correction: Correction) -> ChatRequest:
    answered = [Message("assistant", correction.answer)] if correction.answer.strip() else []
    # An endpoint may have left the rule out without a word.
    told = Message("user", "\n".join(part for part in (correction.text, correction.rule) if part))
    return replace(request, messages=(*request.messages, *answered, told))


# A link of Markdown (`[title](address)`, `[[1]](address)`; no image), or an address alone.
# Possessive throughout, and bounded in its titles: read in time proportional to the text.
_ADDRESS = r"https?://[^\s<>()\[\]\"'`]++(?:\([^\s<>()]{0,200}+\)[^\s<>()\[\]\"'`]*+)*+"
_TITLE = r"[^\[\]\n]{0,300}+"
_LINK = (
    rf"(?<!!)\[(?:\[(?P<number>{_TITLE})\]|(?P<title>{_TITLE}))\]\((?P<linked>{_ADDRESS})[^()\n]{{0,300}}+\)"
    rf"|(?P<alone>{_ADDRESS})"
)
_PUNCTUATION = ".,;:!?*_"
_MAX_LINKS = 200


def links_in(text: str) -> Iterator[UrlCited]:
    """The links of a text and their places; each address once."""
    seen: set[str] = set()
    for match in re.finditer(_LINK, text):
        # Punctuation at the end belongs to the sentence; inside a link's parentheses it belongs to the address.
        url = match["linked"] or match["alone"].rstrip(_PUNCTUATION)
        if url in seen or len(seen) >= _MAX_LINKS:
            continue
        seen.add(url)
        title = (match["title"] or match["number"] or "").strip()
        end = match.end() if match["linked"] else match.start() + len(url)
        yield UrlCited(url, title or None, match.start(), end)


async def with_cited_links(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The events, with the links of the text as citations before the last one, where none came."""
    texts: list[str] = []
    is_cited = False
    async with aclosing(events):
        async for event in events:
            match event:
                case TextDelta(text):
                    texts.append(text)
                case TextReplaced(text):
                    texts = [text]
                case UrlCited():
                    is_cited = True
                case Finished() if not is_cited:
                    # Before the last event: nothing may follow `Finished`. The text is complete only here.
                    for link in links_in("".join(texts)):
                        yield link
            yield event
