"""The `messages` of a chat completion as turns. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.schemas import Schema
from gateway.http.values import bad_value, read_filled_text
from gateway.prompt.content_parts import content_schema, read_content
from gateway.prompt.thinking import read_thinking_blocks
from gateway.prompt.tool_specs import to_arguments
from reverse.chat import Message, Role, Thinking, ToolCall

# OpenAI's roles and the turn each becomes. `function` is the predecessor of `tool`.
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_MAX_NAME = 256
# As many as OpenAI allows tools in one request.
_MAX_CALLS = 128


def _arguments(value: Any, body: Body, name: str) -> str:
    """JSON text; some clients send the object itself."""
    if isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value, str):
        raise body.wrong(name, "a string")
    # Functions without parameters are often called with an empty text.
    return value or "{}"


class CalledFunction(Body):
    """A call's function."""

    name = fields.required_text(max_length=_MAX_NAME)
    arguments: Field[str] = Field(_arguments, lambda: {"type": "string"}, default="{}", description="JSON text.")


class CustomCall(Body):
    """A call of a custom tool, which takes one text."""

    name = fields.required_text(max_length=_MAX_NAME)
    input = fields.text()


class CallItem(Body):
    """A tool call of an earlier answer."""

    id = fields.text(max_length=_MAX_NAME)
    type = fields.anything({"type": "string"})
    extra_content = fields.mapping("What came with the call. Some providers want it back.")
    function = fields.nested(CalledFunction)
    custom = fields.nested(CustomCall)


def _content(value: Any, _body: Body, _name: str) -> Any:
    return value


def _content_schema() -> Schema:
    return content_schema("text", "refusal", "image_url", "file", "input_audio")


def _role(value: Any, body: Body, name: str) -> str:
    if read_filled_text(value, body, name) not in _ROLES:
        raise bad_value(body, name, [*_ROLES])
    return str(value)


class MessageItem(Body):
    """One message."""

    role: Field[str] = Field(_role, lambda: {"enum": [*_ROLES]})
    content: Field[Any] = Field(_content, _content_schema, default=None)
    refusal = fields.text()
    name = fields.text(max_length=_MAX_NAME)
    tool_calls = fields.objects(CallItem, max_items=_MAX_CALLS)
    tool_call_id = fields.text(max_length=_MAX_NAME)
    function_call = fields.nested(CalledFunction)
    audio = fields.anything({"type": "object"})


def read_turns(items: Sequence[MessageItem], left_out: set[str]) -> list[Message]:
    """One turn per message; names of what no account can get are added to `left_out`, each once.

    Raises `GatewayError` (400), naming the place.
    """
    turns = _with_own_ids([_read_message(item, left_out) for item in items])
    left_out |= _unsupported_parts(items)
    return turns


# Names under which clients send the reasoning of earlier answers back. Models don't take it.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")


def _unsupported_parts(items: Sequence[MessageItem]) -> set[str]:
    names: set[str] = set()
    for item in items:
        if item.audio is not None:
            names.add("messages.audio")
        if item.role == "assistant":
            # What has the provider's seal holds the rest.
            unsealed = () if _read_thinking(item) else _REASONING
            names |= {f"messages.{name}" for name in (*unsealed, "annotations") if item.values.get(name)}
        for part in item.content if isinstance(item.content, list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            # Poe has no such option: the image is sent as it is.
            if isinstance(image, dict) and image.get("detail") not in (None, "auto"):
                names.add("messages.image_url.detail")
    return names


def _read_message(item: MessageItem, left_out: set[str]) -> Message:
    role = _ROLES[item.role]
    # OpenAI allows missing content for assistant turns with tool calls; others become empty turns, which do no harm.
    content = item.refusal or "" if item.content is None else item.content
    unknown = set[str]()
    text, attachments = read_content(content, item, "content", left_out=unknown)
    left_out |= {f"messages.content.{kind}" for kind in unknown}
    calls = _read_tool_calls(item, left_out) if role == "assistant" else ()
    # A result of `functions` has only the function's name.
    call_id = (item.tool_call_id or item.name) if role == "tool" else None
    thinking = _read_thinking(item) if role == "assistant" else ()
    return Message(role, text, attachments, calls, call_id, item.name, thinking)


def _read_thinking(item: MessageItem) -> tuple[Thinking, ...]:
    return read_thinking_blocks(item.values.get("thinking_blocks"), item.values.get("reasoning_details"))


def _read_tool_calls(item: MessageItem, left_out: set[str]) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    for call in item.tool_calls:
        call_id = call.id or f"call_{len(calls)}"
        if call.type == "custom" and call.custom is not None:
            # Poe knows functions only; the text becomes the function's one argument.
            arguments = to_arguments(call.custom.input or "")
            calls.append(ToolCall(call_id, call.custom.name, arguments, call.extra_content))
        elif call.function is not None:
            calls.append(ToolCall(call_id, call.function.name, call.function.arguments, call.extra_content))
        elif call.type in (None, "function", "custom"):
            raise call.missing("custom" if call.type == "custom" else "function")
        else:
            left_out.add("messages.tool_calls")
    legacy = item.function_call
    if legacy is not None and not calls:
        # The name as id for now; `_with_own_ids` tells several calls of one name apart.
        calls.append(ToolCall(legacy.name, legacy.name, legacy.arguments))
    return tuple(calls)


def _with_own_ids(turns: Sequence[Message]) -> list[Message]:
    """Function calls have no id, so their name stands for it: every further call of a name gets one of its own.

    A result without a call's id belongs to the last call of its name. Providers refuse two calls with one id.
    """
    counts: Counter[str] = Counter()

    def own_id(name: str) -> str:
        return name if counts[name] <= 1 else f"{name}_{counts[name]}"

    read: list[Message] = []
    for turn in turns:
        if turn.tool_calls:
            calls: list[ToolCall] = []
            for call in turn.tool_calls:
                is_legacy = call.id == call.name
                # Only calls without an id of their own are numbered.
                counts[call.name] += is_legacy
                calls.append(replace(call, id=own_id(call.name)) if is_legacy else call)
            read.append(replace(turn, tool_calls=tuple(calls)))
        elif turn.tool_call_id is not None and turn.tool_call_id == turn.name:
            read.append(replace(turn, tool_call_id=own_id(turn.name)))
        else:
            read.append(turn)
    return read
