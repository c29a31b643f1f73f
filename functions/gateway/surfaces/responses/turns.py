"""A conversation of items as turns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gateway.http.fields import Body
from gateway.prompt.content_parts import read_content
from gateway.prompt.turns import check_content
from gateway.surfaces.responses.input_items import Item
from gateway.surfaces.responses.tools import full_name
from reverse.chat import Message, Role, ToolCall

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


@dataclass(slots=True)
class Turns:
    """The turns, and where each comes from: errors about a turn must name the caller's field."""

    messages: list[Message] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    # The calls of the assistant turns, by the turn's index: one turn is several items.
    _calls: dict[int, list[ToolCall]] = field(default_factory=dict)
    # Whether the last turn may take further calls.
    _is_open: bool = False

    def add(self, item: Item, place: str) -> None:
        """Append one item. Reasoning is left out: models don't take their earlier reasoning back.

        Raises `GatewayError` (400), naming the part of the item's content.
        """
        match item["type"]:
            case "message":
                role = _ROLES[item["role"]]
                text, files = read_content(item["content"], Body(item, place), "content")
                self.append(Message(role, text, files), f"{place}.content")
                self._is_open = role == "assistant"
            case "function_call":
                self._add_call(item, place)
            case "function_call_output":
                text, files = read_content(item["output"], Body(item, place), "output")
                self.append(Message("tool", text, files, tool_call_id=item["call_id"]), f"{place}.output")

    def append(self, message: Message, place: str) -> None:
        """Append a turn."""
        self.messages.append(message)
        self.places.append(place)
        self._is_open = False

    def close(self) -> None:
        """Give the assistant turns their calls."""
        for index, calls in self._calls.items():
            self.messages[index] = replace(self.messages[index], tool_calls=tuple(calls))

    def _add_call(self, item: Item, place: str) -> None:
        if not self._is_open:
            self.append(Message("assistant", ""), place)
            self._is_open = True
        call = ToolCall(item["call_id"], full_name(item.get("namespace"), item["name"]), item["arguments"])
        self._calls.setdefault(len(self.messages) - 1, []).append(call)


def write_turns(instructions: str | None, conversation: Sequence[Item], items: Sequence[Item]) -> Turns:
    """The turns for instructions, what was said before, and the request's own items, in this order.

    Raises `GatewayError` (400), naming the place.
    """
    turns = Turns()
    if instructions:
        turns.append(Message("system", instructions), "instructions")
    for item in conversation:
        turns.add(item, "previous_response_id")
    for index, item in enumerate(items):
        turns.add(item, f"input[{index}]")
    turns.close()
    check_content(turns.messages, "input")
    return turns
