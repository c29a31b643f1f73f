"""Events of an answer as the server-sent events of a streamed response. Pure.

Order (docs/reference/openai-wire.md#streamed-responses): `response.created`, `response.in_progress`, then for each
output item its opening, its pieces and its closing, then one event that ends the response; `sequence_number` counts
from 0. What surrounds a piece of text is serialised once per item, not once per event.

A failure is told twice, first as `response.failed`, then as `error` with the fields at both places where clients look
for them (documented: on top; sent by OpenAI: in `error`). Clients that follow the life of the response stop at the
first; the official SDKs raise at the second, in plain iteration and in their helpers alike.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.generation.answer import Answer, AnswerPart
from gateway.http.errors import GatewayError
from gateway.http.sse import encode_text
from gateway.surfaces.responses.resource import (
    Output,
    OutputItem,
    ResponseObject,
    cited,
    is_sealed_only,
    item_status,
    link_files,
)
from reverse.events import Event, ReasoningSigned, TextDelta, UrlCited

Keep = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Stores a finished response where that is wanted; returns it saying whether it was stored."""
# Larger than any number that a stream reaches: for what is said when nobody knows the next one.
LAST_SEQUENCE_NUMBER = 2**31 - 1
# By the kind of a part: type of its deltas, name of its index, what follows the text.
_DELTAS = {
    "text": ("response.output_text.delta", "content_index", b',"logprobs":[]'),
    "refusal": ("response.refusal.delta", "content_index", b""),
    "reasoning": ("response.reasoning_summary_text.delta", "summary_index", b""),
}
_CALL_EVENTS = {"function": "response.function_call_arguments", "custom": "response.custom_tool_call_input"}


class ResponseEncoder:
    """Encodes one answer. Each method's result is ready to be sent."""

    def __init__(self, response: ResponseObject, output: Output, keep: Keep) -> None:
        self._response = response
        self._output = output
        self._keep = keep
        self._number = 0
        # What comes before and after the text of a piece for the current item.
        self._head = self._tail = b""

    @property
    def answer(self) -> Answer:
        """The answer so far."""
        return self._output.answer

    @property
    def is_started(self) -> bool:
        """Whether the beginning was sent."""
        return self._number > 0

    def start(self) -> bytes:
        """The first two events."""
        response = self._response.in_progress()
        created = self._event("response.created", response=response)
        return created + self._event("response.in_progress", response=response)

    def encode(self, event: Event) -> bytes:
        """The events for a piece of the answer; empty for events that a response does not show.

        The beginning goes out with the first piece: until then a failure is an ordinary error response.
        """
        part = self._output.answer.add(event)
        if part is None:
            return self._mark(event)
        item = self._output.find(part)
        return self._begin(part) if item is None else self._piece(item)

    def _mark(self, event: Event) -> bytes:
        """The events for what is no piece of an item but said of one: citations, and reasoning that is not shown."""
        parts = self.answer.parts
        if isinstance(event, ReasoningSigned) and self._output.find(parts[-1]) is None:
            return self._begin(parts[-1])
        current = self._output.current
        if isinstance(event, UrlCited) and current is not None and event in current.part.citations:
            return self._annotate([cited(self.answer, current.part, event)])
        return b""

    def _begin(self, part: AnswerPart) -> bytes:
        start = b"" if self.is_started else self.start()
        # Another kind of part begins, which completes the one before.
        before = self._output.current
        item = self._output.add(part)
        # After `add`, which sets the item's status: the closing event shows it as completed.
        closing = b"" if before is None else self._closing(before)
        opened = start + closing + self._opening(item)
        if not part.pieces:
            return opened
        return opened + self._piece(item) + self._annotate([cited(self.answer, part, one) for one in part.citations])

    async def end(self) -> bytes:
        """All that ends a stream. The response is stored before."""
        encoded = b"" if self.is_started else self.start()
        links, annotations = link_files(self.answer)
        if links:
            encoded += self.encode(TextDelta(links))
        encoded += self._annotate(annotations) + self._close(item_status(self.answer.finish_reason))
        response = self._response.finished(self.answer, self._output.to_json(), completed_at=int(time.time()))
        # Before the last event leaves: Lambda freezes the sandbox then, and the client may continue the response at
        # once.
        response = await self._keep(response)
        return encoded + self._event(f"response.{response['status']}", response=response)

    def fail(self, error: GatewayError) -> bytes:
        """All that ends a stream that failed; with its beginning, if that was not sent before."""
        start = b"" if self.is_started else self.start()
        response = self._response.failed(error, self._output.to_json())
        return start + self._event("response.failed", response=response) + self._error(error)

    def abort(self, error: GatewayError) -> bytes:
        """The `error` event for a stream that others end at a time that can't be known here."""
        # Put back afterwards: these bytes may never be sent, and the stream goes on counting.
        number, self._number = self._number, LAST_SEQUENCE_NUMBER
        event = self._error(error)
        self._number = number
        return event

    def _error(self, error: GatewayError) -> bytes:
        fields = error.envelope()["error"]
        return self._event("error", code=fields["code"], message=fields["message"], param=fields["param"], error=fields)

    def _opening(self, item: OutputItem) -> bytes:
        empty = item.to_json(is_empty=True)
        added = self._event("response.output_item.added", output_index=item.index, item=empty)
        # These have no parts, and no text to prepare a frame for.
        if item.part.kind == "tool_call" or is_sealed_only(item.part):
            return added
        # Serialised once for the item: its deltas differ in the text and the number only.
        kind, index, tail = _DELTAS[item.part.kind]
        fields = json.dumps({"type": kind, **_place(item), index: 0}, separators=(",", ":")).encode()
        self._head = b"event: " + kind.encode() + b"\ndata: " + fields[:-1] + b',"delta":'
        self._tail = tail + b',"sequence_number":'
        name = "response.reasoning_summary_part.added" if index == "summary_index" else "response.content_part.added"
        return added + self._event(name, **_place(item), **{index: 0}, part=item.content_part(is_empty=True))

    def _piece(self, item: OutputItem) -> bytes:
        piece = item.part.pieces[-1]
        if item.part.kind == "tool_call":
            return self._call_piece(item, piece)
        number = self._number
        self._number = number + 1
        return self._head + encode_text(piece) + self._tail + b"%d}\n\n" % number

    def _call_piece(self, item: OutputItem, piece: str) -> bytes:
        """A search for tools has no events for its pieces."""
        kind = _CALL_EVENTS.get(item.origin.kind)
        # Callers of custom tools get plain text, which is inside of JSON here.
        if item.origin.kind == "custom":
            piece = item.reader.feed(piece)
        return self._event(f"{kind}.delta", **_place(item), delta=piece) if piece and kind else b""

    def _annotate(self, annotations: list[dict[str, Any]]) -> bytes:
        """Annotations of the message that is being written."""
        message, encoded = self._output.current, b""
        if message is None:
            return encoded
        for annotation in annotations:
            # Each message has one part.
            place = {**_place(message), "content_index": 0, "annotation_index": len(message.annotations)}
            encoded += self._event("response.output_text.annotation.added", **place, annotation=annotation)
            message.annotations.append(annotation)
        return encoded

    def _close(self, status: str) -> bytes:
        """The closing of all items that are open, in their order; an empty message where there is none."""
        # OpenAI's responses have at least one message, and clients count on it.
        opening = b"" if self._output.items else self._opening(self._output.add(AnswerPart("text")))
        return opening + b"".join(map(self._closing, self._output.close(status)))

    def _closing(self, item: OutputItem) -> bytes:
        text, place = item.part.text, _place(item)
        match item.part.kind:
            case "tool_call":
                encoded = self._call_closing(item)
            case "redacted" | "reasoning" if is_sealed_only(item.part):
                encoded = b""
            case "reasoning":
                place |= {"summary_index": 0}
                encoded = self._event("response.reasoning_summary_text.done", **place, text=text)
                encoded += self._event("response.reasoning_summary_part.done", **place, part=item.content_part())
            case "refusal":
                place |= {"content_index": 0}
                encoded = self._event("response.refusal.done", **place, refusal=text)
                encoded += self._event("response.content_part.done", **place, part=item.content_part())
            case _:
                place |= {"content_index": 0}
                encoded = self._event("response.output_text.done", **place, text=text, logprobs=[])
                encoded += self._event("response.content_part.done", **place, part=item.content_part())
        return encoded + self._event("response.output_item.done", output_index=item.index, item=item.to_json())

    def _call_closing(self, item: OutputItem) -> bytes:
        kind, place = _CALL_EVENTS.get(item.origin.kind), _place(item)
        # A search for tools has no events of its own; its arguments are in the finished item.
        if kind is None:
            return b""
        if item.origin.kind == "function":
            return self._event(f"{kind}.done", **place, name=item.origin.name, arguments=item.part.text)
        rest = item.reader.finish()
        encoded = self._event(f"{kind}.delta", **place, delta=rest) if rest else b""
        return encoded + self._event(f"{kind}.done", **place, input=item.to_json()["input"])

    def _event(self, kind: str, **fields: Any) -> bytes:
        number = self._number
        self._number = number + 1
        data = json.dumps({"type": kind, **fields, "sequence_number": number}, separators=(",", ":"))
        return f"event: {kind}\ndata: {data}\n\n".encode()


def _place(item: OutputItem) -> dict[str, Any]:
    return {"item_id": item.id, "output_index": item.index}
