"""The body of a chat completion, normalised."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from gateway.generation.shaping import AnswerLimits
from gateway.http.errors import GatewayError
from gateway.prompt.request import GenerationRequest
from gateway.surfaces.chat.request import read_chat_request
from reverse.chat import Message
from tests.gateway.scripted import ask

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def read(**fields: Any) -> GenerationRequest:
    return read_chat_request(ask(**fields))


def test_what_is_not_said_has_defaults() -> None:
    call = read()
    assert call == GenerationRequest(model="GPT-5", turns=(Message("user", "Hi"),))
    assert call.kinds == (AccountKind.OFFICIAL, AccountKind.WEB)


def test_null_means_not_said() -> None:
    names = ["stream", "stop", "max_tokens", "tools", "temperature", "n", "stream_options", "response_format"]
    assert read(**dict.fromkeys(names)) == read()


def test_the_newer_token_limit_wins() -> None:
    assert read(max_tokens=5).max_tokens == 5
    assert read(max_tokens=5, max_completion_tokens=3).max_tokens == 3


@pytest.mark.parametrize(("stop", "expected"), [("END", ("END",)), (["a", "b", "a", ""], ("a", "b")), ([], ())])
def test_stop_sequences(stop: Any, expected: tuple[str, ...]) -> None:
    assert read(stop=stop).stop == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"parameters": {"aspect": "16:9"}},
        {"extra_body": {"parameters": {"aspect": "16:9"}}},
        {"extra_body": {"parameters": '{"aspect": "16:9"}'}},
        {"parameters": {"aspect": "16:9"}, "extra_body": {"parameters": {"aspect": "1:1"}}},
    ],
    ids=["top", "extra", "text", "both"],
)
def test_the_bots_own_parameters_come_from_either_place(fields: dict[str, Any]) -> None:
    assert read(**fields).parameters == {"aspect": "16:9"}


def test_a_web_account_gets_one_message() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    call = read(messages=messages, temperature=0.5, parameters={"a": 1}, max_tokens=7, stop="END")
    request = call.build("GPT-5", AccountKind.WEB)
    assert len(request.messages) == 1
    assert "Be brief." in request.messages[0].text
    assert request.parameters == {"a": 1}
    assert call.limits(AccountKind.WEB) == AnswerLimits(7, ("END",))


def test_an_official_account_gets_everything() -> None:
    call = read(
        temperature=0.5, reasoning_effort="low", parameters={"a": 1}, max_tokens=7, stop=["\n", "END"], tools=[TOOL]
    )
    request = call.build("GPT-5", AccountKind.OFFICIAL)
    assert request.parameters == {"temperature": 0.5, "reasoning_effort": "low", "a": 1}
    assert (request.max_tokens, request.stop) == (7, ("END",))
    # Providers behind Poe refuse a schema without properties.
    assert request.tools[0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert call.limits(AccountKind.OFFICIAL).stop == ("\n", "END")


def test_an_official_account_is_cut_only_far_beyond_the_limit() -> None:
    """It counts real tokens; the bots that are asked in the bot protocol count none."""
    assert read(max_tokens=1000).limits(AccountKind.OFFICIAL) == AnswerLimits(2032, ())
    assert read().limits(AccountKind.OFFICIAL) == AnswerLimits(None, ())


def test_what_goes_with_the_turns_is_part_of_the_prompt() -> None:
    schema = {"type": "object", "properties": {"a": {"description": "x " * 500}}}
    format_ = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert read().rules_tokens == 0
    assert read(tools=[tool]).rules_tokens > 100
    assert read(response_format=format_).rules_tokens > 100
    assert read(tools=[tool], response_format=format_).prompt_tokens > read().prompt_tokens + 200


def test_an_official_account_gets_the_files_of_tool_results_in_a_turn_behind_them() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "1", "content": [image]}
    request = read(messages=[{"role": "assistant", "tool_calls": [call]}, result]).build("b", AccountKind.OFFICIAL)
    assert [(turn.role, len(turn.attachments)) for turn in request.messages] == [
        ("assistant", 0),
        ("tool", 0),
        ("user", 1),
    ]


def test_a_provider_is_told_of_the_tools_whose_earlier_calls_it_sees() -> None:
    """Some refuse calls of unknown tools; others refuse tools at all, and are told of none without need."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "1", "content": "x"}]
    told = read(messages=history, tools=[TOOL], tool_choice="none").build("b", AccountKind.OFFICIAL)
    assert ([tool["function"]["name"] for tool in told.tools], told.tool_choice) == (["f"], "none")
    untold = read(tools=[TOOL], tool_choice="none").build("b", AccountKind.OFFICIAL)
    assert (untold.tools, untold.tool_choice) == ((), None)
    assert (
        "call tools"
        not in read(messages=history, tools=[TOOL], tool_choice="none").build("b", AccountKind.WEB).messages[0].text
    )


def test_a_call_of_tools_that_are_not_offered_is_refused_as_such() -> None:
    with pytest.raises(GatewayError, match="none of 'tools' is offered") as caught:
        read(tools=[{"type": "code_interpreter"}], tool_choice="required")
    assert caught.value.param == "tool_choice"


def test_a_custom_tool_is_a_function_with_one_text() -> None:
    custom = {"name": "p", "description": "D", "format": {"type": "grammar", "grammar": {"definition": "x"}}}
    chosen = {"type": "custom", "custom": {"name": "p"}}
    call = read(tools=[TOOL, {"type": "custom", "custom": custom}], tool_choice=chosen)
    function = call.tools[1]["function"]
    assert (function["name"], [*function["parameters"]["properties"]]) == ("p", ["input"])
    assert call.tool_choice == {"type": "function", "function": {"name": "p"}}
    assert call.specs.free_form == {"p"}
    among = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [chosen]}}
    allowed = read(tools=[TOOL, {"type": "custom", "custom": custom}], tool_choice=among)
    assert [tool["function"]["name"] for tool in allowed.tools] == ["p"]


def test_a_call_whose_every_tool_is_left_out_is_answered_without_tools() -> None:
    call = read(tools=[{"type": "web_search"}], tool_choice="auto")
    assert (call.tools, call.specs.dropped) == ((), ("tools[0]",))


def test_a_tool_whose_type_is_not_said_is_a_function() -> None:
    call = read(tools=[{"function": {"name": "f"}}])
    assert call.build("b", AccountKind.OFFICIAL).tools[0]["type"] == "function"


def test_tools_and_formats_are_native_if_they_can_be_and_possible_with_any_account() -> None:
    assert read(tools=[TOOL]).kinds == (AccountKind.OFFICIAL, AccountKind.WEB)
    assert read(response_format={"type": "json_object"}).kinds == (AccountKind.OFFICIAL, AccountKind.WEB)
    assert read(tools=[TOOL], tool_choice="none").tools == ()
    assert read(response_format={"type": "text"}).response_format is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"model": " "}, "model"),
        ({"model": "x" * 300}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"n": 9}, "n"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "x"}, "top_p"),
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"parameters": "x"}, "parameters"),
        ({"extra_body": {"parameters": "{"}}, "extra_body.parameters"),
        ({"extra_body": {"parameters": "[]"}}, "extra_body.parameters"),
        ({"extra_body": []}, "extra_body"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_prompts_do_not_show_in_a_repr() -> None:
    assert "secret" not in repr(read(content="my secret", parameters={"x": "secret"}))
