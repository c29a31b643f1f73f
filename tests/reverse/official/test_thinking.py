"""Thinking at the endpoint that seals it: asked for by what the model declares, and given back with calls' results."""

from __future__ import annotations

from typing import Any

import pytest

from local.poe_official import PoeOfficialSimulator
from local.poe_official.checks import thinking_signature
from reverse.chat import ChatRequest, Message, Thinking, ToolCall
from reverse.events import Event, ReasoningDelta, ReasoningSigned, ToolCallDelta
from reverse.official import PoeOfficialClient
from reverse.official.messages_endpoint import MessagesDecoder, build_messages_body

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
ASKED = Message("user", '[[call: weather {"city": "Rome"}]]')
CALL = ToolCall("c1", "weather", "{}")
THOUGHT = Thinking("Let me see.", thinking_signature("Let me see."))
RESULT = Message("tool", "sunny", tool_call_id="c1")


def question(*messages: Message, **fields: Any) -> ChatRequest:
    given = {"tools": [TOOL], "parameters": {"thinking_budget": 2000}, **fields}
    return ChatRequest("Claude-Sonnet-4.5", [ASKED, *messages], **given)


async def ask(client: PoeOfficialClient, request: ChatRequest) -> list[Event]:
    return [event async for event in client.stream(request)]


async def test_sealed_thinking_makes_the_round_trip(client: PoeOfficialClient, simulator: PoeOfficialSimulator) -> None:
    await client.models()
    first = await ask(client, question())
    assert simulator.requests[-1].path == "/v1/messages"
    assert simulator.requests[-1].body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert "thinking_budget" not in simulator.requests[-1].body
    thought = "".join(event.text for event in first if isinstance(event, ReasoningDelta))
    (seal,) = [event.signature for event in first if isinstance(event, ReasoningSigned)]
    (call,) = [event for event in first if isinstance(event, ToolCallDelta) and event.id]
    called = Message(
        "assistant", "", tool_calls=(ToolCall(call.id or "", "weather", "{}"),), thinking=(Thinking(thought, seal),)
    )
    second = await ask(client, question(called, Message("tool", "sunny", tool_call_id=call.id)))
    assert "thinking" in simulator.requests[-1].body
    assert second


@pytest.mark.parametrize(
    ("request_", "budget"),
    [
        (question(), 2000),
        (question(parameters={"thinking_budget": 0}), None),
        (question(max_tokens=1500), 1499),
        (question(max_tokens=800), None),
        (question(tool_choice="required"), None),
        (question(tool_choice={"type": "function", "function": {"name": "weather"}}), None),
        (question(Message("assistant", "", tool_calls=(CALL,), thinking=(THOUGHT,)), RESULT), 2000),
        # Without its thinking the provider does not go on thinking, and files of results change nothing of that.
        (question(Message("assistant", "", tool_calls=(CALL,)), RESULT), None),
        (question(Message("assistant", "", tool_calls=(CALL,)), RESULT, Message("user", "Files")), None),
        (question(Message("assistant", "", tool_calls=(CALL,)), RESULT, Message("assistant", "Sun."), ASKED), 2000),
    ],
)
async def test_the_budget_is_asked_for_where_the_provider_takes_it(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, request_: ChatRequest, budget: int | None
) -> None:
    await client.models()
    await ask(client, request_)
    thinking = simulator.requests[-1].body.get("thinking")
    assert thinking == (None if budget is None else {"type": "enabled", "budget_tokens": budget})


def test_an_effort_has_a_word_of_its_own() -> None:
    body = build_messages_body(question(parameters={"output_effort": "low"}))
    assert body["output_config"] == {"effort": "low"}
    assert "output_effort" not in body


def test_thinking_of_earlier_steps_is_not_sent_again() -> None:
    hidden = Thinking("", "c2VhbGVk", is_redacted=True)
    earlier = Message("assistant", "", tool_calls=(CALL,), thinking=(THOUGHT,))
    later = Message("assistant", "", tool_calls=(ToolCall("c2", "weather", "{}"),), thinking=(THOUGHT, hidden))
    body = build_messages_body(
        question(
            earlier, RESULT, Message("assistant", "Sun."), ASKED, later, Message("tool", "rain", tool_call_id="c2")
        )
    )
    kinds = [[block["type"] for block in message["content"]] for message in body["messages"]]
    assert kinds[1] == ["tool_use"]
    assert kinds[5] == ["thinking", "redacted_thinking", "tool_use"]
    assert body["messages"][5]["content"][1]["data"] == "c2VhbGVk"


def test_seals_are_read_of_whole_answers_and_of_redacted_thinking() -> None:
    answer = {
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "eHl6"},
            {"type": "text", "text": "Yes."},
        ],
        "stop_reason": "end_turn",
    }
    events = MessagesDecoder().decode_whole(answer)
    assert events[:3] == [ReasoningDelta("Hm."), ReasoningSigned("c2ln"), ReasoningSigned("eHl6", is_redacted=True)]
