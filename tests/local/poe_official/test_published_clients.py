"""The vendors' own SDKs understand the simulator: it is not only right by our own reading."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anthropic
import openai
import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import ErrorEvent, HttpError

KEY = "simulated-key"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
async def sdk(simulator: PoeOfficialSimulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        api_key=KEY, base_url=f"{simulator.base_url}/v1", max_retries=0, _strict_response_validation=True
    ) as opened:
        yield opened


async def test_chat_streams_text_and_usage(sdk: openai.AsyncOpenAI) -> None:
    stream = await sdk.chat.completions.create(
        model="Story",
        messages=[{"role": "user", "content": "count 5"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "w0001 w0002 w0003 w0004 w0005"
    assert chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 10


async def test_chat_assembles_tool_calls(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.chat.completions.stream(
        model="ToolCaller",
        messages=[{"role": "user", "content": '[[call: {"city": "Rome"}]] [[call: weather {"city": "Oslo"}]]'}],
        tools=[TOOL],  # type: ignore[list-item]
    ) as stream:
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Rome", "Oslo"]
    assert final.choices[0].finish_reason == "tool_calls"


async def test_a_whole_completion_validates(sdk: openai.AsyncOpenAI) -> None:
    done = await sdk.chat.completions.create(model="reasoner", messages=[{"role": "user", "content": "x"}])
    assert done.choices[0].message.content == "Answer: x"


async def test_structured_output_fits_the_schema(sdk: openai.AsyncOpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["b", "c"]},
            "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
            "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        },
        "$defs": {"item": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}}},
    }
    done = await sdk.chat.completions.create(
        model="Structured",
        messages=[{"role": "user", "content": "x"}],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    assert json.loads(done.choices[0].message.content or "") == {
        "kind": "b",
        "items": [{"n": 3}],
        "when": "2026-11-22",
    }


async def test_responses_stream_in_the_order_that_the_helper_demands(simulator: PoeOfficialSimulator) -> None:
    # Not in strict mode: recorded answers lack the `cache_write_tokens` that the SDK of today requires.
    sdk = openai.AsyncOpenAI(api_key=KEY, base_url=f"{simulator.base_url}/v1", max_retries=0)
    async with sdk:
        await check_responses(sdk)


async def check_responses(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.responses.stream(model="GPT-5.2", input="[[say: hello there]]") as stream:
        final = await stream.get_final_response()
    assert final.output_text == "hello there"
    async with sdk.responses.stream(model="O3-Responses", input="why") as stream:
        assert (await stream.get_final_response()).output_text == "Answer: why"
    async with sdk.responses.stream(
        model="GPT-5.2",
        input='[[call: {"city": "Rome"}]]',
        tools=[{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}],
    ) as stream:
        called = (await stream.get_final_response()).output[-1]
    assert called.type == "function_call" and json.loads(called.arguments) == {"city": "Rome"}
    whole = await sdk.responses.create(model="O3-Responses", input="why", reasoning={"effort": "low"})
    assert whole.output_text == "Answer: why"


async def test_an_error_in_mid_stream_reaches_the_sdk(sdk: openai.AsyncOpenAI, simulator: PoeOfficialSimulator) -> None:
    simulator.enqueue(Scenario(ErrorEvent(2)))
    stream = await sdk.chat.completions.create(model="Echo", messages=[{"role": "user", "content": "x"}], stream=True)
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "authentication_error", openai.AuthenticationError),
        (404, "not_found_error", openai.NotFoundError),
        (429, "rate_limit_error", openai.RateLimitError),
        (529, "overloaded_error", openai.InternalServerError),
    ],
)
async def test_documented_errors_are_the_sdks(
    sdk: openai.AsyncOpenAI, simulator: PoeOfficialSimulator, status: int, kind: str, error: type[openai.APIError]
) -> None:
    simulator.enqueue(Scenario(HttpError(status, kind, status)))
    with pytest.raises(error) as caught:
        await sdk.chat.completions.create(model="Echo", messages=[{"role": "user", "content": "x"}])
    assert caught.value.type == kind


async def test_messages_stream_and_call_tools(simulator: PoeOfficialSimulator) -> None:
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=simulator.base_url, max_retries=0) as sdk:
        async with sdk.messages.stream(
            model="claude-messages",
            max_tokens=100,
            messages=[{"role": "user", "content": "[[say: hello there]]"}],
        ) as stream:
            assert await stream.get_final_text() == "hello there"
        async with sdk.messages.stream(
            model="claude-messages",
            max_tokens=100,
            messages=[{"role": "user", "content": '[[call: {"city": "Rome"}]]'}],
            tools=[{"name": "weather", "input_schema": {"type": "object"}}],
        ) as stream:
            final = await stream.get_final_message()
    block = final.content[-1]
    assert block.type == "tool_use" and block.input == {"city": "Rome"}
    assert final.stop_reason == "tool_use"
