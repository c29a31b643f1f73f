"""Every type that the official SDKs declare, in every place: accepted, or refused as documented (docs/clients.md).

The unions are read from the installed packages, so that a newer one brings its new types into this test.
"""

from __future__ import annotations

import base64
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin, get_type_hints

import anthropic.types as anthropic_types
import anthropic.types.beta as anthropic_beta
import pytest
from anthropic.types.beta import beta_tool_result_block_param
from openai.types import chat as chat_types
from openai.types.responses import response_create_params, response_input_content_param, response_input_item_param
from openai.types.responses.tool_param import ToolParam
from typing_extensions import is_typeddict

from gateway.http.errors import GatewayError
from gateway.surfaces.chat.request import read_chat_request
from gateway.surfaces.messages.request import read_messages_request
from gateway.surfaces.responses.request import read_response_request

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
ADDRESS = f"data:image/png;base64,{PNG}"
# Where a plain word would not do.
_VALUES: dict[str, Any] = {
    "url": ADDRESS,
    "image_url": ADDRESS,
    "file_data": ADDRESS,
    "data": PNG,
    "input_schema": {"type": "object"},
    "parameters": {"type": "object"},
    "file": {"filename": "a.txt", "file_data": "data:text/plain,a"},
}
# One of the fields that are not required must be there.
_NEEDED = {
    "input_image": {"image_url": ADDRESS},
    "input_file": {"file_data": ADDRESS},
    "tool_search": {"execution": "client"},
}
_MAX_DEPTH = 6


def _members(union: Any) -> Iterator[Any]:
    """The typed dictionaries of a union."""
    if get_origin(union) is Annotated:
        yield from _members(get_args(union)[0])
    elif is_typeddict(union):
        yield union
    else:
        for part in get_args(union):
            yield from _members(part)


def _sample(hint: Any, name: str = "", depth: int = 0) -> Any:
    """A value of a type, with the required fields only."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return _object(hint, depth)
    if name in _VALUES and not isinstance(_VALUES[name], dict):
        return _VALUES[name]
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return _sample(next(part for part in arguments if part is not type(None)), name, depth)
    if origin is Annotated or origin is Required:
        return _sample(arguments[0], name, depth)
    if hint in (int, float):
        return 1
    if hint is bool:
        return True
    if hint is str:
        return "x"
    if origin in (dict, Mapping) or hint in (object, Any, dict):
        return _VALUES.get(name, {})
    return [_sample(arguments[0], "", depth)] if arguments else []


def _object(kind: Any, depth: int = 0) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        return {}
    hints = get_type_hints(kind, include_extras=True)
    required = {name for name, hint in hints.items() if name == "type" or get_origin(hint) is Required}
    made = {name: _VALUES.get(name) or _sample(hints[name], name, depth + 1) for name in sorted(required)}
    return made | _NEEDED.get(str(made.get("type")), {})


def _named(union: Any) -> list[Any]:
    return [pytest.param(_object(kind), id=kind.__name__) for kind in _members(union)]


def _refusal(read: Any, values: dict[str, Any]) -> str | None:
    try:
        read(values)
    except GatewayError as error:
        assert error.status == 400
        return error.code
    return None


def _read_response(values: dict[str, Any]) -> None:
    asked = read_response_request({"model": "m", **values}, lambda prefix: f"{prefix}_1")
    asked.generation_request([], [item for item in asked.items if item["type"] != "item_reference"])


def _read_message(values: dict[str, Any]) -> None:
    read_messages_request({"model": "m", "max_tokens": 9, **values}).generation_request(None)


def _read_chat(values: dict[str, Any]) -> None:
    read_chat_request({"model": "m", **values})


HELLO = {"role": "user", "content": "Hi"}
F = {"type": "function", "name": "x", "parameters": {"type": "object"}}


@pytest.mark.parametrize("item", _named(response_input_item_param.ResponseInputItemParam))
def test_every_item_of_a_response(item: dict[str, Any]) -> None:
    assert _refusal(_read_response, {"input": [HELLO, item, HELLO]}) is None


@pytest.mark.parametrize("role", ["user", "assistant", "developer", "output"])
@pytest.mark.parametrize("part", _named(response_input_content_param.ResponseInputContentParam))
def test_every_content_part_of_a_response(part: dict[str, Any], role: str) -> None:
    message: dict[str, Any] = {"role": role, "content": [part]}
    if role == "output":
        message = {"type": "function_call_output", "call_id": "c", "output": [part]}
    assert _refusal(_read_response, {"input": [HELLO, message]}) is None


@pytest.mark.parametrize("is_item", [False, True])
@pytest.mark.parametrize("tool", _named(ToolParam))
def test_every_tool_of_a_response(tool: dict[str, Any], is_item: bool) -> None:
    item = {"type": "additional_tools", "role": "developer", "tools": [tool]}
    values = {"input": [HELLO, item]} if is_item else {"input": "Hi", "tools": [tool]}
    assert _refusal(_read_response, values) is None


@pytest.mark.parametrize("choice", _named(response_create_params.ToolChoice))
def test_every_tool_choice_of_a_response(choice: dict[str, Any]) -> None:
    if choice["type"] == "allowed_tools":
        choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]}
    is_offered = choice["type"] in ("function", "custom", "allowed_tools")
    refusal = _refusal(_read_response, {"input": "Hi", "tools": [F], "tool_choice": choice})
    assert refusal == (None if is_offered else "unsupported_tool")


_BLOCKS = {
    param.id: param
    for union in (
        anthropic_types.ContentBlockParam,
        anthropic_beta.BetaContentBlockParam,
        beta_tool_result_block_param.Content,
    )
    for param in _named(union)
}


@pytest.mark.parametrize("place", ["user", "assistant", "tool_result", "system"])
@pytest.mark.parametrize("block", _BLOCKS.values())
def test_every_block_of_a_message(block: dict[str, Any], place: str) -> None:
    content = [block]
    if place == "tool_result":
        content = [{"type": "tool_result", "tool_use_id": "t", "content": [block]}]
    role = place if place in ("assistant", "system") else "user"
    assert _refusal(_read_message, {"messages": [HELLO, {"role": role, "content": content}]}) is None
    if place == "system":
        assert _refusal(_read_message, {"messages": [HELLO], "system": content}) is None


@pytest.mark.parametrize(
    "source",
    [
        param
        for kind in (anthropic_beta.BetaImageBlockParam, anthropic_beta.BetaRequestDocumentBlockParam)
        for param in _named(get_type_hints(kind)["source"])
    ],
)
def test_every_source_of_a_block(source: dict[str, Any]) -> None:
    message = {"role": "user", "content": [{"type": "document", "source": source}]}
    expected = "unsupported_content" if source["type"] == "file" else None
    assert _refusal(_read_message, {"messages": [message]}) == expected


@pytest.mark.parametrize("tool", _named(anthropic_types.ToolUnionParam) + _named(anthropic_beta.BetaToolUnionParam))
def test_every_tool_of_a_message(tool: dict[str, Any]) -> None:
    assert _refusal(_read_message, {"messages": [HELLO], "tools": [tool]}) is None


@pytest.mark.parametrize("part", _named(chat_types.ChatCompletionContentPartParam))
@pytest.mark.parametrize("role", ["user", "assistant", "system", "tool"])
def test_every_content_part_of_a_chat(part: dict[str, Any], role: str) -> None:
    message = {"role": role, "content": [part], "tool_call_id": "c"}
    assert _refusal(_read_chat, {"messages": [HELLO, message]}) is None


@pytest.mark.parametrize("message", _named(chat_types.ChatCompletionMessageParam))
def test_every_message_of_a_chat(message: dict[str, Any]) -> None:
    assert _refusal(_read_chat, {"messages": [HELLO, message]}) is None


@pytest.mark.parametrize("call", _named(chat_types.ChatCompletionMessageToolCallUnionParam))
def test_every_tool_call_of_a_chat(call: dict[str, Any]) -> None:
    message = {"role": "assistant", "tool_calls": [call]}
    assert _refusal(_read_chat, {"messages": [HELLO, message]}) is None


@pytest.mark.parametrize("tool", _named(chat_types.ChatCompletionToolUnionParam))
def test_every_tool_of_a_chat(tool: dict[str, Any]) -> None:
    assert _refusal(_read_chat, {"messages": [HELLO], "tools": [tool]}) is None


@pytest.mark.parametrize("choice", _named(chat_types.ChatCompletionToolChoiceOptionParam))
def test_every_tool_choice_of_a_chat(choice: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": "x"}}]
    if choice["type"] == "allowed_tools":
        choice["allowed_tools"] = {"mode": "auto", "tools": tools}
    assert _refusal(_read_chat, {"messages": [HELLO], "tools": tools, "tool_choice": choice}) is None


@pytest.mark.parametrize("kind", ["hologram", "hologram_call", "hologram_call_output", "hologram_output"])
def test_types_that_nobody_knows_yet(kind: str) -> None:
    unknown = {"type": kind, "call_id": "c", "output": [{"type": "new"}], "arguments": None, "id": 5}
    assert _refusal(_read_response, {"input": [HELLO, unknown]}) is None
    for role in ("user", "assistant"):
        messages = [HELLO, {"role": role, "content": [unknown]}]
        assert _refusal(_read_response, {"input": messages}) is None
        assert _refusal(_read_message, {"messages": messages}) is None
        assert _refusal(_read_chat, {"messages": messages}) is None
    assert _refusal(_read_response, {"input": "Hi", "tools": [unknown]}) is None
    assert _refusal(_read_message, {"messages": [HELLO], "tools": [unknown]}) is None
    assert _refusal(_read_chat, {"messages": [HELLO], "tools": [unknown]}) is None
