"""Events of an answer as the server-sent events of a streamed message. Pure.

Order: `message_start`, then for each block `content_block_start`, its deltas and `content_block_stop`, then
`message_delta` with the stop reason and the usage, and `message_stop`. One `ping` follows the first opening, as that
API sends it. What surrounds a piece is serialised once per block, not once per event.

Blocks follow one another. A block ends when another one begins, except for a tool call whose arguments are incomplete:
what comes in between waits until they are complete, or until the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.generation.answer import Answer, AnswerPart, missing_links
from gateway.http.sse import encode_text
from gateway.surfaces.messages.message import MessageObject, block_opening, ending, read_arguments, usage_json
from reverse.events import Event, TextDelta

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
# By the kind of a part: type and field of its deltas.
_DELTAS = {
    "text": ("text_delta", "text"),
    "refusal": ("text_delta", "text"),
    "reasoning": ("thinking_delta", "thinking"),
    "tool_call": ("input_json_delta", "partial_json"),
}
_TAIL = b"}}\n\n"


class MessageEncoder:
    """Encodes one answer. Each method's result is ready to be sent."""

    def __init__(self, message: MessageObject, answer: Answer) -> None:
        self.answer = answer
        self._message = message
        self._is_started = False
        # The part that is being written, its place, and what comes before each of its pieces.
        self._open: AnswerPart | None = None
        self._index = -1
        self._head = b""

    def encode(self, event: Event) -> bytes:
        """The events for a piece of the answer; empty for what a message does not show, and for what has to wait."""
        part = self.answer.add(event)
        if part is None:
            return b""
        if part is self._open:
            piece = part.pieces[-1]
            return self._head + encode_text(piece) + _TAIL if piece else b""
        return self._advance(is_over=False)

    async def end(self) -> bytes:
        """All that ends a stream."""
        links = missing_links(self.answer.files, self.answer.text)
        encoded = self.encode(TextDelta(links)) if links else b""
        encoded += self._advance(is_over=True)
        if self._open is not None:
            encoded += self._stop()
        elif not self._is_started:
            encoded += self._start()
        encoded += _event("message_delta", {"delta": ending(self.answer), "usage": usage_json(self.answer.usage)})
        return encoded + _event("message_stop", {})

    def _advance(self, *, is_over: bool) -> bytes:
        """Go on to the parts that wait, as far as they may begin."""
        encoded = b""
        parts = self.answer.parts
        while self._index + 1 < len(parts):
            if self._open is not None:
                if not (is_over or _is_complete(self._open)):
                    break
                encoded += self._stop()
            encoded += self._begin(parts[self._index + 1])
        return encoded

    def _begin(self, part: AnswerPart) -> bytes:
        self._open = part
        self._index += 1
        kind, name = _DELTAS[part.kind]
        fields = json.dumps({"type": "content_block_delta", "index": self._index}, separators=(",", ":"))
        self._head = f'event: content_block_delta\ndata: {fields[:-1]},"delta":{{"type":"{kind}","{name}":'.encode()
        opening = _event("content_block_start", {"index": self._index, "content_block": block_opening(part)})
        if not self._is_started:
            opening = self._start() + opening + PING
        text = part.text
        return opening + (self._head + encode_text(text) + _TAIL if text else b"")

    def _start(self) -> bytes:
        self._is_started = True
        return _event("message_start", {"message": self._message.started()})

    def _stop(self) -> bytes:
        return _event("content_block_stop", {"index": self._index})


def _is_complete(part: AnswerPart) -> bool:
    """Whether nothing of the part can be missing once another one has begun."""
    return part.kind != "tool_call" or read_arguments(part.text) is not None


def _event(kind: str, fields: Mapping[str, Any]) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
