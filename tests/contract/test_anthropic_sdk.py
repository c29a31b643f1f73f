"""The official Anthropic SDK, strict about every field, against the gateway over a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from accounts import AccountKind
from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
    UsageReported,
)
from tests.contract.conftest import Front
from tests.gateway.scripted import API_KEY, Hang, Pause

QUESTION: Any = {"model": "GPT-5", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hi"}]}
WEATHER: Any = {
    "name": "get_weather",
    "description": "Today's weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def message_of(front: Front, **more: Any) -> Any:
    async with front.anthropic() as client:
        return await client.messages.create(**QUESTION | more)


async def test_a_message_has_text_usage_and_a_reason(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), TextDelta("lo"), UsageReported(12, 2, cached_tokens=4), Finished())
    message = await message_of(front)
    assert message.id.startswith("msg_")
    assert (message.role, message.model, message.stop_reason) == ("assistant", "GPT-5", "end_turn")
    assert [block.text for block in message.content] == ["Hello"]
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (8, 4)
    assert message.usage.output_tokens == 2
    assert message.usage.estimated is False
    assert message._request_id.startswith("req_")


async def test_an_estimated_usage_says_so(front: Front) -> None:
    await front.house.add_account()
    message = await message_of(front)
    assert message.usage.estimated is True
    assert message.usage.output_tokens > 0


async def test_the_stream_helper_gathers_text_as_it_comes(front: Front) -> None:
    await front.house.add_account()
    pauses = [Pause(), Pause()]
    front.house.poe.enqueue(TextDelta("one "), pauses[0], TextDelta("two "), pauses[1], TextDelta("three"), Finished())
    texts: list[str] = []
    async with front.anthropic() as client, client.messages.stream(**QUESTION) as stream:
        async for text in stream.text_stream:
            texts.append(text)
            if len(texts) <= 2:
                pauses[len(texts) - 1].event.set()
        final = await stream.get_final_message()
    assert texts == ["one ", "two ", "three"]
    assert final.content[0].text == "one two three"
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


async def test_every_event_of_a_stream_comes_in_its_order(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolCallDelta(0, "", id="call_a", name="get_weather"),
        ToolCallDelta(0, '{"city":'),
        ToolCallDelta(0, '"Oslo"}'),
        UsageReported(5, 9),
        Finished(FinishReason.TOOL_CALLS),
    )
    async with front.anthropic() as client:
        stream = await client.messages.create(**QUESTION, tools=[WEATHER], stream=True)
        events = [event async for event in stream]
    assert [(event.type, getattr(event, "index", None)) for event in events] == [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_delta", 2),
        ("content_block_delta", 2),
        ("content_block_stop", 2),
        ("message_delta", None),
        ("message_stop", None),
    ]
    kinds = [event.delta.type for event in events if event.type == "content_block_delta"]
    assert kinds == ["thinking_delta", "text_delta", "input_json_delta", "input_json_delta"]
    assert (events[-2].delta.stop_reason, events[-2].usage.output_tokens) == ("tool_use", 9)


@pytest.mark.parametrize("stream", [True, False])
async def test_parallel_calls_make_a_round_trip(front: Front, stream: bool) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        ToolCallDelta(0, "", id="call_a", name="get_weather"),
        ToolCallDelta(1, "", id="call_b", name="get_weather"),
        ToolCallDelta(0, '{"city":"Oslo"}'),
        ToolCallDelta(1, '{"city":"Rome"}'),
        Finished(FinishReason.TOOL_CALLS),
    )
    async with front.anthropic() as client:
        asked: Any = QUESTION | {"tools": [WEATHER], "tool_choice": {"type": "any"}}
        if stream:
            async with client.messages.stream(**asked) as events:
                message: Any = await events.get_final_message()
        else:
            message = await client.messages.create(**asked)
        assert message.stop_reason == "tool_use"
        assert [(block.id, block.input) for block in message.content] == [
            ("call_a", {"city": "Oslo"}),
            ("call_b", {"city": "Rome"}),
        ]
        results = [
            {"type": "tool_result", "tool_use_id": "call_a", "content": "3 degrees"},
            {"type": "tool_result", "tool_use_id": "call_b", "content": "no such city", "is_error": True},
            {"type": "text", "text": "In short, please."},
        ]
        turns = [*asked["messages"], message.to_param(), {"role": "user", "content": results}]
        answer: Any = await client.messages.create(**asked | {"messages": turns, "tool_choice": {"type": "auto"}})
    assert answer.content[0].text == "Hello there"
    first, second = front.house.poe.requests
    assert first.tool_choice == "required"
    assert [turn.role for turn in second.messages] == ["user", "assistant", "tool", "tool", "user"]
    assert [call.arguments for call in second.messages[1].tool_calls] == ['{"city":"Oslo"}', '{"city":"Rome"}']
    assert [turn.text for turn in second.messages[2:]] == [
        "3 degrees",
        "The tool failed: no such city",
        "In short, please.",
    ]


async def test_images_and_documents_reach_the_model(front: Front) -> None:
    await front.house.add_account()
    content: Any = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "document", "title": "note", "source": {"type": "text", "media_type": "text/plain", "data": "42"}},
        {
            "type": "document",
            "title": "paper",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
        },
        {"type": "text", "text": "What is it?"},
    ]
    await message_of(front, messages=[{"role": "user", "content": content}])
    (turn,) = front.house.poe.requests[0].messages
    assert turn.text == "note:\n\n42\nWhat is it?"
    assert [(file.name, file.content_type) for file in turn.attachments] == [
        ("image.png", "image/png"),
        ("paper.pdf", "application/pdf"),
    ]
    assert turn.attachments[0].data is not None
    assert turn.attachments[0].data.startswith(b"\x89PNG")


async def test_thinking_is_a_block_of_its_own_and_may_come_back(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(ReasoningDelta("let me "), ReasoningDelta("see"), TextDelta("4"), Finished())
    async with front.anthropic() as client:
        message: Any = await client.messages.create(
            **QUESTION | {"max_tokens": 4096}, thinking={"type": "enabled", "budget_tokens": 2048}
        )
        assert [(block.type) for block in message.content] == ["thinking", "text"]
        assert message.content[0].thinking == "let me see"
        turns = [*QUESTION["messages"], message.to_param(), {"role": "user", "content": "Sure?"}]
        await client.messages.create(**QUESTION | {"messages": turns})
    assert [turn.text for turn in front.house.poe.requests[1].messages] == ["Hi", "4", "Sure?"]


@pytest.mark.parametrize("kind", AccountKind)
async def test_the_stop_sequence_that_matched_is_named(front: Front, kind: AccountKind) -> None:
    await front.house.add_account(kind=kind)
    front.house.poe.enqueue(TextDelta("one tw"), TextDelta("o three"), Hang())
    message = await message_of(front, stop_sequences=["nine", "two"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "two")
    assert message.content[0].text == "one "


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (FinishReason.LENGTH, "max_tokens"),
        (FinishReason.CONTENT_FILTER, "refusal"),
        (FinishReason.CANCELLED, "max_tokens"),
    ],
)
async def test_every_ending_has_its_word(front: Front, reason: FinishReason, told: str) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hm"), Finished(reason))
    assert (await message_of(front)).stop_reason == told


async def test_structured_output_is_parsed_by_the_sdk(front: Front) -> None:
    class City(BaseModel):
        name: str

    await front.house.add_account()
    front.house.poe.enqueue(TextDelta('{"name":"Oslo"}'), Finished())
    async with front.anthropic() as client:
        message: Any = await client.messages.parse(**QUESTION, output_format=City)
    assert message.parsed_output == City(name="Oslo")
    assert front.house.poe.requests[0].response_format is not None


async def test_files_of_the_answer_are_linked_and_replaced_text_is_gone(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        TextDelta("Painting"), TextReplaced("Done."), FileAttached("https://files.example/a.png"), Finished()
    )
    assert (await message_of(front)).content[0].text == "Done.\n\nhttps://files.example/a.png"


async def test_tokens_are_counted_without_asking_poe(front: Front) -> None:
    async with front.anthropic() as client:
        asked: Any = {"model": "GPT-5", "messages": QUESTION["messages"]}
        plain = await client.messages.count_tokens(**asked)
        system = await client.messages.count_tokens(**asked, system="Be brief. " * 20)
        tools = await client.messages.count_tokens(**asked, tools=[WEATHER])
    assert 0 < plain.input_tokens < tools.input_tokens - 30
    assert plain.input_tokens < system.input_tokens - 40
    assert not front.house.poe.requests


@pytest.mark.parametrize(
    ("code", "expected", "kind"),
    [
        (ErrorCode.MESSAGE_TOO_LONG, anthropic.BadRequestError, "invalid_request_error"),
        (ErrorCode.BOT_ACCESS_DENIED, anthropic.PermissionDeniedError, "permission_error"),
        (ErrorCode.BOT_NOT_FOUND, anthropic.NotFoundError, "not_found_error"),
        (ErrorCode.INSUFFICIENT_POINTS, anthropic.RateLimitError, "rate_limit_error"),
        (ErrorCode.OVERLOADED, anthropic.OverloadedError, "overloaded_error"),
        (ErrorCode.CONNECTION_FAILED, anthropic.InternalServerError, "api_error"),
        (ErrorCode.CHALLENGE, anthropic.ServiceUnavailableError, "api_error"),
        (ErrorCode.TIMEOUT, anthropic.GatewayTimeoutError, "timeout_error"),
    ],
)
async def test_failures_are_raised_as_their_class_and_not_tried_again(
    front: Front, code: ErrorCode, expected: type[anthropic.APIStatusError], kind: str
) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(poe_error(code))
    with pytest.raises(expected) as caught:
        await message_of(front)
    assert type(caught.value) is expected
    assert caught.value.type == kind
    assert caught.value.error_code
    assert (caught.value.request_id or "").startswith("req_")
    assert len(front.requests) == 1


async def test_models_come_in_pages(front: Front) -> None:
    async with front.anthropic() as client:
        everything = [model async for model in client.models.list(limit=1000)]
        paged = [model async for model in client.models.list(limit=3)]
        middle = await client.models.list(limit=2, before_id=everything[5].id)
        found = await client.models.retrieve("claude-opus-4.5")
        with pytest.raises(anthropic.BadRequestError):
            await client.models.list(after_id="nobody")
        with pytest.raises(anthropic.BadRequestError):
            await client.models.list(limit=0)
        with pytest.raises(anthropic.NotFoundError):
            await client.models.retrieve("claude-nothing")
    assert len(everything) > 10
    assert paged == everything
    assert middle.data == everything[3:5]
    assert middle.has_more
    assert (found.type, found.id, found.display_name) == ("model", "Claude-Opus-4.5", "Claude-Opus-4.5")


async def test_a_wrong_key_is_an_authentication_error(front: Front) -> None:
    async with front.anthropic(api_key="sk-wrong-0123456789abcdef") as client:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await client.messages.create(**QUESTION)
    assert (caught.value.type, caught.value.error_code) == ("authentication_error", "invalid_api_key")
    assert len(front.requests) == 1


async def test_a_busy_gateway_is_tried_three_times(front: Front) -> None:
    await front.house.add_account(max_concurrency=1)
    front.house.poe.enqueue(TextDelta("a"), Hang())
    async with front.anthropic() as client:
        stream = await client.messages.create(**QUESTION, stream=True)
        with pytest.raises(anthropic.RateLimitError):
            await client.messages.create(**QUESTION)
        await stream.close()
    assert len(front.requests) == 1 + 3


async def test_a_key_in_the_authorization_header_works_too(front: Front) -> None:
    await front.house.add_account()
    async with front.anthropic(api_key=None, auth_token=API_KEY) as client:
        message: Any = await client.messages.create(**QUESTION)
    assert message.content[0].text == "Hello there"


async def test_a_failure_in_mid_stream_is_raised_after_what_came_before(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.CONNECTION_FAILED))
    texts: list[str] = []
    async with front.anthropic() as client:
        with pytest.raises(anthropic.APIStatusError) as caught:
            async with client.messages.stream(**QUESTION) as stream:
                async for text in stream.text_stream:
                    texts.append(text)
    assert texts == ["Hel"]
    assert (caught.value.type, caught.value.error_code) == ("api_error", "upstream_error")


@pytest.mark.parametrize("stream", [True, False])
async def test_leaving_in_the_middle_stops_the_upstream(front: Front, stream: bool) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), Hang())
    async with front.anthropic(max_retries=0) as client, asyncio.timeout(30):
        if stream:
            async with client.messages.stream(**QUESTION) as events:
                async for _ in events.text_stream:
                    break
        else:
            task = asyncio.create_task(client.messages.create(**QUESTION))
            await front.house.until_asked()
            task.cancel()
        while front.house.store.held or not front.house.store.released:  # noqa: ASYNC110 - the gateway's doing
            await asyncio.sleep(0.005)
    assert front.house.poe.stopped == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_web_account_calls_tools_too(front: Front, stream: bool) -> None:
    await front.house.add_account("cookie", AccountKind.WEB)
    front.house.poe.enqueue(
        TextDelta('[{"name":"get_weather",'), TextDelta('"arguments":{"city":"Oslo"}}]'), Finished()
    )
    async with front.anthropic() as client:
        asked: Any = QUESTION | {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "get_weather"}}
        if stream:
            async with client.messages.stream(**asked) as events:
                message: Any = await events.get_final_message()
        else:
            message = await client.messages.create(**asked)
    assert message.stop_reason == "tool_use"
    assert [(block.type, block.name, block.input) for block in message.content] == [
        ("tool_use", "get_weather", {"city": "Oslo"})
    ]
