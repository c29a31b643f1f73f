"""A conversation of items as turns: what the model is told of each type, and what is reported."""

from __future__ import annotations

import json
from typing import Any

from gateway.surfaces.responses.input_items import InputFields, read_input
from gateway.surfaces.responses.turns import Turns, write_turns
from reverse.chat import ChatRequest
from reverse.official.chat_completions import build_chat_body
from tests.gateway.scripted import House

HELLO = {"role": "user", "content": "Hi"}


def turns(*items: Any) -> Turns:
    read = read_input(InputFields({"input": list(items)}), lambda prefix: f"{prefix}_1")
    return write_turns(None, [], read)


def call(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


def result(call_id: str, text: str = "ok") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def test_text_after_calls_belongs_to_their_turn() -> None:
    said = {"role": "assistant", "content": "I look."}
    made = turns(HELLO, call("c1"), said, call("c2"), result("c1"), result("c2"))
    assert [turn.role for turn in made.messages] == ["user", "assistant", "tool", "tool"]
    assert made.messages[1].text == "I look."
    assert [made_call.id for made_call in made.messages[1].tool_calls] == ["c1", "c2"]


def test_results_follow_their_calls_whatever_lies_between() -> None:
    said = {"role": "assistant", "content": "A"}
    asked = {"role": "user", "content": "B"}
    for between in ([said], [asked], [said, asked], [said, asked, said]):
        made = turns(HELLO, call("c1"), call("c2"), *between, result("c2"), asked, result("c1"))
        body = build_chat_body(ChatRequest("b", tuple(made.messages)), streamed=False)
        roles = [message["role"] for message in body["messages"]]
        at = next(index for index, message in enumerate(body["messages"]) if message.get("tool_calls"))
        assert roles[at : at + 3] == ["assistant", "tool", "tool"]
        assert roles.count("tool") == 2
        assert [message["tool_call_id"] for message in body["messages"][at + 1 : at + 3]] == ["c1", "c2"]


def test_calls_and_results_of_built_in_tools_are_told_as_such() -> None:
    shot = {"type": "computer_screenshot", "image_url": "data:image/png;base64,aGk="}
    made = turns(
        HELLO,
        {"type": "shell_call", "call_id": "s", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "call_id": "s", "output": [{"stdout": "a", "stderr": ""}]},
        {"type": "local_shell_call", "call_id": "l", "id": "x", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "l", "output": "b"},
        {"type": "computer_call", "call_id": "k", "action": {"type": "screenshot"}},
        {"type": "computer_call_output", "call_id": "k", "output": shot},
        {"type": "mcp_call", "id": "m", "name": "find", "arguments": "{}", "output": "c"},
    )
    calls = [each for turn in made.messages for each in turn.tool_calls]
    results = [turn for turn in made.messages if turn.role == "tool"]
    assert [(each.id, each.name) for each in calls] == [
        ("s", "shell"), ("l", "local_shell"), ("k", "computer"), ("m", "find"),
    ]  # fmt: skip
    assert [turn.tool_call_id for turn in results] == ["s", "l", "k", "m"]
    assert json.loads(calls[0].arguments) == {"commands": ["ls"]}
    assert json.loads(results[0].text)[0]["stdout"] == "a"
    assert results[2].attachments[0].data == b"hi"
    assert made.left_out == set()


async def test_what_is_left_out_is_reported_and_stays_in_the_record(house: House) -> None:
    await house.add_account()
    items = [
        HELLO,
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "reasoning", "summary": []},
        {"role": "user", "content": [{"type": "hologram"}, {"type": "summary_text", "text": "S"}]},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "hologram"}]},
    ]
    answer = await house.call("/v1/responses", {"model": "GPT-5", "input": items})
    assert answer.headers["x-gateway-ignored"].split(", ") == [
        "input.content.hologram",
        "input.output.hologram",
        "input.reasoning",
        "input.web_search_call",
    ]
    assert house.poe.requests[0].messages[1].text == "S"
    listed = await house.call(f"/v1/responses/{answer.json['id']}/input_items?order=asc", method="GET")
    assert listed.json["data"][1] == items[1]
    again = {"model": "GPT-5", "input": "Go on", "previous_response_id": answer.json["id"]}
    assert (await house.call("/v1/responses", again)).status == 200
