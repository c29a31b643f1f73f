"""Anthropic's tools, and what agents put around them."""

from __future__ import annotations

from typing import Any

import pytest

from reverse.events import Finished, TextDelta, ToolCallDelta
from tests.gateway.scripted import House

PATH = "/v1/messages"
BODY: dict[str, Any] = {"model": "GPT-5", "max_tokens": 2000, "messages": [{"role": "user", "content": "Hi"}]}


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "input_schema": {"type": "object", "properties": {}}}


async def test_limits_of_another_api_do_not_count(house: House) -> None:
    await house.add_account()
    tools = [tool(f"t{number}") | {"defer_loading": True} for number in range(300)]
    thinking = {"type": "enabled", "budget_tokens": 8000}
    assert (await house.call(PATH, BODY | {"tools": tools, "thinking": thinking})).status == 200
    assert len(house.poe.requests[0].tools) == 300


async def test_a_found_tool_and_unknown_blocks_end_no_session(house: House) -> None:
    await house.add_account()
    call = {"type": "tool_use", "id": "t1", "name": "ToolSearch", "input": {}}
    found = [{"type": "tool_reference", "tool_name": "a"}, {"type": "browser_state", "tabs": []}]
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "container_upload", "file_id": "f"}]},
        {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "n", "input": {}}, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": found}]},
    ]
    system = [{"type": "text", "text": "A"}, {"type": "fallback"}, {"type": "later", "text": "B"}]
    body = BODY | {"messages": messages, "tools": [tool("ToolSearch"), tool("a")], "system": system}
    answer = await house.call(PATH, body)
    assert answer.status == 200
    assert answer.headers["x-gateway-ignored"].split(", ") == [
        "messages.content.browser_state",
        "messages.content.container_upload",
        "messages.content.fallback",
        "messages.content.server_tool_use",
    ]
    request = house.poe.requests[0]
    assert request.messages[0].text == "A\n\nB"
    assert "The tool a can be called now." in request.messages[3].text


async def test_a_request_whose_every_tool_is_left_out_is_answered_without(house: House) -> None:
    await house.add_account()
    hosted = {"type": "web_search_20250305", "name": "web_search"}
    answer = await house.call(PATH, BODY | {"tools": [hosted]})
    assert (answer.status, answer.headers["x-gateway-ignored"]) == (200, "tools[0]")
    answer = await house.call(PATH, BODY | {"tools": [hosted], "tool_choice": {"type": "any"}})
    assert (answer.status, answer.json["error"]["details"]["param"]) == (400, "tool_choice")


async def test_the_format_by_its_first_name(house: House) -> None:
    await house.add_account()
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    house.poe.enqueue(TextDelta('Sure: {"a": 1}'), Finished())
    answer = await house.call(PATH, BODY | {"output_format": {"type": "json_schema", "schema": schema}})
    assert answer.json["content"][0]["text"] == '{"a": 1}'
    sent = house.poe.requests[0].response_format
    assert sent is not None
    assert sent["json_schema"]["schema"] == schema


@pytest.mark.parametrize("stream", [True, False])
async def test_what_came_with_a_call_goes_there_and_back(house: House, stream: bool) -> None:
    await house.add_account()
    extra = {"google": {"thought_signature": "c2ln"}}
    house.poe.enqueue(ToolCallDelta(0, "{}", "t1", "a", extra), Finished())
    answer = await house.call(PATH, BODY | {"tools": [tool("a")], "stream": stream})
    assert b'"extra_content":{"google":{"thought_signature":"c2ln"}}' in answer.body
    call = {"type": "tool_use", "id": "t1", "name": "a", "input": {}, "extra_content": extra}
    messages = [
        *BODY["messages"],
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]},
    ]
    await house.call(PATH, BODY | {"tools": [tool("a")], "messages": messages})
    assert house.poe.requests[1].messages[1].tool_calls[0].extra_content == extra
