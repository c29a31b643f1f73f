"""`tool_choice` that demands a call, on accounts that know tools natively: checked and corrected on every surface."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.prompt.answer_readers import RequiredCallReader
from gateway.prompt.tool_specs import ToolSpecs
from reverse.events import Event, Finished, FinishReason, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta
from tests.gateway.scripted import Answer, House

SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g")],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    },
    "/v1/responses": {
        "input": "Hi",
        "tools": [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("f", "g")],
        "tool_choice": {"type": "function", "name": "f"},
    },
    "/v1/messages": {
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": name, "input_schema": SCHEMA} for name in ("f", "g")],
        "tool_choice": {"type": "tool", "name": "f"},
    },
}
ANY: dict[str, Any] = {"/v1/messages": {"type": "any"}}


async def call(house: House, path: str, *, named: bool, stream: bool) -> Answer:
    choice = {} if named else {"tool_choice": ANY.get(path, "required")}
    return await house.call(path, {"model": "GPT-5", "stream": stream, **BODIES[path], **choice})


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("named", [True, False])
async def test_a_plain_answer_is_corrected_once(house: House, path: str, stream: bool, named: bool) -> None:
    await house.add_account()
    wrong = [ToolCallDelta(0, "{}", "other_call", "g")] if named else [TextDelta("I will not tell.")]
    house.poe.enqueue(*wrong, Finished())
    house.poe.enqueue(TextDelta("Well."), ToolCallDelta(0, '{"a":1}', "own_call", "f"), Finished())
    answer = await call(house, path, named=named, stream=stream)
    assert answer.status == 200
    assert b"own_call" in answer.body
    assert b"other_call" not in answer.body
    assert b"not tell" not in answer.body
    first, second = house.poe.requests
    assert second.tool_choice == first.tool_choice
    assert "no tool was called" in second.messages[-1].text


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_stays_plain_is_an_error(house: House, path: str, stream: bool) -> None:
    await house.add_account()
    for _ in range(2):
        house.poe.enqueue(ReasoningDelta("hm") if not stream else TextDelta("No"), TextDelta("No."), Finished())
    answer = await call(house, path, named=False, stream=stream)
    assert b"tool_call_missing" in answer.body
    assert len(house.poe.requests) == 2


def read(specs: ToolSpecs, reason: FinishReason, *events: Event) -> tuple[RequiredCallReader, list[Event]]:
    reading = RequiredCallReader(specs)
    told = [shown for event in events for shown in reading.feed(event)]
    return reading, [*told, *reading.finish(reason)]


TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
REQUIRED = ToolSpecs(tools=(TOOL,), choice="required")
NAMED = ToolSpecs(tools=(TOOL,), choice={"type": "function", "function": {"name": "f"}})


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.CONTENT_FILTER, FinishReason.CANCELLED])
def test_what_was_cut_short_is_given_as_it_is(reason: FinishReason) -> None:
    reading, told = read(REQUIRED, reason, TextDelta("I thi"))
    assert (told, reading.failure, reading.correction) == ([TextDelta("I thi")], None, None)


def test_a_refusal_is_an_answer() -> None:
    reading, told = read(REQUIRED, FinishReason.STOP, RefusalDelta("No."))
    assert (told, reading.failure) == ([RefusalDelta("No.")], None)


def test_calls_of_other_tools_leave_no_gap() -> None:
    other, own = ToolCallDelta(0, "{}", "a", "g"), ToolCallDelta(1, "", "b", "f")
    reading, told = read(NAMED, FinishReason.STOP, TextDelta("So."), other, own, ToolCallDelta(1, "{}"))
    assert told == [TextDelta("So."), ToolCallDelta(0, "", "b", "f"), ToolCallDelta(0, "{}")]
    assert reading.reason(FinishReason.STOP) is FinishReason.TOOL_CALLS
