"""The official SDK, strict about every field, reading streamed responses of the gateway."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from accounts import AccountKind
from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from tests.contract.conftest import Front
from tests.gateway.scripted import Pause

QUESTION: Any = {"model": "GPT-5", "input": "Hi"}
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Today's weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


async def events_of(front: Front, **more: Any) -> list[Any]:
    async with front.client() as client:
        stream = await client.responses.create(**QUESTION, stream=True, **more)
        return [event async for event in stream]


async def test_every_event_of_a_text_is_there_in_order_and_numbered(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), TextDelta("lo"), UsageReported(5, 2), Finished())
    events = await events_of(front)
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1].response
    assert (final.status, final.output_text, final.usage.total_tokens) == ("completed", "Hello", 7)


async def test_a_stream_arrives_while_the_upstream_still_talks(front: Front) -> None:
    await front.house.add_account()
    pauses = [Pause(), Pause()]
    front.house.poe.enqueue(TextDelta("one "), pauses[0], TextDelta("two "), pauses[1], TextDelta("three"), Finished())
    texts: list[str] = []
    async with front.client() as client:
        async for event in await client.responses.create(**QUESTION, stream=True):
            if event.type == "response.output_text.delta":
                texts.append(event.delta)
                if len(texts) <= 2:
                    pauses[len(texts) - 1].event.set()
    assert texts == ["one ", "two ", "three"]


async def test_reasoning_text_and_calls_are_items_of_their_own(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        ReasoningDelta("Let me "),
        ReasoningDelta("think"),
        TextDelta("I'll look."),
        ToolCallDelta(0, "", "call_1", "get_weather"),
        ToolCallDelta(0, '{"city":'),
        ToolCallDelta(1, "{}", "call_2", "get_weather"),
        ToolCallDelta(0, '"Rome"}'),
        Finished(FinishReason.TOOL_CALLS),
    )
    events = await events_of(front, tools=[WEATHER])
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1].response
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]
    assert final.output[0].summary[0].text == "Let me think"
    assert [item.arguments for item in final.output[2:]] == ['{"city":"Rome"}', "{}"]
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert done == final.output
    assert final.tools[0].name == "get_weather"


async def test_the_stream_helper_assembles_text_and_calls(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        ReasoningDelta("hm"),
        TextDelta("I'll "),
        TextDelta("look."),
        ToolCallDelta(0, '{"city":', "call_1", "get_weather"),
        ToolCallDelta(0, '"Rome"}'),
        Finished(FinishReason.TOOL_CALLS),
    )
    snapshots: list[str] = []
    async with front.client() as client, client.responses.stream(**QUESTION, tools=[WEATHER]) as stream:
        async for event in stream:
            if event.type == "response.function_call_arguments.delta":
                snapshots.append(event.snapshot)
        final = await stream.get_final_response()
    assert snapshots == ['{"city":', '{"city":"Rome"}']
    assert final.output_text == "I'll look."
    call: Any = final.output[-1]
    assert call.parsed_arguments == {"city": "Rome"}


@pytest.mark.parametrize(
    ("reason", "why"), [(FinishReason.LENGTH, "max_output_tokens"), (FinishReason.CONTENT_FILTER, "content_filter")]
)
async def test_a_cut_answer_is_incomplete(front: Front, reason: FinishReason, why: str) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), Finished(reason))
    events = await events_of(front, max_output_tokens=5)
    final = events[-1].response
    assert events[-1].type == "response.incomplete"
    assert (final.status, final.incomplete_details.reason, final.max_output_tokens) == ("incomplete", why, 5)
    assert final.output[0].status == "incomplete"
    assert final.usage is not None


async def test_files_are_linked_and_annotated(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        TextDelta("See https://example.com/a.png"),
        FileAttached("https://example.com/a.png", "image/png", "a.png"),
        FileAttached("https://example.com/b%20c.pdf"),
        Finished(),
    )
    events = await events_of(front)
    annotated = [event for event in events if event.type == "response.output_text.annotation.added"]
    assert [event.annotation_index for event in annotated] == [0, 1]
    part = events[-1].response.output[0].content[0]
    assert [note.title for note in part.annotations] == ["a.png", "b c.pdf"]
    for note in part.annotations:
        assert part.text[note.start_index : note.end_index] == note.url


async def test_a_cut_before_the_first_word_leaves_an_empty_message(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(Finished(FinishReason.LENGTH))
    final = (await events_of(front))[-1].response
    assert (final.status, final.output[0].content[0].text) == ("incomplete", "")


async def test_web_accounts_call_tools_too(front: Front) -> None:
    await front.house.add_account(kind=AccountKind.WEB)
    front.house.poe.enqueue(TextDelta('{"name":"get_weather",'), TextDelta('"arguments":{"city":"Rome"}}'), Finished())
    events = await events_of(front, tools=[WEATHER])
    (call,) = events[-1].response.output
    assert (call.type, call.name, call.arguments) == ("function_call", "get_weather", '{"city":"Rome"}')
    assert call.call_id.startswith("call_")


async def test_an_answer_of_nothing_at_all_is_a_failure(front: Front) -> None:
    await front.house.add_account()
    for _ in range(2):
        front.house.poe.enqueue(Finished())
    with pytest.raises(openai.InternalServerError) as caught:
        await events_of(front)
    assert caught.value.code == "upstream_error"


async def test_a_failure_in_mid_stream_is_told_as_failed_and_raised(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.CONNECTION_FAILED))
    events: list[Any] = []
    async with front.client() as client:
        stream = await client.responses.create(**QUESTION, stream=True)
        with pytest.raises(openai.APIError) as caught:
            async for event in stream:
                events.append(event)
    assert (caught.value.code, caught.value.type) == ("upstream_error", "server_error")
    assert events[-1].type == "response.failed"
    failed = events[-1].response
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert (failed.output[0].status, failed.output[0].content[0].text) == ("incomplete", "Hel")


async def test_a_failure_in_mid_stream_is_raised_by_the_helper(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.CONNECTION_FAILED))
    async with front.client() as client:
        with pytest.raises(openai.APIError, match="upstream failed"):
            async with client.responses.stream(**QUESTION) as stream:
                await stream.get_final_response()


async def test_a_failure_before_the_first_event_is_an_ordinary_error(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(poe_error(ErrorCode.INSUFFICIENT_POINTS))
    with pytest.raises(openai.RateLimitError) as caught:
        await events_of(front)
    assert caught.value.code == "insufficient_quota"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_a_part_of_its_own(front: Front, stream: bool) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(RefusalDelta("I can't "), RefusalDelta("do that."), Finished())
    async with front.client() as client:
        if not stream:
            response = await client.responses.create(model="GPT-5", input="x")
        else:
            events = [event async for event in await client.responses.create(model="GPT-5", input="x", stream=True)]
            told = "".join(event.delta for event in events if event.type == "response.refusal.delta")
            assert told == "I can't do that."
            assert [event.refusal for event in events if event.type == "response.refusal.done"] == [told]
            assert events[-1].type == "response.completed"
            response = events[-1].response
    [message] = response.output
    assert message.type == "message"
    [part] = message.content
    assert (part.type, part.refusal, response.output_text) == ("refusal", "I can't do that.", "")
