"""A conversation of items as turns. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from gateway.http.declared_body import Body
from gateway.prompt.content_parts import read_content
from gateway.prompt.tool_specs import to_arguments
from gateway.prompt.turns import check_content
from gateway.surfaces.responses.input_items import Item
from gateway.surfaces.responses.tools import SEAL, full_name
from lazy_dataclasses import dataclass
from reverse.chat import Message, Role, Thinking, ToolCall

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
# Where calls of tools that OpenAI has built in say what they are about.
_SUBJECTS = ("arguments", "action", "actions", "operation", "input")
THINKING = "input.reasoning"
_CALL, _OUTPUT = "_call", "_call_output"


@dataclass(slots=True)
class Turns:
    """The turns, and where each comes from: errors about a turn must name the caller's field."""

    messages: list[Message] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    """Types of what no model is told."""
    # The calls of the assistant turns, by the turn's index: one turn is several items.
    _calls: dict[int, list[ToolCall]] = field(default_factory=dict)
    # Whether the last turn may take further calls.
    _is_open: bool = False
    # Sealed reasoning that belongs to the assistant turn which follows.
    _thinking: list[Thinking] = field(default_factory=list)

    def add(self, item: Item, place: str) -> None:
        """Append one item. Raises `GatewayError` (400), naming the part of the item's content."""
        match item["type"]:
            case "message":
                self._add_message(item, place)
            case "function_call":
                self._add_call(item["call_id"], _name_of(item), item["arguments"], place, item.get("extra_content"))
            case "custom_tool_call":
                arguments = to_arguments(item["input"])
                self._add_call(item["call_id"], _name_of(item), arguments, place, item.get("extra_content"))
            case "function_call_output" | "custom_tool_call_output":
                self._add_result(item["call_id"], item["output"], Body(item, place), "output")
            case "additional_tools":
                pass  # they count as tools of the request
            case "reasoning" if (sealed := _sealed(item)) is not None:
                self._thinking.append(sealed)
                self._is_open = False
            # Before the general cases: this call has its result in itself.
            case "mcp_call":
                self._add_finished_call(item, place)
            # Tools that OpenAI has built in (shell, computer and others) have items of their own, all named alike: the
            # model is told what was called and what came of it.
            case kind if kind.endswith(_CALL) and _call_id(item):
                self._add_call(_call_id(item), kind.removesuffix(_CALL), _json(_subject(item)), place)
            case kind if (kind.endswith(_OUTPUT) or kind == "tool_search_output") and _call_id(item):
                self._add_result(_call_id(item), _output_for_model(item), Body(item, place), "output")
            case kind:
                self.left_out.add(f"input.{kind}")

    def append(self, message: Message, place: str) -> None:
        """Append a turn."""
        thinking, self._thinking = tuple(self._thinking), []
        if message.role == "assistant":
            message = replace(message, thinking=thinking)
        # Reasoning without an answer of its own: no provider takes it back in a turn of somebody else.
        elif thinking:
            self.left_out.add(THINKING)
        self.messages.append(message)
        self.places.append(place)
        self._is_open = False

    def close(self) -> None:
        """Give the assistant turns their calls."""
        # At the end, because the calls of one turn come as items of their own.
        for index, calls in self._calls.items():
            self.messages[index] = replace(self.messages[index], tool_calls=tuple(calls))

    def _add_message(self, item: Item, place: str) -> None:
        role, left_out = _ROLES[item["role"]], set[str]()
        text, files = read_content(item["content"], Body(item, place), "content", left_out=left_out)
        self.left_out |= {f"input.content.{kind}" for kind in left_out}
        if any(part.get("annotations") for part in item["content"]):
            self.left_out.add("input.content.annotations")
        if role == "assistant" and self._is_open and len(self.messages) - 1 in self._calls:
            # An answer may go on after its calls, whose results must follow them at once: it is one turn.
            turn = self.messages[-1]
            joined = "\n".join(part for part in (turn.text, text) if part)
            self.messages[-1] = replace(turn, text=joined, attachments=(*turn.attachments, *files))
            return
        self.append(Message(role, text, files), f"{place}.content")
        self._is_open = role == "assistant"

    def _add_call(
        self, call_id: str, name: str, arguments: str, place: str, extra: Mapping[str, Any] | None = None
    ) -> None:
        # A call belongs to the assistant's turn; where none is open, it makes one.
        if not self._is_open:
            self.append(Message("assistant", ""), place)
            self._is_open = True
        self._calls.setdefault(len(self.messages) - 1, []).append(ToolCall(call_id, name, arguments, extra))

    def _add_result(self, call_id: str | None, output: Any, item: Body, name: str) -> None:
        left_out = set[str]()
        text, files = read_content(output, item, name, left_out=left_out)
        self.left_out |= {f"input.output.{kind}" for kind in left_out}
        self.append(Message("tool", text, files, tool_call_id=call_id), item.param(name))

    def _add_finished_call(self, item: Item, place: str) -> None:
        """A call that OpenAI's servers made themselves: the item holds the result, too."""
        name, arguments = item.get("name"), item.get("arguments")
        result = item.get("output") or item.get("error")
        call_id, arguments = str(item["id"]), arguments if isinstance(arguments, str) else _json(arguments)
        self._add_call(call_id, name if isinstance(name, str) and name else "mcp", arguments, place)
        self.append(Message("tool", _text(result), tool_call_id=call_id), place)


def _sealed(item: Item) -> Thinking | None:
    seal = item.get("encrypted_content") or ""
    # Sealed by OpenAI or another gateway: no provider here can open it.
    if not seal.startswith(SEAL) or seal == SEAL:
        return None
    text = "\n\n".join(part["text"] for part in item["summary"])
    signature = seal.removeprefix(SEAL)
    return Thinking(text, signature) if text else Thinking("", signature, is_redacted=True)


def _name_of(item: Item) -> str:
    return full_name(item.get("namespace"), item["name"])


def _call_id(item: Item) -> str:
    """The id that joins a call and its result; a local shell's result has it as its own id."""
    own = item.get("id") if item["type"] == "local_shell_call_output" else None
    found = item.get("call_id") or own
    return found if isinstance(found, str) else ""


def _subject(item: Item) -> Any:
    return next((item[name] for name in _SUBJECTS if item.get(name) is not None), {})


def _output_for_model(item: Item) -> Any:
    """What a result says: content as of a function, or JSON where it has a form of its own."""
    if item["type"] == "tool_search_output":
        tools = item.get("tools")
        names = [tool.get("name") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
        return "Tools that can be called now: " + ", ".join(str(name) for name in names if name)
    output = item.get("output")
    if isinstance(output, dict) and isinstance(output.get("image_url"), str):
        return [{"type": "input_image", "image_url": output["image_url"]}]
    return _text(output)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else _json(value)


def _json(value: Any) -> str:
    return json.dumps({} if value is None else value, ensure_ascii=False)


def write_turns(instructions: str | None, conversation: Sequence[Item], items: Sequence[Item]) -> Turns:
    """The turns for instructions, what was said before, and the request's own items, in this order.

    What was left out is reported of the request's own items. Raises `GatewayError` (400), naming the place.
    """
    turns = Turns()
    if instructions:
        turns.append(Message("system", instructions), "instructions")
    for item in conversation:
        turns.add(item, "previous_response_id")
    # What was left out of earlier items was reported with their own requests.
    turns.left_out.clear()
    for index, item in enumerate(items):
        turns.add(item, f"input[{index}]")
    turns.close()
    check_content(turns.messages, "input")
    return turns
