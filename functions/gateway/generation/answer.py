"""An answer put together from its events, and the two ways to run a generation to its end.

Every surface collects through `Answer`. What it makes of the parts (choices, output items, content blocks) is its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

from gateway.generation.usage import TokenUsage
from gateway.http.sse import Put
from lazy_dataclasses import dataclass
from reverse.events import (
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    ReasoningSigned,
    RefusalDelta,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
    UrlCited,
    VideoJobStarted,
)

if TYPE_CHECKING:
    from gateway.generation.generation import Generation

PartKind = Literal["text", "refusal", "reasoning", "redacted", "tool_call"]


@dataclass(slots=True, eq=False)
class AnswerPart:
    """A stretch of one kind. `pieces` of a tool call are its arguments, which together are JSON text.

    Redacted reasoning has no pieces: there is only its `signature`.
    """

    kind: PartKind
    pieces: list[str] = field(default_factory=list, repr=False)
    call_id: str | None = None
    name: str = ""
    """The name of the called tool."""
    extra_content: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the provider wants back with a tool call (see `ToolCallDelta`)."""
    signature: str = field(default="", repr=False)
    """The provider's seal of reasoning (see `ReasoningSigned`)."""
    citations: list[UrlCited] = field(default_factory=list, repr=False)
    """Pages that a text cites."""

    @property
    def text(self) -> str:
        """All pieces so far."""
        return "".join(self.pieces)


class Answer:
    """One answer so far. `hides_reasoning` leaves visible reasoning out, as if it had not come."""

    def __init__(self, *, hides_reasoning: bool = False) -> None:
        self.parts: list[AnswerPart] = []
        """In the order in which they began. Pieces of parallel tool calls may arrive interleaved."""
        self.files: list[FileAttached] = []
        self.suggested_replies: list[str] = []
        self.citations: list[UrlCited] = []
        """All pages that are cited. Each belongs to a part with text, as soon as there is one."""
        self.finish_reason = FinishReason.STOP
        self.matched_stop: str | None = None
        """The stop sequence that ended the answer, where the gateway found it."""
        self.video_job_id: str | None = None
        self._hides_reasoning = hides_reasoning
        self._calls: dict[int, AnswerPart] = {}
        # Citations that came before the text that they belong to.
        self._waiting: list[UrlCited] = []
        self._final_text: str | None = None
        self._usage: TokenUsage | None = None

    def add(self, event: Event) -> AnswerPart | None:
        """Take in one event; returns the part that it belongs to, whose last piece it is, if it is a piece of one."""
        match event:
            case RefusalDelta(text):  # a kind of `TextDelta`
                return self._append("refusal", text)
            case TextDelta(text):
                return self._append("text", text)
            case ReasoningDelta(text):
                return None if self._hides_reasoning else self._append("reasoning", text)
            case ToolCallDelta():
                return self._append_call(event)
            case TextReplaced(text):
                return self._replace(text)
            case _:
                self._note(event)
        return None

    def _note(self, event: Event) -> None:
        """Take in what is no piece of a part."""
        match event:
            # Thinking can only be sent back with its own seal, so each seal stays with the reasoning that it came
            # after.
            case ReasoningSigned():
                self._seal(event)
            case UrlCited():
                self.citations.append(event)
                is_text = bool(self.parts) and self.parts[-1].kind == "text"
                (self.parts[-1].citations if is_text else self._waiting).append(event)
            case FileAttached():
                self.files.append(event)
            case SuggestedReply(text):
                self.suggested_replies.append(text)
            case VideoJobStarted(job_id):
                self.video_job_id = job_id
            case Finished(reason):
                self.finish_reason = reason

    def close(self, *, text: str, usage: TokenUsage, matched_stop: str | None = None) -> None:
        """Take in what is only known when the generation has ended: its text as shown, and what it consumed."""
        # An encoder need not collect plain text (see `AnswerEncoder.answer`), so the parts may lack some.
        self._final_text = text
        self._usage = usage
        self.matched_stop = matched_stop
        last = next((part for part in reversed(self.parts) if part.kind == "text"), None)
        if last is not None:
            last.citations += self._take_waiting()

    @property
    def text(self) -> str:
        """The text, refusals left out."""
        return self.joined("text") if self._final_text is None else self._final_text

    @property
    def tool_calls(self) -> list[AnswerPart]:
        """The tool calls by their index."""
        return [part for _, part in sorted(self._calls.items())]

    @property
    def usage(self) -> TokenUsage:
        """What the answer consumed. Raises `RuntimeError` before `close`."""
        if self._usage is None:
            raise RuntimeError("the answer has not ended")
        return self._usage

    def joined(self, kind: PartKind) -> str:
        """The text of all parts of a kind."""
        return "".join(part.text for part in self.parts if part.kind == kind)

    @property
    def thinking(self) -> list[AnswerPart]:
        """Reasoning that the provider wants back: what it has sealed."""
        return [part for part in self.parts if part.signature]

    def begin_of(self, part: AnswerPart) -> int:
        """Where in the answer's text a part with text begins."""
        before = self.parts[: self.parts.index(part)]
        return sum(len(piece) for one in before if one.kind == "text" for piece in one.pieces)

    def _replace(self, text: str) -> AnswerPart | None:
        # The text that was cited is gone: its citations belong to the text that follows.
        self._waiting = [*self.citations]
        self.parts = [part for part in self.parts if part.kind != "text"]
        return self._append("text", text) if text else None

    def _seal(self, event: ReasoningSigned) -> None:
        """Sealed reasoning takes no more text: what follows is a part of its own."""
        if event.is_redacted:
            self.parts.append(AnswerPart("redacted", signature=event.signature))
            return
        # A provider may seal thoughts that it does not show; they are sent back like the others.
        last = self.parts[-1] if self.parts else None
        if last is None or last.kind != "reasoning" or last.signature:
            self.parts.append(last := AnswerPart("reasoning"))
        last.signature = event.signature

    def _take_waiting(self) -> list[UrlCited]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _append(self, kind: PartKind, text: str) -> AnswerPart:
        if not self.parts or self.parts[-1].kind != kind or self.parts[-1].signature:
            self.parts.append(AnswerPart(kind))
            if kind == "text":
                self.parts[-1].citations += self._take_waiting()
        part = self.parts[-1]
        part.pieces.append(text)
        return part

    def _append_call(self, event: ToolCallDelta) -> AnswerPart:
        part = self._calls.get(event.index)
        if part is None:
            part = self._calls[event.index] = AnswerPart("tool_call", call_id=event.id)
            self.parts.append(part)
        # Later pieces have neither name nor id (docs/reference/openai-wire.md#streamed-chat).
        part.name += event.name or ""
        part.extra_content = event.extra_content or part.extra_content
        part.pieces.append(event.arguments)
        return part


class AnswerEncoder(Protocol):
    """Encodes an answer for a stream."""

    @property
    def answer(self) -> Answer:
        """Holds at least the events that are not plain text."""

    def encode(self, event: Event) -> bytes:
        """What to send for one event; may be empty."""

    async def end(self) -> bytes:
        """What ends the answer. Called once, after `Answer.close`."""


async def collect_answer(generation: Generation, answer: Answer | None = None) -> Answer:
    """Run a generation to its end. The answer is complete and booked then. Raises what the generation raises."""
    whole = answer or Answer()

    def take(event: Event) -> None:
        whole.add(event)

    async with generation:
        await generation.run(take)
    whole.close(text=generation.text, usage=generation.usage, matched_stop=generation.matched_stop)
    return whole


async def stream_answer(generation: Generation, encoder: AnswerEncoder, put: Put) -> None:
    """Encode a generation as it goes. What ends the answer is put after it was booked.

    Raises what the generation raises.
    """
    # Looked up once: it is called for every event.
    encode = encoder.encode

    def take(event: Event) -> Awaitable[None] | None:
        encoded = encode(event)
        return put(encoded) if encoded else None

    async with generation:
        await generation.run(take)
    # After the block: only then are the points of the last send known.
    encoder.answer.close(text=generation.text, usage=generation.usage, matched_stop=generation.matched_stop)
    if (full := put(await encoder.end())) is not None:
        await full


CUT = frozenset({FinishReason.LENGTH, FinishReason.CANCELLED})
"""Reasons with which an answer ends before its bot had said all."""


def native_reason(reason: FinishReason) -> dict[str, str]:
    """The extension that says why an answer ended where a surface has no word for it: it was stopped at Poe."""
    return {"native_finish_reason": reason.value} if reason is FinishReason.CANCELLED else {}


def missing_links(files: Sequence[FileAttached], text: str) -> str:
    """What to append to `text` so that it links to every file: addresses that it lacks, each on a line of its own."""
    addresses = [url for url in dict.fromkeys(file.url for file in files) if url not in text]
    if not addresses:
        return ""
    links = "\n".join(addresses)
    return f"\n\n{links}" if text else links


def url_citations(files: Sequence[FileAttached], text: str) -> list[dict[str, Any]]:
    """OpenAI's `url_citation` for each file, in a text that links to all of them. Indexes count characters."""
    return [_citation(file, text) for file in distinct_files(files)]


def distinct_files(files: Sequence[FileAttached]) -> list[FileAttached]:
    """Each address once, in order, as it was first described."""
    by_url = {file.url: file for file in reversed(files)}
    return [by_url[url] for url in dict.fromkeys(file.url for file in files)]


def file_name(file: FileAttached) -> str:
    """The file's name, else the last segment of its address."""
    if file.name:
        return file.name
    try:
        path = urlsplit(file.url).path
    # Bots write what they like; `urlsplit` refuses unpaired brackets.
    except ValueError:
        return "file"
    return unquote(path.rsplit("/", 1)[-1]) or "file"


def placed(citation: UrlCited, text: str, begin: int = 0) -> dict[str, Any]:
    """OpenAI's fields for a citation in `text`, which begins at `begin` of the answer.

    Where its place is not known, it is that of its address in the text, or none (0 to 0).
    """
    start, end = citation.start, citation.end
    # A bot's indexes may be about a text that was replaced or cut; programs slice the text with them.
    if start is None or end is None or not 0 <= start - begin < end - begin <= len(text):
        found = text.find(citation.url)
        start, end = (begin, begin) if found < 0 else (begin + found, begin + found + len(citation.url))
    place = {"start_index": start - begin, "end_index": end - begin}
    return {"url": citation.url, "title": citation.title or citation.url, **place}


def _citation(file: FileAttached, text: str) -> dict[str, Any]:
    start = max(0, text.find(file.url))
    return {"url": file.url, "title": file_name(file), "start_index": start, "end_index": start + len(file.url)}
