"""A response's body, told as a chat completion, and shown in the response."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from gateway.http.errors import GatewayError
from gateway.prompt.request import GenerationRequest
from gateway.surfaces.responses.request import ResponseRequest, read_response_request
from reverse.chat import ChatRequest

F = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
G = {"type": "function", "name": "g", "description": "G", "strict": True}


def read(**fields: Any) -> ResponseRequest:
    return read_response_request({"model": " m ", "input": "Hi"} | fields, lambda prefix: f"{prefix}_new")


def call(asked: ResponseRequest, *before: Any) -> GenerationRequest:
    return asked.generation_request(before, asked.items)


def sent(**fields: Any) -> ChatRequest:
    return call(read(**fields)).build("m", AccountKind.OFFICIAL)


def refused(**fields: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        call(read(**fields))
    assert caught.value.status == 400
    assert "messages" not in caught.value.message, "the caller knows no messages"
    return caught.value.param, caught.value.code


def test_turns_are_instructions_then_the_past_then_the_input() -> None:
    asked = read(instructions="Be brief", input=[{"role": "developer", "content": "Now"}, "Hi"])
    before = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Past"}]}
    turns = call(asked, before).turns
    assert [(turn.role, turn.text) for turn in turns] == [
        ("system", "Be brief"),
        ("assistant", "Past"),
        ("system", "Now"),
        ("user", "Hi"),
    ]


def test_one_turn_of_the_assistant_may_be_several_items() -> None:
    items = [
        {"role": "assistant", "content": "I'll look."},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "2"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    turns = call(read(input=items)).turns
    assert [(turn.role, turn.text, [call.id for call in turn.tool_calls]) for turn in turns] == [
        ("assistant", "I'll look.", ["a", "b"]),
        ("tool", "1", []),
        ("tool", "2", []),
        ("assistant", "", ["c"]),
    ]


def test_tools_get_the_chat_completions_shape() -> None:
    request = sent(tools=[F, G], tool_choice={"type": "function", "name": "g"}, parallel_tool_calls=False)
    functions: list[Any] = [tool["function"] for tool in request.tools]
    assert [function["name"] for function in functions] == ["f", "g"]
    assert (functions[1]["description"], functions[1]["strict"]) == ("G", True)
    assert request.tool_choice == {"type": "function", "function": {"name": "g"}}
    assert request.parameters["parallel_tool_calls"] is False


def test_allowed_tools_are_all_that_is_offered() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}
    asked = read(tools=[F, G], tool_choice=choice)
    request = call(asked).build("m", AccountKind.OFFICIAL)
    assert [tool["function"]["name"] for tool in request.tools] == ["g"]
    assert request.tool_choice == "required"
    assert [tool["name"] for tool in asked.shown["tools"]] == ["f", "g"]
    assert asked.shown["tool_choice"] == choice


def test_no_tool_may_be_called() -> None:
    assert not sent(tools=[F], tool_choice="none").tools


def test_formats() -> None:
    assert sent(text={"format": {"type": "text"}}).response_format is None
    assert sent(text={"format": {"type": "json_object"}}).response_format == {"type": "json_object"}
    schema = {"type": "object", "properties": {}}
    shown = {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    wanted: Any = sent(text={"format": shown}).response_format
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"] == {"name": "n", "schema": schema, "strict": True}


def test_what_changes_nothing_is_reported() -> None:
    asked = read(include=["message.input_image.image_url"], max_tool_calls=3, n=None)
    assert call(asked).ignored(AccountKind.OFFICIAL) == ()
    asked = read(include=["reasoning.encrypted_content"], n=2, max_tokens=9, functions=[{"name": "f"}])
    assert call(asked).ignored(AccountKind.OFFICIAL) == ("functions", "include", "max_tokens", "n")
    assert (call(asked).max_tokens, call(asked).choices, call(asked).tools) == (None, 1, ())


def test_what_both_apis_have_goes_on_and_what_only_this_one_has_does_not() -> None:
    asked = read(
        max_output_tokens=9,
        temperature=1,
        reasoning={"effort": "high", "summary": "auto"},
        truncation="auto",
        prompt_cache_key="k",
        parameters={"aspect": "1:1"},
        metadata={"session_id": "s", "a": "b"},
        store=True,
        include=["reasoning.encrypted_content"],
        stream_options={"include_obfuscation": False},
    )
    made = call(asked)
    assert (made.model, made.max_tokens, made.may_truncate) == ("m", 9, True)
    assert (made.cache_key, made.session_id) == ("k", "s")
    assert made.build("m", AccountKind.OFFICIAL).parameters == {
        "temperature": 1,
        "reasoning_effort": "high",
        "aspect": "1:1",
    }
    assert made.ignored(AccountKind.OFFICIAL) == ("include",)
    assert asked.shown["metadata"] == {"session_id": "s", "a": "b"}
    assert asked.shown["reasoning"] == {"effort": "high", "summary": "auto"}
    assert asked.store is True
    assert read().store is None


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"input": "  "}, "input", "empty_messages"),
        ({"background": True}, "background", "unsupported_value"),
        ({"context_management": [{}]}, "context_management", "unsupported_parameter"),
        ({"max_output_tokens": "x"}, "max_output_tokens", "invalid_type"),
        ({"temperature": 3}, "temperature", "out_of_range"),
        ({"store": "yes"}, "store", "invalid_type"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata", "invalid_type"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
        ({"text": {"verbosity": "x"}}, "text.verbosity", "invalid_value"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type", "invalid_value"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name", "missing_required_parameter"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{"type": "mcp"}], "tool_choice": "required"}, "tool_choice", "invalid_value"),
        ({"tools": [F], "tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"tools": [F], "tool_choice": {"type": "mcp"}}, "tool_choice.type", "unsupported_tool"),
        ({"tools": [F], "tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice.tools", "invalid_value"),
        ({"tools": [F], "tool_choice": {"type": "allowed_tools", "tools": [G]}}, "tool_choice.tools", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        ({"include": "reasoning.encrypted_content"}, "include", "invalid_type"),
        ({"include": [1]}, "include", "invalid_type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "ftp://x"}]}]},
         "input[0].content[0].image_url", "invalid_url"),
        ({"input": ["Hi", {"type": "function_call_output", "call_id": "c", "output":
                           [{"type": "input_file", "file_data": "%"}]}]},
         "input[1].output[0].file_data", "invalid_base64"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_the_callers_words(fields: Any, param: str, code: str) -> None:
    assert refused(**fields) == (param, code)
