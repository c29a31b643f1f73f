"""The fields of a message: honoured, translated or reported."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from gateway.http.errors import GatewayError
from gateway.models.model import Model
from gateway.surfaces.messages.request import MessagesRequest, read_messages_request

TOOL: Any = {"name": "look", "description": "Looks", "input_schema": {"type": "object", "properties": {}}}
BUDGET = Model(id="m", bot="m", parameters=({"name": "thinking_budget"},))
EFFORT = Model(id="m", bot="m", reasoning={"supports_reasoning_effort": True})


def read(**more: Any) -> MessagesRequest:
    body = {"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": "Hi"}]} | more
    return read_messages_request(body)


def unheeded(asked: MessagesRequest, model: Model | None = None) -> tuple[str, ...]:
    return asked.generation_request(model).ignored(AccountKind.OFFICIAL)


def test_limits_and_sampling_are_passed_on() -> None:
    call = read(temperature=0.3, top_p=0.5, stream=True).generation_request(None)
    request = call.build("bot", AccountKind.OFFICIAL)
    assert (request.max_tokens, request.parameters) == (4000, {"temperature": 0.3, "top_p": 0.5})
    assert call.is_streamed


def test_stop_sequences_are_kept_here_and_not_told_the_upstream() -> None:
    call = read(stop_sequences=["END"]).generation_request(None)
    assert call.build("bot", AccountKind.OFFICIAL).stop == ()
    assert call.limits(AccountKind.OFFICIAL).stop == ("END",)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
    ],
)
def test_tools_have_openais_shape(choice: dict[str, Any], expected: Any) -> None:
    request = read(tools=[TOOL], tool_choice=choice).generation_request(None).build("bot", AccountKind.OFFICIAL)
    (tool,) = request.tools
    assert tool["function"]["name"] == "look"
    assert tool["function"]["parameters"] == TOOL["input_schema"]
    assert request.tool_choice == expected


def test_no_tool_is_offered_where_none_may_be_called() -> None:
    assert read(tools=[TOOL], tool_choice={"type": "none"}).generation_request(None).tools == ()


def test_one_call_at_a_time_is_asked_for() -> None:
    asked = read(tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert asked.generation_request(None).build("m", AccountKind.OFFICIAL).parameters == {"parallel_tool_calls": False}


def test_tools_that_only_their_provider_has_are_left_out_and_reported() -> None:
    asked = read(tools=[{"type": "web_search_20250305", "name": "web_search"}, TOOL])
    assert len(asked.generation_request(None).tools) == 1
    assert unheeded(asked) == ("tools[0]",)


@pytest.mark.parametrize(
    ("thinking", "model", "parameters", "ignored"),
    [
        ({"type": "enabled", "budget_tokens": 2000}, BUDGET, {"thinking_budget": 2000}, ()),
        ({"type": "enabled", "budget_tokens": 2000}, EFFORT, {"reasoning_effort": "low"}, ()),
        ({"type": "enabled", "budget_tokens": 2000}, None, {}, ("thinking",)),
        (
            {"type": "disabled"},
            Model(id="m", bot="m", parameters=({"name": "enable_thinking"},)),
            {"enable_thinking": False},
            (),
        ),
        ({"type": "disabled"}, EFFORT, {}, ("thinking",)),
        ({"type": "adaptive"}, EFFORT, {}, ()),
    ],
)
def test_thinking_becomes_an_option_that_the_model_declares(
    thinking: dict[str, Any], model: Model | None, parameters: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    asked = read(thinking=thinking)
    assert asked.generation_request(model).build("m", AccountKind.OFFICIAL).parameters == parameters
    assert unheeded(asked, model) == ignored


def test_an_effort_of_the_callers_own_goes_before_a_budget() -> None:
    asked = read(thinking={"type": "enabled", "budget_tokens": 2000}, output_config={"effort": "high"})
    assert asked.generation_request(EFFORT).build("m", AccountKind.OFFICIAL).parameters == {"reasoning_effort": "high"}


@pytest.mark.parametrize(
    ("thinking", "is_shown"),
    [({"type": "disabled"}, False), ({"type": "adaptive", "display": "omitted"}, False), ({"type": "adaptive"}, True)],
)
def test_thoughts_are_shown_unless_they_are_not_wanted(thinking: dict[str, Any], is_shown: bool) -> None:
    assert read(thinking=thinking).thinking.is_shown is is_shown


def test_what_no_model_is_told_is_reported() -> None:
    asked = read(
        metadata={"user_id": "u", "session_id": "s"},
        n=3,
        messages=[
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                    {"type": "text", "text": "Ho", "citations": None},
                ],
            },
        ],
    )
    assert unheeded(asked) == (
        "messages.content.server_tool_use",
        "messages.content.thinking",
        "metadata.user_id",
        "n",
    )
    assert asked.generation_request(None).session_id == "s"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": " "}, "model"),
        ({"stop_sequences": [1]}, "stop_sequences"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "y"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"service_tier": "gold"}, "service_tier"),
    ],
)
def test_a_wrong_field_is_named(more: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(**more).generation_request(None)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_options_that_nobody_declares_are_reported() -> None:
    assert unheeded(read(top_k=5, service_tier="auto", speed="fast")) == ("speed", "top_k")
