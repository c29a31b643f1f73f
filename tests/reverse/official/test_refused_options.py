"""Which option a refusal is about, found in the words of providers where the error names none."""

from __future__ import annotations

from typing import Any

import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import HttpError
from reverse.chat import ChatRequest, Message
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.official import PoeOfficialClient
from reverse.official.failures import failure_of_error
from reverse.official.refused_options import blame, refused_option

OPTIONS: dict[str, Any] = {
    "temperature": 0.2,
    "top_p": 0.9,
    "reasoning_effort": "high",
    "verbosity": "low",
    "stop": ["END"],
    "response_format": {"type": "json_object"},
    "max_tokens": 99,
    "tools": [{}],
    "thinking_budget": 5000,
    "seed": 3,
    "n": 1,
    "user": "x",
    "text": "y",
}


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("Unsupported value: 'high' is not supported with the 'gpt-5.2-chat-latest' model.", "reasoning_effort"),
        ("Unsupported parameter: 'temperature' is not supported with this model.", "temperature"),
        (
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is supported.",
            "temperature",
        ),
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", "top_p"),
        ("temperature and top_p cannot both be set", "top_p"),
        ("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.", "max_tokens"),
        ("stop: Extra inputs are not permitted", "stop"),
        ("Argument not supported on this model: stop", "stop"),
        ("Argument not supported on this model: reasoningEffort", "reasoning_effort"),
        ("The stop parameter is not supported by this model", "stop"),
        (
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported.",
            "response_format",
        ),
        ("This model does not support json mode", "response_format"),
        ("Structured outputs are not available for this model.", "response_format"),
        ("Model grok-3 does not support parameter reasoningEffort / reasoning effort.", "reasoning_effort"),
        ("output_config.effort: Input should be 'low'", "reasoning_effort"),
        ("thinking.budget_tokens: Input should be greater than or equal to 1024", "thinking_budget"),
        ("Invalid value for 'thinking_budget': 5000 is greater than the maximum of 4096.", "thinking_budget"),
        ("The model does not support the parameter `seed`", "seed"),
        ('Unknown name "user": Cannot find field.', "user"),
        ("You can stop the user from sending text, or n tools at most.", None),
        ("Something else is wrong", None),
        ("", None),
    ],
)
def test_the_words_of_providers_name_an_option(text: str, option: str | None) -> None:
    assert refused_option(text, OPTIONS) == option


def test_only_options_of_the_request_are_blamed() -> None:
    assert refused_option("Unsupported parameter: 'top_k' is not supported", OPTIONS) is None
    assert refused_option("'low' is not supported", {"a": "low", "b": "low"}) is None


def request(**fields: Any) -> ChatRequest:
    return ChatRequest("Echo", [Message("user", "x")], **fields)


@pytest.mark.parametrize(
    ("param", "code", "becomes", "named"),
    [
        ("stop", 400, ErrorCode.UNSUPPORTED_FEATURE, "stop"),
        ("stop", None, ErrorCode.UNSUPPORTED_FEATURE, "stop"),
        ("reasoning.effort", "unsupported_value", ErrorCode.UNSUPPORTED_FEATURE, "reasoning_effort"),
        ("messages[0].content", None, ErrorCode.INVALID_REQUEST, "messages[0].content"),
    ],
)
def test_a_named_field_gets_our_name(param: str, code: Any, becomes: ErrorCode, named: str) -> None:
    error = failure_of_error(
        {"message": "no", "type": "invalid_request_error", "param": param, "code": code}, operation="x", status=400
    )
    blame(error, request(stop=["END"], parameters={"reasoning_effort": "high"}))
    assert (error.code, error.param) == (becomes, named)


def test_a_wrong_value_is_named_and_stays_a_mistake() -> None:
    text = "Invalid schema for response_format 'x': schema must have a 'type' key."
    error = blame(poe_error(ErrorCode.INVALID_REQUEST, upstream_text=text), request(response_format={"type": "text"}))
    assert (error.code, error.param) == (ErrorCode.INVALID_REQUEST, "response_format")


def test_other_failures_are_left_alone() -> None:
    error = blame(
        poe_error(ErrorCode.UPSTREAM_FAILED, upstream_text="'temperature' failed"),
        request(parameters={"temperature": 1}),
    )
    assert (error.code, error.param) == (ErrorCode.UPSTREAM_FAILED, None)


@pytest.mark.parametrize(
    ("bot", "fields", "param"),
    [
        ("Picky", {"parameters": {"temperature": 0.5}}, "temperature"),
        ("Picky", {"stop": ["END"]}, "stop"),
        ("Picky", {"response_format": {"type": "json_object"}}, "response_format"),
        ("Assistant", {"parameters": {"reasoning_effort": "high"}}, "reasoning_effort"),
        ("Claude-Sonnet-4.5", {"parameters": {"temperature": 0.5, "top_p": 0.5}}, "top_p"),
    ],
)
async def test_a_refusal_of_the_simulated_api_names_the_option(
    client: PoeOfficialClient, bot: str, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(PoeError) as caught:
        async for _ in client.stream(ChatRequest(bot, [Message("user", "x")], **fields)):
            pass
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_FEATURE, param)


@pytest.mark.parametrize(
    "text",
    [
        "prompt is too long: 208310 tokens > 200000 maximum",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        "Your input exceeds the context window of this model.",
        "Input is too long for requested model.",
        "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
        "Please reduce the length of the messages or completion.",
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
        "Invalid request: Your request exceeded model token limit: 8192",
        "Prompt exceeds max length",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        "Range of input length should be [1, 30720]",
        "too many tokens: total number of tokens in the prompt cannot exceed 4081",
    ],
)
async def test_a_prompt_that_is_too_long_is_told_by_its_words(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, text: str
) -> None:
    simulator.enqueue(Scenario(HttpError(400, "invalid_request_error", message=text)))
    with pytest.raises(PoeError) as caught:
        async for _ in client.stream(request()):
            pass
    assert caught.value.code is ErrorCode.MESSAGE_TOO_LONG


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "max_tokens is too large: 100000. This model supports at most 16384 completion tokens"),
        (400, "Invalid 'messages[0].name': name is too long"),
        (400, "Unsupported value: 'high' is not supported"),
        (429, "Request too large for the model: reduce the length of the messages. Limit 30000 tokens per min"),
        (503, "The context window service is overloaded"),
    ],
)
async def test_other_refusals_are_not_taken_for_a_prompt_that_is_too_long(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, status: int, text: str
) -> None:
    simulator.enqueue(Scenario(HttpError(status, "invalid_request_error", message=text)))
    with pytest.raises(PoeError) as caught:
        async for _ in client.stream(request()):
            pass
    assert caught.value.code is not ErrorCode.MESSAGE_TOO_LONG
