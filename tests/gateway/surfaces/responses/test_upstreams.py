"""Responses over the real Poe clients, against both stand-ins for Poe."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.scripted import Answer
from tests.gateway.test_bootstrap import RealHouse, open_official_house, open_web_house

PATH = "/v1/responses"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(params=[open_web_house, open_official_house], ids=["web", "official"])
async def real_house(request: pytest.FixtureRequest) -> AsyncIterator[RealHouse]:
    async with request.param() as house:
        yield house


def response_of(answer: Answer) -> dict[str, Any]:
    """The response in the last event of a stream, or the whole one."""
    assert answer.status == 200, answer.body
    is_stream = answer.headers["content-type"].startswith("text/event-stream")
    last = (
        json.loads(answer.body.decode().strip().rpartition("\ndata: ")[2]) if is_stream else {"response": answer.json}
    )
    response: dict[str, Any] = last["response"]
    assert response["status"] == "completed", response
    return response


def text_of(response: dict[str, Any]) -> str:
    text: str = response["output"][-1]["content"][0]["text"]
    return text


async def test_a_conversation(real_house: RealHouse) -> None:
    asked = {"model": "Echo", "input": "one word", "stream": True}
    first = response_of(await real_house.call(PATH, asked))
    assert "one word" in text_of(first)
    asked = {"model": "Echo", "input": "and another", "previous_response_id": first["id"]}
    second = response_of(await real_house.call(PATH, asked))
    assert "and another" in text_of(second)
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]


async def test_a_file_reaches_the_bot(real_house: RealHouse) -> None:
    content = [
        {"type": "input_text", "text": "What is in it?"},
        {"type": "input_file", "filename": "note.txt", "file_data": "data:text/plain;base64,aGVsbG8="},
    ]
    asked = {"model": "Echo", "input": [{"role": "user", "content": content}]}
    assert "What is in it?" in text_of(response_of(await real_house.call(PATH, asked)))


async def test_a_tool_is_called_and_its_result_read() -> None:
    asked = {"model": "Claude-Sonnet-4.5", "tools": [WEATHER], "stream": True}
    async with open_official_house() as house:
        first = response_of(await house.call(PATH, asked | {"input": '[[call: {"city":"Rome"}]]'}))
        call = first["output"][-1]
        assert (call["type"], call["name"], call["arguments"]) == ("function_call", "get_weather", '{"city":"Rome"}')
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        second = await house.call(PATH, asked | {"input": [output], "previous_response_id": first["id"]})
        assert "sunny" in text_of(response_of(second))
