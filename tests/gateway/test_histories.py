"""Histories as agents send them, on every surface, to every endpoint of Poe and to web accounts: none is refused.

The stand-ins check pairs of calls and results, roles and seals as the providers do.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from local.poe_official import PoeOfficialSimulator
from tests.gateway.scripted import Answer
from tests.gateway.test_bootstrap import RealHouse, open_web_house
from tests.gateway.test_untidy_upstream import opened

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
SURFACES = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
# Models that are asked at chat completions, at /v1/messages, at /v1/responses.
MODELS = ("Sayer", "Claude-Sonnet-4.5", "GPT-5.2", "Gemini-3-Pro")
Step = tuple[str, ...]

U: Step = ("user", "Weather?")
HISTORIES: dict[str, list[Step]] = {
    "text between": [U, ("call", "c1"), ("text", "One moment."), ("result", "c1", "sunny")],
    "text after the result": [U, ("call", "c1"), ("result", "c1", "sunny"), ("text", "Sunny."), U],
    "user between": [U, ("call", "c1"), ("user", "Hurry!"), ("result", "c1", "sunny")],
    "result first": [U, ("result", "c1", "sunny"), ("call", "c1"), U],
    "result without call": [U, ("result", "c9", "sunny"), U],
    "only a result": [("result", "c9", "sunny")],
    "call without result": [U, ("call", "c1"), U],
    "ends with a call": [U, ("call", "c1")],
    "two results": [U, ("call", "c1"), ("result", "c1", "sunny"), ("result", "c1", "rain"), U],
    "one id twice": [U, ("call", "c1"), ("result", "c1", "sunny"), U, ("call", "c1"), ("result", "c1", "rain")],
    "parallel with one id": [U, ("call", "c1"), ("call", "c1"), ("result", "c1", "a"), ("result", "c1", "b")],
    "parallel with text": [
        U,
        ("call", "c1"),
        ("text", "And"),
        ("call", "c2"),
        ("text", "so on"),
        ("result", "c2", "b"),
        ("text", "Well"),
        ("result", "c1", "a"),
    ],
    "results in another order": [U, ("call", "c1"), ("call", "c2"), ("result", "c2", "b"), ("result", "c1", "a"), U],
    "ids of other providers": [U, ("call", "functions.weather:0"), ("result", "functions.weather:0", "a"), U],
    "many steps": [U, *(step for n in range(6) for step in (("call", f"c{n}"), ("result", f"c{n}", "x")))],
    "begins with the assistant": [("text", "Hello!"), U, ("call", "c1"), ("result", "c1", "sunny")],
    "begins with a call": [("call", "c1"), ("result", "c1", "sunny"), U],
}


def chat_messages(steps: list[Step]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for step in steps:
        match step:
            case ("call", call_id):
                call = {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
                if messages and messages[-1].get("tool_calls"):
                    messages[-1]["tool_calls"].append(call)
                else:
                    messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case ("result", call_id, text):
                messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
            case (role, text):
                messages.append({"role": "assistant" if role == "text" else role, "content": text})
    return messages


def items(steps: list[Step]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for step in steps:
        match step:
            case ("call", call_id):
                found.append({"type": "function_call", "call_id": call_id, "name": "weather", "arguments": "{}"})
            case ("result", call_id, text):
                found.append({"type": "function_call_output", "call_id": call_id, "output": text})
            case (role, text):
                found.append({"role": "assistant" if role == "text" else role, "content": text})
    return found


def anthropic_messages(steps: list[Step]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for step in steps:
        match step:
            case ("call", call_id):
                role, block = "assistant", {"type": "tool_use", "id": call_id, "name": "weather", "input": {}}
            case ("result", call_id, text):
                role, block = "user", {"type": "tool_result", "tool_use_id": call_id, "content": text}
            case (kind, text):
                role, block = "assistant" if kind == "text" else kind, {"type": "text", "text": text}
        found.append({"role": role, "content": [block]})
    return found


def body_of(surface: str, model: str, steps: list[Step], **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "max_tokens": 2000}
    if surface == "/v1/responses":
        tools = [{"type": "function", "name": "weather", "parameters": SCHEMA}]
        return {"model": model, "input": items(steps), "tools": tools, **fields}
    if surface == "/v1/messages":
        tools = [{"name": "weather", "input_schema": SCHEMA}]
        return {**body, "messages": anthropic_messages(steps), "tools": tools, **fields}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    return {**body, "messages": chat_messages(steps), "tools": tools, **fields}


@pytest.fixture
async def simulator() -> AsyncIterator[PoeOfficialSimulator]:
    async with PoeOfficialSimulator(pace_seconds=0) as running:
        only = replace(running.models["gpt-5.2"], listed=("/v1/responses",))
        running.models["gpt-5.2"] = only
        yield running


@pytest.fixture
async def house(simulator: PoeOfficialSimulator) -> AsyncIterator[RealHouse]:
    async with opened(simulator) as house:
        yield house


@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.parametrize("surface", SURFACES)
async def test_every_endpoint_takes_every_history(house: RealHouse, surface: str, name: str) -> None:
    for model in MODELS:
        answer = await house.call(surface, body_of(surface, model, HISTORIES[name]))
        assert answer.status == 200, (model, answer.body)


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_web_account_takes_every_history(surface: str) -> None:
    async with open_web_house() as house:
        for name, steps in HISTORIES.items():
            answer = await house.call(surface, body_of(surface, "Story", steps))
            assert answer.status == 200, (name, answer.body)


def outputs(surface: str, answer: Answer) -> list[dict[str, Any]]:
    """What the gateway answered, as the next request would hold it, untouched."""
    if surface == "/v1/responses":
        output: list[dict[str, Any]] = answer.json["output"]
        return output
    if surface == "/v1/messages":
        return [{"role": "assistant", "content": answer.json["content"]}]
    return [answer.json["choices"][0]["message"]]


def results(surface: str, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A result for each call."""
    text = json.dumps(output)
    assert "weather" in text
    if surface == "/v1/responses":
        calls = [item["call_id"] for item in output if item["type"] == "function_call"]
        return [{"type": "function_call_output", "call_id": call_id, "output": "sunny"} for call_id in calls]
    if surface == "/v1/messages":
        calls = [block["id"] for block in output[0]["content"] if block["type"] == "tool_use"]
        blocks = [{"type": "tool_result", "tool_use_id": call_id, "content": "sunny"} for call_id in calls]
        return [{"role": "user", "content": blocks}]
    calls = [call["id"] for call in output[0]["tool_calls"]]
    return [{"role": "tool", "tool_call_id": call_id, "content": "sunny"} for call_id in calls]


def without_extras(values: Any) -> Any:
    """As most clients keep it: without the fields that their types do not have."""
    if isinstance(values, dict):
        extra = ("extra_content", "thinking_blocks", "reasoning_content", "signature")
        return {name: without_extras(value) for name, value in values.items() if name not in extra}
    return [without_extras(value) for value in values] if isinstance(values, list) else values


ASKED = '[[call: weather {"city": "Rome"}]] [[call: weather {"city": "Oslo"}]]'


@pytest.mark.parametrize("keeps_all", [True, False], ids=["all fields", "known fields"])
@pytest.mark.parametrize("surface", SURFACES)
async def test_the_gateways_own_answers_can_be_sent_back(
    house: RealHouse, simulator: PoeOfficialSimulator, surface: str, keeps_all: bool
) -> None:
    key = "input" if surface == "/v1/responses" else "messages"
    for model, fields in [(model, {}) for model in MODELS] + [("Claude-Sonnet-4.5", {"thinking_budget": 2000})]:
        body = body_of(surface, model, [("user", ASKED)], **fields)
        for _ in range(2):
            first = await house.call(surface, body)
            assert first.status == 200, (model, first.body)
            output = outputs(surface, first)
            told = output if keeps_all else without_extras(output)
            body[key] = [*body[key], *told, *results(surface, output)]
            second = await house.call(surface, body)
            assert second.status == 200, (model, second.body)
            assert b"The tool said: sunny" in second.body
            told = outputs(surface, second) if keeps_all else without_extras(outputs(surface, second))
            body[key] = [*body[key], *told, {"role": "user", "content": ASKED}]
    assert all(request.status == 200 for request in simulator.requests)
