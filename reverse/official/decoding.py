"""What the decoders of all endpoints share: how an answer ends, and what counts as one. Pure."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, TypeVar

from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
    UrlCited,
    UsageReported,
)
from reverse.json_text import parse_object
from reverse.kept_thinking import KeptThinking
from reverse.official.failures import failure_of_error
from reverse.official.half_pairs import HalfPairs
from reverse.official.json_values import JSONObject, number_at, object_at, text_at
from reverse.official.media_links import find_media
from reverse.official.sse import ServerSentEvent

# Files are announced in short answers. Text beyond this is not kept for the search.
_MEDIA_SEARCH_CHARS = 65_536

_Text = TypeVar("_Text", TextDelta, TextReplaced)


def new_call_id() -> str:
    """An id for a tool call to which the upstream gave none of its own."""
    return f"call_{uuid.uuid4().hex[:24]}"


def measured_usage(
    *, prompt: int | None, completion: int | None, cached: int | None = None, reasoning: int | None = None
) -> UsageReported | None:
    """Usage without the numbers that mean nothing; `None` where none is left.

    A negative number measures nothing. Nor does a zero for the prompt, or for the answer: it stands where the upstream
    did not count, as in recorded answers that call tools (docs/reference/poe-official.md#usage).
    """
    counted = [value if value is not None and value > 0 else None for value in (prompt, completion)]
    if counted == [None, None]:
        return None
    details = [value if value is not None and value >= 0 else None for value in (cached, reasoning)]
    return UsageReported(*counted, *details)


MAX_CITATIONS = 200


def url_citation(values: JSONObject) -> UrlCited | None:
    """A citation in the form of OpenAI's APIs, one of which nests it; `None` for annotations of another kind."""
    found = object_at(values, "url_citation") or values
    url = text_at(found, "url")
    if not url or text_at(values, "type") not in (None, "url_citation"):
        return None
    start, end = number_at(found, "start_index"), number_at(found, "end_index")
    # Zero to zero is how some say that they do not know.
    is_place = start is not None and end is not None and 0 <= start < end
    return UrlCited(url, text_at(found, "title"), start if is_place else None, end if is_place else None)


class CallIds:
    """Gives every tool call of one answer an id that no other has: upstreams leave ids out, or use one twice."""

    def __init__(self, new_id: Callable[[], str] = new_call_id) -> None:
        self._new_id = new_id
        self._given: set[str] = set()

    def own(self, wire_id: str | None) -> str:
        """The upstream's id, if it is one that was not used before."""
        # Results are told apart by it: two calls with one id could not both be answered.
        own = wire_id if wire_id and wire_id not in self._given else self._new_id()
        self._given.add(own)
        return own


class AnswerDecoder(ABC):
    """Decodes one answer: feed events to `decode`, then call `end` when the stream ends.

    `is_complete` says that `Finished` was returned and the stream need not be read further. `awaits_trailer` says that
    the answer has its reason for ending and only usage or an end mark can follow.
    """

    operation: ClassVar[str]

    def __init__(self) -> None:
        # Plain attributes, because they are looked at for every piece of the answer.
        self.is_complete = False
        self.awaits_trailer = False
        self._reason: FinishReason | None = None
        self._kept: list[str] = []
        self._kept_chars = 0
        self._files: set[str] = set()
        self._cited: set[UrlCited] = set()
        self._said_something = False
        self._without_arguments: dict[int, None] = {}  # calls, in their order
        self._called = False
        self._halves = HalfPairs()
        self._kept_thinking: KeptThinking | None = KeptThinking()  # `None` once the answer itself has begun

    def decode(self, event: ServerSentEvent) -> list[Event]:
        """Decode one server-sent event. Raises `PoeError` for an error event and for what can't be understood."""
        data, halves = event.data, self._halves
        # Only answers with half a surrogate pair in them pay for mending. Most have no escape at all, which a look for
        # one character tells.
        if halves.held or ("\\" in data and ("\\ud" in data or "\\uD" in data)):
            return halves.mend(self.decode_one(event))
        return self.decode_one(event)

    def decode_one(self, event: ServerSentEvent) -> list[Event]:
        """Decode one server-sent event by itself."""
        values = parse_object(event.data)
        if values is not None:
            return self.decode_event(values)
        # OpenAI's end mark, which is no JSON.
        return self.finish() if event.data.startswith("[DONE]") else self.decode_event(self.parse(event))

    @abstractmethod
    def decode_event(self, values: JSONObject) -> list[Event]:
        """Decode one parsed event; types that say nothing about the answer are passed over."""

    @abstractmethod
    def decode_whole(self, answer: JSONObject) -> list[Event]:
        """Decode an answer that came as one JSON object, to its end. Raises as `decode` does."""

    def end(self) -> list[Event]:
        """The stream ended. Raises a `protocol` error when the answer had not."""
        if self.is_complete:
            return []
        # Without a reason nobody knows whether the answer is whole, and "whole" would be a lie.
        if self._reason is None:
            raise poe_error(
                ErrorCode.PROTOCOL, "the stream ended before the answer was finished", operation=self.operation
            )
        return self._halves.mend(self.finish())

    def parse(self, event: ServerSentEvent) -> JSONObject:
        """The event's data. Raises a `protocol` error when it is no JSON object."""
        values = parse_object(event.data)
        if values is None:
            raise poe_error(ErrorCode.PROTOCOL, "an event is not a JSON object", operation=self.operation)
        return values

    def note_finish(self, reason: FinishReason) -> None:
        """Remember why the answer ended; the first reason counts."""
        # What follows the end, such as usage, may name another one or none.
        self._reason = self._reason or reason
        self.awaits_trailer = not self.is_complete

    def finish(self) -> list[Event]:
        """The last events: files in the text, then `Finished`. Raises when the answer said nothing at all.

        Calls of tools that take no arguments come without any from some providers; arguments are JSON in any case.
        """
        self.is_complete, self.awaits_trailer = True, False
        held = self._noted_all(self._kept_thinking.end()) if self._kept_thinking is not None else []
        reason = self._reason or FinishReason.STOP
        if reason is FinishReason.TOOL_CALLS and not self._called:
            reason = FinishReason.STOP  # some upstreams say so where the model only wrote text
        files: list[Event] = [file for file in find_media("".join(self._kept)) if self._is_new(file)]
        # Reported as a failure, so that another try can be made; an answer cut at zero tokens is none.
        if reason is FinishReason.STOP and not self._said_something and not files:
            raise poe_error(ErrorCode.EMPTY_ANSWER, operation=self.operation)
        is_cut = reason not in (FinishReason.STOP, FinishReason.TOOL_CALLS)
        # Of an answer that was cut the arguments may be missing because of the cut.
        calls = [] if is_cut else [ToolCallDelta(index, "{}") for index in self._without_arguments]
        return [*held, *calls, *files, Finished(reason)]

    def raise_error(self, values: JSONObject) -> None:
        """Raise the error that an `error` member of `values` stands for, if there is one."""
        error = values.get("error")
        if error:
            found = object_at(values, "error") or {"message": str(error)}
            raise failure_of_error(found, operation=self.operation)

    def text(self, event: _Text) -> _Text:
        """Note text of the answer and hand it on."""
        if isinstance(event, TextReplaced):
            self._kept.clear()
            self._kept_chars = 0
        self._said_something = self._said_something or bool(event.text)
        if self._kept_chars < _MEDIA_SEARCH_CHARS:
            self._kept.append(event.text)
            self._kept_chars += len(event.text)
        return event

    def plain_text(self, text: str) -> list[Event]:
        """As `said`, for the piece of text that nearly every event is."""
        if self._kept_thinking is not None:
            return self.said(text)
        self._said_something = True
        if self._kept_chars < _MEDIA_SEARCH_CHARS:
            self._kept.append(text)
            self._kept_chars += len(text)
        return [TextDelta(text)]

    def said(self, text: str) -> list[Event]:
        """Text of an answer that may begin with thinking; the rest is noted as by `text`."""
        kept = self._kept_thinking
        if kept is None:
            return [self.text(TextDelta(text))]
        events = self._noted_all(kept.feed(text))
        if kept.is_over:
            self._kept_thinking = None
        return events

    def said_instead(self, text: str) -> list[Event]:
        """The same for text that replaces all before it."""
        # The new text begins anew, thoughts included.
        kept = self._kept_thinking = KeptThinking()
        events = self._noted_all(kept.feed(text))
        thoughts: list[Event] = [event for event in events if isinstance(event, ReasoningDelta)]
        answer = "".join(event.text for event in events if isinstance(event, TextDelta))
        return [*thoughts, self.text(TextReplaced(answer))]

    def _noted_all(self, events: Sequence[TextDelta | ReasoningDelta]) -> list[Event]:
        return [self.text(event) if isinstance(event, TextDelta) else self.reasoning(event) for event in events]

    def reasoning(self, event: ReasoningDelta) -> ReasoningDelta:
        """Note reasoning and hand it on."""
        self._said_something = True
        return event

    def call(self, event: ToolCallDelta) -> ToolCallDelta:
        """Note a tool call and hand it on."""
        self._said_something = self._called = True
        if event.arguments:
            self._without_arguments.pop(event.index, None)
        elif event.id is not None:
            self._without_arguments[event.index] = None
        return event

    def file(self, event: FileAttached) -> list[Event]:
        """Note a file and hand it on, once."""
        self._said_something = True
        return [event] if self._is_new(event) else []

    def cited(self, citations: Iterable[UrlCited | None]) -> list[Event]:
        """Note citations and hand them on, each once."""
        new = [one for one in dict.fromkeys(citations) if one is not None and one not in self._cited]
        # Bounded: an answer that cites without end would be held in memory.
        self._cited |= {*new[: MAX_CITATIONS - len(self._cited)]}
        return [one for one in new if one in self._cited]

    def _is_new(self, file: FileAttached) -> bool:
        # Bots name a file as an event and again as a link in the text.
        if file.url in self._files:
            return False
        self._files.add(file.url)
        return True
