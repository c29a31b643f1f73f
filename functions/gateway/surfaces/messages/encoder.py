"""Events of an answer as the server-sent events of a streamed message. Pure.

Order: `message_start`, then for each block `content_block_start`, its deltas and `content_block_stop`, then
`message_delta` with the stop reason and the usage, and `message_stop`. One `ping` follows the first opening, as that
API sends it. What surrounds a piece is serialised once per block, not once per event.

A block ends when another one begins, but for a tool's call whose arguments are still incomplete: what comes in between
waits until they are whole, or until the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.generation.usage import TokenUsage
from gateway.surfaces.chat.encoder import encode_text
from gateway.surfaces.messages.content import Block, Content
from gateway.surfaces.messages.message import MessageObject, usage_json
from reverse.events import Event, FinishReason

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
# By a block's kind: type and field of its deltas.
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}
_TAIL = b"}}\n\n"


class MessageEncoder:
    """Encodes one answer. Each method's result is ready to be sent."""

    def __init__(self, message: MessageObject, content: Content) -> None:
        self._message = message
        self._content = content
        self._is_started = False
        # The block that is being written, its place, and what comes before each of its pieces.
        self._open: Block | None = None
        self._index = -1
        self._head = b""

    def encode(self, event: Event) -> bytes:
        """The events for a piece of the answer; empty for what a message doesn't tell, and for what has to wait."""
        placed = self._content.place(event)
        if placed is None:
            return b""
        block, text = placed
        if block is self._open:
            if block.kind == "tool_use":
                block.pieces.append(text)
            return self._head + encode_text(text) + _TAIL if text else b""
        block.pieces.append(text)
        return self._advance(is_over=False)

    def finish(self, reason: FinishReason, usage: TokenUsage, *, matched_stop: str | None) -> bytes:
        """All that ends a stream."""
        encoded = self._advance(is_over=True)
        if self._open is not None:
            encoded += self._stop()
        elif not self._is_started:
            encoded += self._start()
        delta = self._message.ending(reason, has_calls=self._content.has_calls, matched_stop=matched_stop)
        encoded += _event("message_delta", {"delta": delta, "usage": usage_json(usage)})
        return encoded + _event("message_stop", {})

    def _advance(self, *, is_over: bool) -> bytes:
        """Go on to the blocks that wait, as far as they may begin."""
        encoded = b""
        blocks = self._content.blocks
        while self._index + 1 < len(blocks):
            if self._open is not None:
                if not (is_over or self._open.is_whole()):
                    break
                encoded += self._stop()
            encoded += self._begin(blocks[self._index + 1])
        return encoded

    def _begin(self, block: Block) -> bytes:
        self._open = block
        self._index += 1
        kind, name = _DELTAS[block.kind]
        fields = json.dumps({"type": "content_block_delta", "index": self._index}, separators=(",", ":"))
        self._head = f'event: content_block_delta\ndata: {fields[:-1]},"delta":{{"type":"{kind}","{name}":'.encode()
        opening = _event("content_block_start", {"index": self._index, "content_block": block.opening()})
        if not self._is_started:
            opening = self._start() + opening + PING
        text = block.text
        return opening + (self._head + encode_text(text) + _TAIL if text else b"")

    def _start(self) -> bytes:
        self._is_started = True
        return _event("message_start", {"message": self._message.started()})

    def _stop(self) -> bytes:
        return _event("content_block_stop", {"index": self._index})


def _event(kind: str, fields: Mapping[str, Any]) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
