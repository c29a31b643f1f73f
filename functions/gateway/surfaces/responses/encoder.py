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
from typing import Any

from gateway.http.errors import GatewayError
from gateway.surfaces.chat.encoder import encode_text
from gateway.surfaces.responses.output import COMPLETED, CallItem, MessageItem, Output, OutputItem, ReasoningItem
from gateway.surfaces.responses.resource import ResponseObject
from reverse.events import Event, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta

# Larger than any number that a stream reaches: for the words that are said when nobody knows the next one.
LAST_SEQUENCE_NUMBER = 2**31 - 1


class ResponseEncoder:
    """Encodes one answer. Each method's result is ready to be sent."""

    def __init__(self, response: ResponseObject, output: Output) -> None:
        self._response = response
        self._output = output
        self._number = 0
        # What comes before and after the text of a piece for the current item.
        self._head = self._tail = b""

    @property
    def is_started(self) -> bool:
        """Whether the beginning was told."""
        return self._number > 0

    def start(self) -> bytes:
        """The first two events."""
        response = self._response.in_progress()
        created = self._event("response.created", response=response)
        return created + self._event("response.in_progress", response=response)

    def encode(self, event: Event) -> bytes:
        """The events for a piece of the answer; empty for events that a response doesn't tell."""
        if type(event) is TextDelta:
            opened = b"" if self._output.is_writing() else self._open_message()
            self._output.message().pieces.append(event.text)
            return opened + self._piece(event.text)
        match event:
            case ReasoningDelta(text):
                opened = b"" if isinstance(self._output.current, ReasoningItem) else self._open_reasoning()
                self._output.reasoning().pieces.append(text)
                return opened + self._piece(text)
            case RefusalDelta(text):
                opened = b"" if self._output.is_writing(is_refusal=True) else self._open_message(is_refusal=True)
                self._output.message(is_refusal=True).pieces.append(text)
                return opened + self._piece(text)
            case ToolCallDelta():
                return self._call(event)
        return b""

    def annotate(self, annotations: list[dict[str, Any]]) -> bytes:
        """Annotations of the message that is being written; a new one is opened if none is."""
        encoded = b"" if self._output.is_writing() else self._open_message()
        message = self._output.message()
        for annotation in annotations:
            place = {**_place(message), "content_index": 0, "annotation_index": len(message.annotations)}
            encoded += self._event("response.output_text.annotation.added", **place, annotation=annotation)
            message.annotations.append(annotation)
        return encoded

    def close(self, status: str) -> bytes:
        """The closing of all items that are open, in their order."""
        encoded = b"" if self._output.items else self._open_message()
        current = self._output.current
        still_open = [item for item in self._output.items if item is current or isinstance(item, CallItem)]
        self._output.close(status)
        return encoded + b"".join(map(self._closing, still_open))

    def end(self, response: dict[str, Any]) -> bytes:
        """The event that ends the response, by its status."""
        return self._event(f"response.{response['status']}", response=response)

    def fail(self, error: GatewayError) -> bytes:
        """All that ends a stream that failed; with its beginning, if that was not told before."""
        start = b"" if self.is_started else self.start()
        response = self._response.failed(error, self._output.to_json())
        return start + self._event("response.failed", response=response) + self._error(error)

    def abort(self, error: GatewayError) -> bytes:
        """The `error` event for a stream that others end at a time that can't be known here."""
        number, self._number = self._number, LAST_SEQUENCE_NUMBER
        event = self._error(error)
        self._number = number
        return event

    def _error(self, error: GatewayError) -> bytes:
        fields = error.envelope()["error"]
        return self._event("error", code=fields["code"], message=fields["message"], param=fields["param"], error=fields)

    def _open_message(self, *, is_refusal: bool = False) -> bytes:
        closing = self._close_current()
        message = self._output.message(is_refusal=is_refusal)
        if is_refusal:
            self._surround("response.refusal.delta", message, "content_index", b"")
        else:
            self._surround("response.output_text.delta", message, "content_index", b',"logprobs":[]')
        place = {**_place(message), "content_index": 0}
        opening = self._item_added(message) + self._event("response.content_part.added", **place, part=message.part())
        return closing + opening

    def _open_reasoning(self) -> bytes:
        closing = self._close_current()
        reasoning = self._output.reasoning()
        self._surround("response.reasoning_summary_text.delta", reasoning, "summary_index", b"")
        place = {**_place(reasoning), "summary_index": 0}
        opening = self._item_added(reasoning) + self._event(
            "response.reasoning_summary_part.added", **place, part=reasoning.part()
        )
        return closing + opening

    def _call(self, event: ToolCallDelta) -> bytes:
        encoded = b""
        if event.index not in self._output.calls:
            encoded = self._close_current()
            encoded += self._item_added(self._output.call(event))
        call = self._output.call(event)
        if event.arguments:
            call.pieces.append(event.arguments)
            encoded += self._event("response.function_call_arguments.delta", **_place(call), delta=event.arguments)
        return encoded

    def _close_current(self) -> bytes:
        """End the item that is being written, because another kind of item follows."""
        current = self._output.current
        self._output.close_current(COMPLETED)
        return b"" if current is None else self._closing(current)

    def _closing(self, item: OutputItem) -> bytes:
        if isinstance(item, CallItem):
            place = {**_place(item), "name": item.name}
            encoded = self._event("response.function_call_arguments.done", **place, arguments=item.arguments)
            return encoded + self._item_done(item)
        part = item.part()
        text = "".join(item.pieces)
        if isinstance(item, MessageItem):
            place = {**_place(item), "content_index": 0}
            if item.is_refusal:
                encoded = self._event("response.refusal.done", **place, refusal=text)
            else:
                encoded = self._event("response.output_text.done", **place, text=text, logprobs=[])
            encoded += self._event("response.content_part.done", **place, part=part)
        else:
            place = {**_place(item), "summary_index": 0}
            encoded = self._event("response.reasoning_summary_text.done", **place, text=text)
            encoded += self._event("response.reasoning_summary_part.done", **place, part=part)
        return encoded + self._item_done(item)

    def _item_added(self, item: OutputItem) -> bytes:
        return self._event("response.output_item.added", output_index=item.index, item=item.to_json())

    def _item_done(self, item: OutputItem) -> bytes:
        return self._event("response.output_item.done", output_index=item.index, item=item.to_json())

    def _surround(self, kind: str, item: OutputItem, index_name: str, tail: bytes) -> None:
        fields = json.dumps({"type": kind, **_place(item), index_name: 0}, separators=(",", ":")).encode()
        self._head = b"event: " + kind.encode() + b"\ndata: " + fields[:-1] + b',"delta":'
        self._tail = tail + b',"sequence_number":'

    def _piece(self, text: str) -> bytes:
        number = self._number
        self._number = number + 1
        return self._head + encode_text(text) + self._tail + b"%d}\n\n" % number

    def _event(self, kind: str, **fields: Any) -> bytes:
        number = self._number
        self._number = number + 1
        data = json.dumps({"type": kind, **fields, "sequence_number": number}, separators=(",", ":"))
        return f"event: {kind}\ndata: {data}\n\n".encode()


def _place(item: OutputItem) -> dict[str, Any]:
    return {"item_id": item.id, "output_index": item.index}
