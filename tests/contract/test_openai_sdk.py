"""The official SDK, strict about every field, against the gateway: answers, errors, retries, leaving early."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, FinishReason, TextDelta, ToolCallDelta, UsageReported
from tests.contract.conftest import Front
from tests.gateway.scripted import Hang, Pause

QUESTION: Any = {"model": "GPT-5", "messages": [{"role": "user", "content": "Hi"}]}


async def test_a_completion(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hello"), UsageReported(5, 1), Finished())
    async with front.client() as client:
        completion = await client.chat.completions.create(**QUESTION)
        raw = await client.chat.completions.with_raw_response.create(**QUESTION)
    assert completion.choices[0].message.content == "Hello"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 6
    assert raw.headers["x-request-id"].startswith("req_")


async def test_a_stream_arrives_while_the_upstream_still_talks(front: Front) -> None:
    await front.house.add_account()
    pauses = [Pause(), Pause()]
    front.house.poe.enqueue(TextDelta("one "), pauses[0], TextDelta("two "), pauses[1], TextDelta("three"), Finished())
    texts: list[str] = []
    async with front.client() as client, asyncio.timeout(5):
        stream = await client.chat.completions.create(**QUESTION, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                texts.append(chunk.choices[0].delta.content)
                if len(texts) <= 2:
                    pauses[len(texts) - 1].event.set()
    assert texts == ["one ", "two ", "three"]


async def test_usage_at_the_end_of_a_stream(front: Front) -> None:
    await front.house.add_account()
    async with front.client() as client:
        stream = await client.chat.completions.create(**QUESTION, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []


async def test_the_sdks_stream_helper_assembles_tool_calls(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        ToolCallDelta(0, "", "call_1", "f"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(0, "1}"),
        ToolCallDelta(1, "{}", "call_2", "g"),
        Finished(FinishReason.TOOL_CALLS),
    )
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    async with front.client() as client, client.chat.completions.stream(**QUESTION, tools=[tool]) as stream:
        completion = await stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls or []
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("call_1", "f", '{"a":1}'),
        ("call_2", "g", "{}"),
    ]
    assert completion.choices[0].finish_reason == "tool_calls"


async def test_models(front: Front) -> None:
    async with front.client() as client:
        models = [model async for model in client.models.list()]
        assert (await client.models.retrieve("claude-opus-4.5")).id == "Claude-Opus-4.5"
    assert len(models) > 10


ERRORS: list[tuple[str, list[Any], type[openai.APIStatusError], str, int]] = [
    ("refused content", [poe_error(ErrorCode.CONTENT_REFUSED)], openai.BadRequestError, "content_filter", 1),
    ("too long", [poe_error(ErrorCode.MESSAGE_TOO_LONG)], openai.BadRequestError, "context_length_exceeded", 1),
    ("unknown model", [poe_error(ErrorCode.BOT_NOT_FOUND)], openai.NotFoundError, "model_not_found", 1),
    ("no access", [poe_error(ErrorCode.BOT_ACCESS_DENIED)], openai.PermissionDeniedError, "model_not_allowed", 1),
    ("no points", [poe_error(ErrorCode.INSUFFICIENT_POINTS)], openai.RateLimitError, "insufficient_quota", 1),
    ("failed", [poe_error(ErrorCode.UPSTREAM_FAILED)], openai.InternalServerError, "upstream_error", 1),
    ("challenge", [poe_error(ErrorCode.CHALLENGE)], openai.InternalServerError, "upstream_challenge", 1),
    ("too slow", [poe_error(ErrorCode.TIMEOUT)], openai.InternalServerError, "upstream_timeout", 1),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("script", "kind", "code", "requests"), [row[1:] for row in ERRORS], ids=[r[0] for r in ERRORS]
)
async def test_upstream_errors(
    front: Front, script: list[Any], kind: type[openai.APIStatusError], code: str, requests: int, stream: bool
) -> None:
    """Each is the SDK's class for it, and is not tried again: the gateway did what could be done."""
    await front.house.add_account()
    front.house.poe.enqueue(*script)
    async with front.client() as client:
        with pytest.raises(kind) as caught:
            await client.chat.completions.create(**QUESTION, stream=stream)
    assert caught.value.code == code
    assert caught.value.request_id
    assert len(front.requests) == requests


async def test_a_wrong_key(front: Front) -> None:
    async with front.client(api_key="wrong") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(**QUESTION)
    assert caught.value.code == "invalid_api_key"


async def test_a_wrong_field(front: Front) -> None:
    async with front.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(**QUESTION, extra_body={"max_tokens": "many"})
    assert (caught.value.param, caught.value.code) == ("max_tokens", "invalid_type")


async def test_an_address_that_is_not_offered(front: Front) -> None:
    async with front.client() as client:
        with pytest.raises(openai.NotFoundError) as caught:
            await client.fine_tuning.jobs.list()
    assert caught.value.code == "not_found"


async def test_too_large_a_body(front: Front) -> None:
    async with front.client() as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x" * 7 * 1024 * 1024}]
            )
    assert (caught.value.status_code, caught.value.code) == (413, "request_too_large")


async def test_busy_accounts_are_worth_another_try(front: Front) -> None:
    """The SDK comes back after the time it is told, and succeeds."""
    await front.house.add_account(max_concurrency=1)
    pause = Pause()
    front.house.poe.enqueue(TextDelta("first"), pause, Finished())
    async with front.client() as client, asyncio.timeout(10):
        first = asyncio.create_task(client.chat.completions.create(**QUESTION))
        await front.house.until_asked()
        second = asyncio.create_task(client.chat.completions.create(**QUESTION))
        while len(front.house.lines("request.ended")) < 1:  # noqa: ASYNC110 - written by the gateway
            await asyncio.sleep(0.005)
        assert front.house.lines("request.ended")[0]["error"] == "accounts_busy"
        pause.event.set()
        assert (await second).choices[0].message.content == "Hello there"
        await first
    assert len(front.requests) == 3


async def test_no_account_at_all_is_not_tried_again(front: Front) -> None:
    async with front.client() as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(**QUESTION)
    assert caught.value.code == "no_accounts"
    assert len(front.requests) == 1


async def test_an_error_in_mid_stream_is_raised_after_what_came_before(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.CONNECTION_FAILED))
    texts: list[str] = []
    async with front.client() as client:
        stream = await client.chat.completions.create(**QUESTION, stream=True)
        with pytest.raises(openai.APIError) as caught:
            async for chunk in stream:
                texts.append(chunk.choices[0].delta.content or "")
    assert "".join(texts) == "Hel"
    assert (caught.value.code, caught.value.type) == ("upstream_error", "server_error")


@pytest.mark.parametrize("stream", [True, False])
async def test_leaving_in_the_middle_stops_the_upstream(front: Front, stream: bool) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), Hang())
    async with front.client(max_retries=0) as client, asyncio.timeout(5):
        if stream:
            response = await client.chat.completions.create(**QUESTION, stream=True)
            async for _ in response:
                break
            await response.close()
        else:
            asking = asyncio.create_task(client.chat.completions.create(**QUESTION))
            await front.house.until_asked()
            asking.cancel()
        while front.house.store.held or not front.house.store.released:  # noqa: ASYNC110 - the gateway's doing
            await asyncio.sleep(0.005)
    assert front.house.poe.stopped == 1
