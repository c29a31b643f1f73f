"""A conversation of items as the messages of a chat completion. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from gateway.http import field_names
from gateway.surfaces.responses.input_items import Item
from gateway.surfaces.responses.tools import full_name


@dataclass(slots=True)
class Turns:
    """The messages, and where each comes from: errors about a message must name the caller's field."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    # Whether the last message may take further tool calls: one assistant turn is several items.
    _is_open: bool = False

    def add(self, item: Item, place: str) -> None:
        """Append one item. Reasoning leaves no trace: models don't take their earlier thoughts back."""
        match item["type"]:
            case "message":
                self._append({"role": item["role"], "content": item["content"]}, f"{place}.content")
                self._is_open = item["role"] == "assistant"
            case "function_call":
                self._add_call(item, place)
            case "function_call_output":
                message = {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
                self._append(message, f"{place}.output")

    def _append(self, message: dict[str, Any], place: str) -> None:
        self.messages.append(message)
        self.places.append(place)
        self._is_open = False

    def _add_call(self, item: Item, place: str) -> None:
        if not self._is_open:
            self._append({"role": "assistant", "content": None}, place)
            self._is_open = True
        call = {
            "id": item["call_id"],
            "type": "function",
            "function": {"name": full_name(item.get("namespace"), item["name"]), "arguments": item["arguments"]},
        }
        self.messages[-1].setdefault("tool_calls", []).append(call)

    def renaming(self) -> AbstractContextManager[None]:
        """Give errors that are raised inside the caller's names for the fields of the chat completion."""
        # The content first: its place is more exact than its message's.
        places = [(f"messages[{index}].content", place) for index, place in enumerate(self.places)]
        places += [(f"messages[{index}]", place) for index, place in enumerate(self.places)]
        return field_names.renaming(lambda name: field_names.rename(name, (*places, *_FIELDS)))


# Fields that a chat completion calls otherwise; the longer name first.
_FIELDS = (
    ("messages", "input"),
    ("max_completion_tokens", "max_output_tokens"),
    ("max_tokens", "max_output_tokens"),
    ("response_format.json_schema", "text.format"),
    ("response_format", "text.format"),
    ("reasoning_effort", "reasoning.effort"),
    ("verbosity", "text.verbosity"),
)


def rename(name: str) -> str:
    """The caller's name for a field of the chat completion."""
    return field_names.rename(name, _FIELDS)


def rename_blamed(name: str) -> str:
    """The caller's name for a field that the upstream blames, whose messages are not the items one by one."""
    return "input" if name.startswith("messages") else rename(name)


def write_turns(instructions: str | None, conversation: Sequence[Item], items: Sequence[Item]) -> Turns:
    """The messages for instructions, what was said before, and the request's own items, in this order."""
    turns = Turns()
    if instructions:
        turns.add({"type": "message", "role": "system", "content": instructions}, "instructions")
    for item in conversation:
        turns.add(item, "previous_response_id")
    for index, item in enumerate(items):
        turns.add(item, f"input[{index}]")
    return turns
