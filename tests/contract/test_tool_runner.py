"""The SDK's own loop over responses and function calls, which is particular about every item it hands back."""

from __future__ import annotations

from typing import Any

import pytest
from openai.lib.responses_tool_runner import AsyncRegisteredFunction, AsyncResponsesToolRunner

from reverse.events import Finished, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta
from tests.contract.conftest import Front
from tests.contract.test_responses_streams import QUESTION, WEATHER


async def read_weather(arguments: dict[str, object]) -> str:
    return f"cold in {arguments['city']}"


@pytest.mark.parametrize("mode", [{}, {"stream": True}, {"stream": True, "eager": True}], ids=str)
async def test_the_tool_runner_goes_on_until_there_is_an_answer(front: Front, mode: dict[str, bool]) -> None:
    """Two calls at once with thoughts before them, a third one, an answer."""
    await front.house.add_account()
    front.house.poe.enqueue(
        ReasoningDelta("hm"),
        ToolCallDelta(0, '{"city":', "call_1", "get_weather"),
        ToolCallDelta(0, '"Rome"}'),
        ToolCallDelta(1, '{"city":"Oslo"}', "call_2", "get_weather"),
        Finished(FinishReason.TOOL_CALLS),
    )
    front.house.poe.enqueue(
        ToolCallDelta(0, '{"city":"Bonn"}', "call_3", "get_weather"), Finished(FinishReason.TOOL_CALLS)
    )
    front.house.poe.enqueue(TextDelta("Stay "), TextDelta("in."), Finished())
    runner = AsyncResponsesToolRunner(functions=[AsyncRegisteredFunction(WEATHER, read_weather)])
    events: list[str] = []

    async def note(event: Any) -> None:
        events.append(event.type)

    async with front.client() as client:
        response = await runner.run(client, QUESTION, max_steps=5, on_event=note if mode else None, **mode)
    assert response.output_text == "Stay in."
    turns = front.house.poe.requests[-1].messages
    assert [(turn.tool_call_id, turn.text) for turn in turns if turn.role == "tool"] == [
        ("call_1", "cold in Rome"),
        ("call_2", "cold in Oslo"),
        ("call_3", "cold in Bonn"),
    ]
    assert events.count("response.completed") == (3 if mode else 0)
