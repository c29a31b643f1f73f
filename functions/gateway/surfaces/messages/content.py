"""The content blocks of an answer while it arrives. Pure; the stream and the whole message are told from the same.

Blocks follow one another: one is written at a time. Events of the upstream may be mixed, so that each is put to its
block first.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.http.errors import UPSTREAM, GatewayError
from reverse.events import Event, ReasoningDelta, TextDelta, ToolCallDelta

Kind = Literal["text", "thinking", "tool_use"]


@dataclass(slots=True, eq=False)
class Block:
    """One block: words, visible reasoning, or a call of a tool."""

    kind: Kind
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list, repr=False)

    @property
    def text(self) -> str:
        """The words, or the call's arguments as JSON."""
        return "".join(self.pieces)

    def is_whole(self) -> bool:
        """Whether nothing of the block can be missing once another one has begun."""
        return self.kind != "tool_use" or read_arguments(self.text) is not None

    def opening(self) -> dict[str, Any]:
        """The block as it is shown before its first piece."""
        match self.kind:
            case "text":
                return {"type": "text", "text": ""}
            case "thinking":
                return {"type": "thinking", "thinking": "", "signature": ""}
        return {"type": "tool_use", "id": self.id, "name": self.name, "input": {}}

    def to_json(self, *, is_cut: bool) -> dict[str, Any]:
        """The whole block. Raises `GatewayError` (502) for arguments that are no object, unless the answer was cut."""
        if self.kind != "tool_use":
            return self.opening() | {self.kind: self.text}
        arguments = read_arguments(self.text or "{}")
        if arguments is None and not is_cut:
            raise GatewayError(UPSTREAM, "The model called a tool with arguments that are not valid JSON.")
        return self.opening() | {"input": arguments or {}}


def read_arguments(text: str) -> dict[str, Any] | None:
    """A call's arguments, or `None` if they are not (yet) a JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class Content:
    """The blocks so far. Reasoning is left out where `shows_thinking` is false."""

    def __init__(self, *, shows_thinking: bool = True) -> None:
        self.blocks: list[Block] = []
        self._calls: dict[int, Block] = {}
        self._shows_thinking = shows_thinking

    @property
    def has_calls(self) -> bool:
        """Whether any tool was called."""
        return bool(self._calls)

    def place(self, event: Event) -> tuple[Block, str] | None:
        """The event's block, made if need be, and what it adds to it; `None` for events that a message doesn't tell."""
        match event:
            case TextDelta(text):
                return self._last("text"), text
            case ReasoningDelta(text) if self._shows_thinking:
                return self._last("thinking"), text
            case ToolCallDelta():
                return self._call(event), event.arguments
        return None

    def start_over(self) -> None:
        """Forget the words: others take their place."""
        self.blocks = [block for block in self.blocks if block.kind != "text"]

    def to_json(self, *, is_cut: bool) -> list[dict[str, Any]]:
        """All blocks, those without any words left out. Raises as a block does."""
        return [block.to_json(is_cut=is_cut) for block in self.blocks if block.pieces or block.kind == "tool_use"]

    def _last(self, kind: Kind) -> Block:
        if not self.blocks or self.blocks[-1].kind != kind:
            self.blocks.append(Block(kind))
        return self.blocks[-1]

    def _call(self, event: ToolCallDelta) -> Block:
        block = self._calls.get(event.index)
        if block is None:
            block = Block("tool_use", event.id or f"toolu_{secrets.token_hex(12)}", event.name or "")
            self._calls[event.index] = block
            self.blocks.append(block)
        return block
