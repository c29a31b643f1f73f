"""The official SDK, strict about every field: tools, structured output, files, choices, sessions; on any account."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from accounts import AccountKind
from reverse.chat import ChatRequest
from reverse.events import (
    ChatStarted,
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    SuggestedReply,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from tests.contract.conftest import Front
from tests.gateway.scripted import Hang

OFFICIAL, WEB = AccountKind.OFFICIAL, AccountKind.WEB
QUESTION: Any = {"model": "GPT-5", "messages": [{"role": "user", "content": "Weather?"}]}
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CHAT = ChatStarted(77, "code77")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


class Person(BaseModel):
    """What structured output is parsed into."""

    name: str
    age: int | None


def calling(kind: AccountKind, *cities: str) -> Any:
    """A script in which a model calls the tool, in the way of the account."""
    if kind is OFFICIAL:
        pieces: list[Any] = []
        for index, city in enumerate(cities):
            arguments = json.dumps({"city": city})
            pieces.append(ToolCallDelta(index, "", f"call_{index}", "get_weather"))
            pieces += [ToolCallDelta(index, arguments[at : at + 5]) for at in range(0, len(arguments), 5)]
        return [*pieces, Finished(FinishReason.TOOL_CALLS)]

    def script(request: ChatRequest) -> list[Event]:
        found = re.search(r'<tool_calls mark="\w+">', request.messages[0].text)
        assert found is not None
        calls = [{"name": "get_weather", "arguments": {"city": city}} for city in cities]
        text = f"{found[0]}{json.dumps(calls)}</tool_calls>"
        return [CHAT, *(TextDelta(text[at : at + 11]) for at in range(0, len(text), 11)), Finished()]

    return [script]


@pytest.fixture(params=[OFFICIAL, WEB], ids=["official", "web"])
async def kind(request: pytest.FixtureRequest, front: Front) -> AccountKind:
    """The kind of the only account."""
    chosen: AccountKind = request.param
    await front.house.add_account(kind=chosen)
    return chosen


async def test_a_whole_tool_loop(front: Front, kind: AccountKind) -> None:
    """Two calls at once, their results, an answer."""
    front.house.poe.enqueue(*calling(kind, "Oslo", "Rome"))
    messages: list[Any] = list(QUESTION["messages"])
    async with front.client() as client:
        first = await client.chat.completions.create(model="GPT-5", messages=messages, tools=[TOOL])
        message = first.choices[0].message
        assert first.choices[0].finish_reason == "tool_calls"
        assert message.tool_calls is not None
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            assert call.type == "function"
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"cold in {city}"})
        second = await client.chat.completions.create(model="GPT-5", messages=messages, tools=[TOOL])
    assert second.choices[0].message.content == "Hello there"
    told = front.house.poe.requests[1].messages
    results = " ".join(turn.text for turn in told)
    assert "cold in Oslo" in results
    assert "cold in Rome" in results


async def test_streamed_tool_calls_as_the_sdks_helper_puts_them_together(front: Front, kind: AccountKind) -> None:
    front.house.poe.enqueue(*calling(kind, "Oslo", "Rome"))
    done: list[str] = []
    async with front.client() as client, client.chat.completions.stream(**QUESTION, tools=[TOOL]) as stream:
        async for event in stream:
            if event.type == "tool_calls.function.arguments.done":
                done.append(event.arguments)
        completion = await stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls or []
    assert [json.loads(arguments)["city"] for arguments in done] == ["Oslo", "Rome"]
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Oslo", "Rome"]
    assert len({call.id for call in calls}) == 2
    assert completion.choices[0].finish_reason == "tool_calls"


async def test_parse_reads_tool_arguments_and_structured_output(front: Front, kind: AccountKind) -> None:
    front.house.poe.enqueue(*calling(kind, "Oslo"))
    text = '{"name": "Ada", "age": null}'
    front.house.poe.enqueue(*([CHAT] if kind is WEB else []), TextDelta(text[:9]), TextDelta(text[9:]), Finished())
    async with front.client() as client:
        called = await client.chat.completions.parse(**QUESTION, tools=[TOOL])
        parsed = await client.chat.completions.parse(**QUESTION, response_format=Person)
    calls = called.choices[0].message.tool_calls or []
    assert calls[0].function.parsed_arguments == {"city": "Oslo"}
    assert parsed.choices[0].message.parsed == Person(name="Ada", age=None)


async def test_structured_output_in_a_stream(front: Front, kind: AccountKind) -> None:
    text = '{"name": "Ada", "age": 36}'
    front.house.poe.enqueue(*([CHAT] if kind is WEB else []), TextDelta(text[:9]), TextDelta(text[9:]), Finished())
    async with (
        front.client() as client,
        client.chat.completions.stream(**QUESTION, response_format=Person) as stream,
    ):
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.parsed == Person(name="Ada", age=36)


async def test_what_never_fits_the_schema_is_an_error_that_is_not_tried_again(front: Front) -> None:
    await front.house.add_account(kind=WEB)
    for _ in range(2):
        front.house.poe.enqueue(CHAT, TextDelta('{"name": 5}'), Finished())
    async with front.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.parse(**QUESTION, response_format=Person)
    assert caught.value.code == "invalid_structured_output"
    assert len(front.requests) == 1


async def test_images_files_and_sound(front: Front, kind: AccountKind) -> None:
    encoded = base64.b64encode(PNG).decode()
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}", "detail": "high"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,SGk="}},
        {
            "type": "input_audio",
            "input_audio": {"data": base64.b64encode(b"ID3" + b"\0" * 9).decode(), "format": "mp3"},
        },
    ]
    async with front.client() as client:
        await client.chat.completions.create(model="GPT-5", messages=[{"role": "user", "content": content}])
    (turn,) = front.house.poe.requests[0].messages
    assert [file.content_type for file in turn.attachments] == ["image/png", "text/plain", "audio/mpeg"]


async def test_a_bad_image_is_a_bad_request(front: Front) -> None:
    await front.house.add_account()
    content: Any = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}]
    async with front.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="GPT-5", messages=[{"role": "user", "content": content}])
    assert caught.value.param == "messages[0].content[0].image_url"
    assert not front.house.store.released


@pytest.mark.parametrize("stream", [True, False])
async def test_files_of_the_answer_are_links_and_annotations(front: Front, stream: bool) -> None:
    await front.house.add_account(kind=WEB)
    url = "https://example.org/cat.png"
    front.house.poe.enqueue(TextDelta("Here."), FileAttached(url, "image/png", "cat.png"), Finished())
    async with front.client() as client:
        if stream:
            chunks = [chunk async for chunk in await client.chat.completions.create(**QUESTION, stream=True)]
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            extras = [delta for chunk in chunks if hasattr(delta := chunk.choices[0].delta, "annotations")]
            (annotation,) = extras[0].annotations
            attachments = extras[0].attachments
        else:
            message = (await client.chat.completions.create(**QUESTION)).choices[0].message
            assert message.annotations is not None
            text, annotation = message.content or "", message.annotations[0].model_dump()
            attachments = message.attachments  # type: ignore[attr-defined]
    citation = annotation["url_citation"]
    assert text[citation["start_index"] : citation["end_index"]] == citation["url"] == url
    assert attachments == [{"url": url, "name": "cat.png", "content_type": "image/png"}]


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_replies_points_and_estimates(front: Front, stream: bool) -> None:
    await front.house.add_account(kind=WEB)
    script = [ReasoningDelta("Hm."), TextDelta("Hi"), SuggestedReply("More?"), UsageReported(points=12), Finished()]
    front.house.poe.enqueue(*script)
    more: Any = {"extra_body": {"suggested_replies": True}}
    async with front.client() as client:
        if stream:
            response = await client.chat.completions.create(
                **QUESTION, **more, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in response]
            extras: dict[str, Any] = {}
            for chunk in chunks[:-1]:
                extras |= chunk.choices[0].delta.model_extra or {}
            usage = chunks[-1].usage
        else:
            completion = await client.chat.completions.create(**QUESTION, **more)
            extras, usage = completion.choices[0].message.model_extra or {}, completion.usage
    assert front.house.poe.requests[0].suggest_replies
    assert extras["reasoning_content"] == "Hm."
    assert extras["suggested_replies"] == ["More?"]
    assert usage is not None
    assert usage.model_extra == {"estimated": True, "points": 12, "points_estimated": False}


@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices(front: Front, stream: bool) -> None:
    await front.house.add_account("a")
    await front.house.add_account("b", WEB)
    async with front.client() as client:
        if stream:
            response = await client.chat.completions.create(**QUESTION, n=3, stream=True)
            indexes = {choice.index async for chunk in response for choice in chunk.choices}
        else:
            completion = await client.chat.completions.create(**QUESTION, n=3)
            indexes = {choice.index for choice in completion.choices}
            assert all(choice.message.content == "Hello there" for choice in completion.choices)
    assert indexes == {0, 1, 2}


async def test_leaving_during_tool_calls_stops_the_upstream(front: Front, kind: AccountKind) -> None:
    first: Any = TextDelta("Well, ") if kind is WEB else ToolCallDelta(0, "", "call_1", "get_weather")
    front.house.poe.enqueue(first, TextDelta("let me see"), Hang())
    async with front.client(max_retries=0) as client, asyncio.timeout(30):
        response = await client.chat.completions.create(**QUESTION, tools=[TOOL], stream=True)
        async for _ in response:
            break
        await response.close()
        while front.house.store.held or not front.house.store.released:  # noqa: ASYNC110 - the gateway's doing
            await asyncio.sleep(0.005)
    assert front.house.poe.stopped == 1


async def test_a_session_over_several_questions(front: Front) -> None:
    await front.house.add_account(kind=WEB)
    messages: list[Any] = []
    async with front.client() as client:
        for number in range(3):
            front.house.poe.enqueue(CHAT, TextDelta(f"answer {number}"), Finished())
            messages.append({"role": "user", "content": f"question {number}"})
            completion = await client.chat.completions.create(
                model="GPT-5", messages=messages, metadata={"session_id": "s"}
            )
            messages.append(completion.choices[0].message.model_dump(exclude_none=True))
    assert [request.messages[0].text for request in front.house.poe.requests] == [
        "question 0",
        "question 1",
        "question 2",
    ]


async def test_every_field_of_the_sdk_is_accepted(front: Front) -> None:
    await front.house.add_account()
    async with front.client() as client:
        raw = await client.chat.completions.with_raw_response.create(
            **QUESTION,
            audio={"format": "mp3", "voice": "alloy"},
            frequency_penalty=0.5,
            logit_bias={"5": 1},
            logprobs=True,
            metadata={"a": "b"},
            modalities=["text"],
            prediction={"type": "content", "content": "x"},
            presence_penalty=0.5,
            prompt_cache_retention="24h",
            reasoning_effort="low",
            safety_identifier="u",
            seed=1,
            service_tier="flex",
            store=True,
            temperature=0.3,
            top_logprobs=2,
            top_p=0.9,
            user="u",
            verbosity="low",
            web_search_options={},
        )
    assert raw.parse().choices[0].message.content == "Hello there"
    assert raw.headers["x-gateway-ignored"].split(", ") == sorted(
        "audio frequency_penalty logit_bias logprobs metadata.a prediction presence_penalty prompt_cache_retention "
        "safety_identifier seed service_tier store top_logprobs user verbosity web_search_options".split()
    )
    assert front.house.poe.requests[0].parameters == {"reasoning_effort": "low", "temperature": 0.3, "top_p": 0.9}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_one_where_structured_output_was_asked_for(front: Front, stream: bool) -> None:
    """Nothing is asked for again: the SDK gives the refusal in place of the parsed answer."""
    await front.house.add_account()
    front.house.poe.enqueue(RefusalDelta("I can't "), RefusalDelta("do that."), Finished())
    messages: Any = [{"role": "user", "content": "x"}]
    async with front.client() as client:
        if stream:
            async with client.chat.completions.stream(
                model="GPT-5", messages=messages, response_format=Person
            ) as answer:
                completion = await answer.get_final_completion()
        else:
            completion = await client.chat.completions.parse(model="GPT-5", messages=messages, response_format=Person)
    message = completion.choices[0].message
    assert (message.refusal, message.content, message.parsed) == ("I can't do that.", "" if stream else None, None)
    assert completion.choices[0].finish_reason == "stop"
    assert len(front.house.poe.requests) == 1
