"""The official SDK, strict about every field, asking for whole responses, storing, continuing and deleting them."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from accounts import AccountKind
from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    ChatStarted,
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
from tests.contract.test_responses_streams import WEATHER

QUESTION: Any = {"model": "GPT-5", "input": "Hi"}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n pixel").decode()


class Person(BaseModel):
    name: str
    age: int


async def test_a_response(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hello"), UsageReported(5, 1, 2, 1), Finished())
    async with front.client() as client:
        response = await client.responses.create(
            **QUESTION, instructions="Be brief", temperature=0.5, metadata={"a": "b"}, reasoning={"effort": "low"}
        )
    assert (response.status, response.output_text) == ("completed", "Hello")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.input_tokens_details.cached_tokens) == (5, 2)
    assert response.usage.output_tokens_details.reasoning_tokens == 1
    assert (response.instructions, response.temperature, response.metadata) == ("Be brief", 0.5, {"a": "b"})
    asked = front.house.poe.requests[0]
    assert [(turn.role, turn.text) for turn in asked.messages] == [("system", "Be brief"), ("user", "Hi")]
    assert asked.parameters["temperature"] == 0.5
    assert asked.parameters["reasoning_effort"] == "low"


async def test_a_cut_response_is_incomplete_and_so_are_its_items(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hel"), Finished(FinishReason.LENGTH))
    async with front.client() as client:
        response = await client.responses.create(**QUESTION)
    assert (response.status, response.output[0].status) == ("incomplete", "incomplete")
    assert response.incomplete_details.reason == "max_output_tokens"


async def test_what_a_bot_takes_back_is_not_in_the_response(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        ReasoningDelta("hm"), TextDelta("Well"), TextReplaced("Yes"), FileAttached("https://example.com/a"), Finished()
    )
    async with front.client() as client:
        response = await client.responses.create(**QUESTION)
    assert response.output_text == "Yes\n\nhttps://example.com/a"
    assert [item.type for item in response.output] == ["reasoning", "message"]


async def test_structured_output_is_parsed(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta('{"name":"Ada",'), TextDelta('"age":36}'), Finished())
    async with front.client() as client:
        response = await client.responses.parse(**QUESTION, text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=36)
    sent: Any = front.house.poe.requests[0].response_format
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["name"] == "Person"
    assert sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"]["properties"].keys() == {"name", "age"}


async def test_structured_output_is_parsed_from_a_stream(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta('{"name":"Ada","age":36}'), Finished())
    async with front.client() as client, client.responses.stream(**QUESTION, text_format=Person) as stream:
        response = await stream.get_final_response()
    assert response.output_parsed == Person(name="Ada", age=36)


async def test_a_whole_round_with_tools(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(
        ReasoningDelta("hm"),
        ToolCallDelta(0, '{"city":"Rome"}', "call_1", "get_weather"),
        ToolCallDelta(1, '{"city":"Oslo"}', "call_2", "get_weather"),
        Finished(FinishReason.TOOL_CALLS),
    )
    front.house.poe.enqueue(TextDelta("Sunny and cold"), Finished())
    async with front.client() as client:
        items: list[Any] = [{"role": "user", "content": "Weather?"}]
        first = await client.responses.create(
            model="GPT-5", input=items, tools=[WEATHER], tool_choice="required", parallel_tool_calls=True, store=False
        )
        items += first.output
        for item in first.output:
            if item.type == "function_call":
                output = json.dumps({"weather": f"in {json.loads(item.arguments)['city']}"})
                items.append({"type": "function_call_output", "call_id": item.call_id, "output": output})
        second = await client.responses.create(model="GPT-5", input=items, tools=[WEATHER])
    assert second.output_text == "Sunny and cold"
    asked = front.house.poe.requests
    tool: Any = asked[0].tools[0]
    assert (tool["type"], tool["function"]["name"], asked[0].tool_choice) == ("function", "get_weather", "required")
    turns = asked[1].messages
    assert [turn.role for turn in turns] == ["user", "assistant", "tool", "tool"]
    assert [(call.id, call.arguments) for call in turns[1].tool_calls] == [
        ("call_1", '{"city":"Rome"}'),
        ("call_2", '{"city":"Oslo"}'),
    ]
    assert [(turn.tool_call_id, json.loads(turn.text)["weather"]) for turn in turns[2:]] == [
        ("call_1", "in Rome"),
        ("call_2", "in Oslo"),
    ]


async def test_images_and_files_go_with_their_turn(front: Front) -> None:
    await front.house.add_account()
    content: list[Any] = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PIXEL}"},
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGk="},
    ]
    async with front.client() as client:
        response = await client.responses.create(model="GPT-5", input=[{"role": "user", "content": content}])
        page = await client.responses.input_items.list(response.id)
    turn = front.house.poe.requests[0].messages[0]
    assert turn.text == "What is this?"
    assert [file.content_type for file in turn.attachments] == ["image/png", "text/plain"]
    assert turn.attachments[1].name == "a.txt"
    shown: Any = page.data[0]
    assert [part.type for part in shown.content] == ["input_text", "input_image", "input_file"]


async def test_a_conversation_goes_on_where_it_was(front: Front) -> None:
    """Each turn knows all before it; instructions are not carried over."""
    await front.house.add_account()
    for number in range(3):
        front.house.poe.enqueue(TextDelta(f"answer {number}"), Finished())
    previous: str | None = None
    async with front.client() as client:
        for number in range(3):
            response = await client.responses.create(
                model="GPT-5", input=f"question {number}", previous_response_id=previous, instructions=f"rule {number}"
            )
            previous = response.id
        page = await client.responses.input_items.list(response.id, order="asc")
    asked = front.house.poe.requests[-1].messages
    assert [turn.text for turn in asked] == [
        "rule 2", "question 0", "answer 0", "question 1", "answer 1", "question 2",
    ]  # fmt: skip
    assert len(page.data) == 5


async def test_a_stored_response_comes_back_as_it_was(front: Front) -> None:
    await front.house.add_account()
    async with front.client() as client:
        async with client.responses.stream(**QUESTION, metadata={"a": "b"}) as stream:
            answered = await stream.get_final_response()
        found = await client.responses.retrieve(answered.id)
        assert found.to_dict()["store"] is True
        assert found.output_text == "Hello there"
        assert found.usage == answered.usage
        await client.responses.delete(answered.id)
        with pytest.raises(openai.NotFoundError) as caught:
            await client.responses.retrieve(answered.id)
    assert (caught.value.code, caught.value.param) == ("not_found", "response_id")


async def test_input_items_come_in_pages(front: Front) -> None:
    await front.house.add_account()
    items: list[Any] = [{"role": "user", "content": f"{number}"} for number in range(7)]
    items[3] = {"role": "assistant", "content": "3"}
    async with front.client() as client:
        response = await client.responses.create(model="GPT-5", input=items)
        newest: list[Any] = [item async for item in client.responses.input_items.list(response.id, limit=3)]
        oldest = [item async for item in client.responses.input_items.list(response.id, limit=2, order="asc")]
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.input_items.list(response.id, limit=101)
    assert [item.content[0].text for item in newest] == ["6", "5", "4", "3", "2", "1", "0"]
    assert [item.id for item in oldest] == [item.id for item in reversed(newest)]
    assert caught.value.param == "limit"


async def test_a_reference_stands_for_what_was_said(front: Front) -> None:
    """Some clients send the ids of items that they know to be stored."""
    await front.house.add_account()
    front.house.poe.enqueue(ToolCallDelta(0, "{}", "call_1", "get_weather"), Finished(FinishReason.TOOL_CALLS))
    async with front.client() as client:
        first = await client.responses.create(**QUESTION, tools=[WEATHER])
        items: list[Any] = [
            {"role": "user", "content": "Hi"},
            {"type": "item_reference", "id": first.output[0].id},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        ]
        await client.responses.create(model="GPT-5", input=items, tools=[WEATHER])
        await client.responses.create(model="GPT-5", input=items[1:], previous_response_id=first.id, tools=[WEATHER])
        items[1]["id"] = "fc_unknown"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.responses.create(model="GPT-5", input=items)
    assert caught.value.code == "item_not_found"
    for asked in front.house.poe.requests[1:]:
        assert [turn.role for turn in asked.messages] == ["user", "assistant", "tool"]


async def test_callers_see_their_own_responses_only(front: Front) -> None:
    await front.house.add_account()
    other = "sk-other-h8Wq2Zx5Vn9Lk4Rt7Jp3"
    await front.house.store.create_key(name="other", secret=other)
    async with front.client() as client, front.client(api_key=other) as stranger:
        response = await client.responses.create(**QUESTION)
        for ask in (stranger.responses.retrieve, stranger.responses.delete, stranger.responses.input_items.list):
            with pytest.raises(openai.NotFoundError):
                await ask(response.id)
        with pytest.raises(openai.BadRequestError) as caught:
            await stranger.responses.create(**QUESTION, previous_response_id=response.id)
        reference: Any = [{"type": "item_reference", "id": response.output[0].id}]
        with pytest.raises(openai.NotFoundError):
            await stranger.responses.create(model="GPT-5", input=reference)
        assert (await client.responses.retrieve(response.id)).id == response.id
    assert caught.value.code == "previous_response_not_found"


async def test_what_shall_not_be_stored_is_not(front: Front) -> None:
    await front.house.add_account()
    async with front.client() as client:
        response = await client.responses.create(**QUESTION, store=False)
        assert response.to_dict()["store"] is False
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)


async def test_an_answer_too_large_to_store_is_given_and_says_so(front: Front) -> None:
    await front.house.add_account()
    noise = base64.b64encode(random.Random(1).randbytes(600_000)).decode()
    content: Any = [{"type": "input_image", "image_url": f"data:image/png;base64,{noise}"}]
    async with front.client() as client:
        response = await client.responses.create(model="GPT-5", input=[{"role": "user", "content": content}])
        assert (response.status, response.to_dict()["store"]) == ("completed", False)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)
    assert front.house.lines("response.too_large_to_store")


async def test_only_background_responses_can_be_cancelled(front: Front) -> None:
    await front.house.add_account()
    async with front.client() as client:
        response = await client.responses.create(**QUESTION)
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.cancel(response.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.cancel("resp_unknown")
    assert caught.value.code == "not_cancellable"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"background": True}, "background", "unsupported_value"),
    ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter"),
    ({"tools": [WEATHER], "tool_choice": {"type": "mcp", "server_label": "s"}}, "tool_choice.type", "unsupported_tool"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice.name", "invalid_value"),
    ({"max_output_tokens": 0}, "max_output_tokens", "out_of_range"),
    ({"input": []}, "input", "empty_array"),
    ({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}, "input", "empty_messages"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "/etc/passwd"}]}]},
     "input[0].content[0].image_url", "invalid_url"),
    ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output", "missing_required_parameter"),
    ({"previous_response_id": "resp_unknown"}, "previous_response_id", "previous_response_not_found"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://127.0.0.1/a.png"}]}]},
     "input[0].content", "unsafe_url"),
    ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "missing_required_parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param", "code"), REFUSED, ids=[f"{row[1]} {row[2]}" for row in REFUSED])
async def test_what_is_not_offered_is_refused_by_name(front: Front, fields: Any, param: str, code: str) -> None:
    async with front.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(**QUESTION, extra_body=fields)
    assert (caught.value.param, caught.value.code) == (param, code)


async def test_web_accounts_get_the_conversation_as_one_message(front: Front) -> None:
    await front.house.add_account(kind=AccountKind.WEB)
    async with front.client() as client:
        first = await client.responses.create(**QUESTION, instructions="Be brief")
        await client.responses.create(model="GPT-5", input="And now?", previous_response_id=first.id)
    (message,) = front.house.poe.requests[1].messages
    assert message.text.index("Hi") < message.text.index("Hello there") < message.text.index("And now?")
    assert "Be brief" not in message.text


async def test_web_accounts_correct_what_does_not_fit_the_schema(front: Front) -> None:
    await front.house.add_account(kind=AccountKind.WEB)
    front.house.poe.enqueue(ChatStarted(1, "c"), TextDelta('{"name":"Ada"}'), Finished())
    front.house.poe.enqueue(ChatStarted(1, "c"), TextDelta('{"name":"Ada","age":36}'), Finished())
    async with front.client() as client:
        response = await client.responses.parse(**QUESTION, text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=36)
    assert len(front.house.poe.requests) == 2


async def test_what_an_account_is_not_told_is_reported_in_the_callers_words(front: Front) -> None:
    await front.house.add_account(kind=AccountKind.WEB)
    async with front.client() as client:
        raw = await client.responses.with_raw_response.create(
            **QUESTION, temperature=0.5, reasoning={"effort": "low"}, text={"verbosity": "low"}, metadata={"a": "b"}
        )
        stream = await client.responses.with_raw_response.create(
            **QUESTION, temperature=0.5, stream=True, include=["reasoning.encrypted_content"], extra_body={"n": 2}
        )
        async for _ in stream.parse():
            pass
    assert raw.headers["x-gateway-ignored"].split(", ") == ["reasoning.effort", "temperature", "text.verbosity"]
    assert stream.headers["x-gateway-ignored"] == "include, n, temperature"


async def test_upstream_errors_are_the_sdks_classes(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(poe_error(ErrorCode.MESSAGE_TOO_LONG))
    async with front.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(**QUESTION)
    assert caught.value.code == "context_length_exceeded"


async def test_input_is_counted(front: Front) -> None:
    async with front.client() as client:
        counted = await client.responses.input_tokens.count(model="GPT-5", input="Hi there", tools=[WEATHER])
    assert counted.input_tokens > 0
