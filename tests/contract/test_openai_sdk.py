"""The official SDK, strict about every field, against the gateway: answers, errors, retries, leaving early."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import openai
import pytest

from accounts import BalanceReading
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, FinishReason, TextDelta, ToolCallDelta, UsageReported
from tests.contract.conftest import Front
from tests.contract.error_table import ERRORS
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
    async with front.client() as client, asyncio.timeout(30):
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


FAILURES = {
    "refused content": ErrorCode.CONTENT_REFUSED,
    "prompt too long": ErrorCode.MESSAGE_TOO_LONG,
    "unknown model": ErrorCode.BOT_NOT_FOUND,
    "model not for this key": ErrorCode.BOT_ACCESS_DENIED,
    "no account has points": ErrorCode.INSUFFICIENT_POINTS,
    "upstream failed": ErrorCode.UPSTREAM_FAILED,
    "upstream challenge": ErrorCode.CHALLENGE,
    "upstream too slow": ErrorCode.TIMEOUT,
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", FAILURES)
async def test_upstream_errors(front: Front, name: str, stream: bool) -> None:
    """Each is the SDK's class for it, and is not tried again: the gateway did what could be done."""
    account = await front.house.add_account()
    await front.house.store.record_reading(account, BalanceReading(5000, next_grant_at=time.time() + 3600))
    front.house.poe.enqueue(poe_error(FAILURES[name]))
    async with front.client() as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(**QUESTION, stream=stream)
    ERRORS[name].check(caught.value, len(front.requests))
    assert caught.value.request_id


@pytest.mark.parametrize("stream", [True, False])
async def test_lambdas_deadline(front: Front, stream: bool) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(Hang())
    front.remaining_milliseconds = 200
    async with front.client() as client, asyncio.timeout(30):
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(**QUESTION, stream=stream)
    ERRORS["upstream too slow"].check(caught.value, len(front.requests))
    # On a busy machine the time may be over before Poe is asked.
    assert front.house.poe.stopped == len(front.house.poe.requests) <= 1


async def test_a_wrong_key(front: Front) -> None:
    async with front.client(api_key="wrong") as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(**QUESTION)
    ERRORS["wrong API key"].check(caught.value, len(front.requests))


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
    ERRORS["body over 6 MB"].check(caught.value, len(front.requests))


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


async def leave_chat(client: openai.AsyncOpenAI, front: Front) -> None:
    async with await client.chat.completions.create(**QUESTION, stream=True) as stream:
        async for _ in stream:
            break


async def leave_response(client: openai.AsyncOpenAI, front: Front) -> None:
    async with await client.responses.create(model="GPT-5", input="Hi", stream=True) as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                break


async def leave_helper(client: openai.AsyncOpenAI, front: Front) -> None:
    async with client.chat.completions.stream(**QUESTION) as stream:
        async for event in stream:
            if event.type == "content.delta":
                break


async def cancel_the_call(client: openai.AsyncOpenAI, front: Front) -> None:
    task = asyncio.create_task(client.chat.completions.create(**QUESTION))
    await front.house.until_asked()
    task.cancel()


@pytest.mark.parametrize("leave", [leave_chat, leave_response, leave_helper, cancel_the_call])
async def test_leaving_in_the_middle_stops_the_upstream_and_frees_the_account(front: Front, leave: Any) -> None:
    """The only slot is free again, so that the next request is answered."""
    await front.house.add_account(max_concurrency=1)
    front.house.poe.enqueue(TextDelta("Hel"), Hang())
    async with front.client(max_retries=0) as client, asyncio.timeout(30):
        await leave(client, front)
        while front.house.store.held or not front.house.store.released:  # noqa: ASYNC110 - the gateway's doing
            await asyncio.sleep(0.005)
        assert front.house.poe.stopped == 1
        completion = await client.chat.completions.create(**QUESTION)
    assert completion.choices[0].message.content == "Hello there"
