"""Calls of a chat completion: custom tools, and what came with a call."""

from __future__ import annotations

from typing import Any

import pytest

from reverse.events import Finished, ToolCallDelta
from tests.gateway.scripted import House

BODY: dict[str, Any] = {"model": "GPT-5", "messages": [{"role": "user", "content": "Hi"}]}
F: dict[str, Any] = {"type": "function", "function": {"name": "f"}}
PATCH: dict[str, Any] = {"type": "custom", "custom": {"name": "apply_patch", "description": "Edits files."}}


def merged(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of a stream, their pieces put together."""
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            for piece in choice["delta"].get("tool_calls", ()):
                call = calls.setdefault(piece["index"], {})
                for kind in ("function", "custom"):
                    for name, value in piece.pop(kind, {}).items():
                        inner = call.setdefault(kind, {})
                        inner[name] = inner.get(name, "") + value
                call |= piece
    return [{name: value for name, value in call.items() if name != "index"} for _, call in sorted(calls.items())]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_custom_tool_is_called_with_its_text(house: House, stream: bool) -> None:
    await house.add_account()
    house.poe.enqueue(
        ToolCallDelta(0, "", "c0", "apply_patch"),
        ToolCallDelta(1, '{"a":', "c1", "f"),
        ToolCallDelta(0, '{"input": "*** Beg'),
        ToolCallDelta(1, "1}"),
        ToolCallDelta(0, 'in\\n+ \\u00e9"}'),
        ToolCallDelta(2, '{"other": "x"}', "c2", "apply_patch"),
        Finished(),
    )
    answer = await house.call(body=BODY | {"tools": [F, PATCH], "stream": stream})
    calls = merged(answer.chunks) if stream else answer.json["choices"][0]["message"]["tool_calls"]
    assert calls == [
        {"id": "c0", "type": "custom", "custom": {"name": "apply_patch", "input": "*** Begin\n+ é"}},
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c2", "type": "custom", "custom": {"name": "apply_patch", "input": "x"}},
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in calls]
    messages = [*BODY["messages"], {"role": "assistant", "tool_calls": calls}, *results]
    assert (await house.call(body=BODY | {"tools": [F, PATCH], "messages": messages})).status == 200
    sent = house.poe.requests[1].messages[1].tool_calls
    assert [call.arguments for call in sent] == ['{"input": "*** Begin\\n+ é"}', '{"a":1}', '{"input": "x"}']


@pytest.mark.parametrize("stream", [True, False])
async def test_what_came_with_a_call_goes_there_and_back(house: House, stream: bool) -> None:
    await house.add_account()
    extra = {"google": {"thought_signature": "c2ln"}}
    house.poe.enqueue(ToolCallDelta(0, "{}", "c0", "f", extra), Finished())
    answer = await house.call(body=BODY | {"tools": [F], "stream": stream})
    calls = merged(answer.chunks) if stream else answer.json["choices"][0]["message"]["tool_calls"]
    assert calls[0]["extra_content"] == extra
    messages = [*BODY["messages"], {"role": "assistant", "tool_calls": calls}]
    await house.call(body=BODY | {"tools": [F], "messages": messages})
    assert house.poe.requests[1].messages[1].tool_calls[0].extra_content == extra


async def test_openais_limit_of_tools_is_this_apis_own(house: House) -> None:
    tools = [{"type": "function", "function": {"name": f"f{number}"}} for number in range(129)]
    answer = await house.call(body=BODY | {"tools": tools})
    assert (answer.status, answer.error["param"]) == (400, "tools")
