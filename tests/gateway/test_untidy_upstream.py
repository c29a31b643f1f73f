"""The whole gateway against the simulated API in its recorded shapes, with the list of models read from it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from accounts import AccountKind
from gateway.settings import Settings
from local.poe_official import PoeOfficialSimulator
from tests.gateway.scripted import ADMIN_KEY, Answer
from tests.gateway.surfaces.media.conftest import learn_models
from tests.gateway.surfaces.media.test_images import DATA_URL
from tests.gateway.test_bootstrap import POE_KEY, RealHouse

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL_ME = '[[call: weather {"city": "Rome"}]]'


@asynccontextmanager
async def opened(simulator: PoeOfficialSimulator) -> AsyncIterator[RealHouse]:
    simulator.add_account(POE_KEY, 1_000_000)
    environment = {
        "GATEWAY_STORE": "memory",
        "GATEWAY_ADMIN_KEY": ADMIN_KEY,
        "GATEWAY_POE_OFFICIAL_BASE_URL": simulator.base_url,
        "GATEWAY_POE_UPLOAD_URL": simulator.upload_url,
    }
    house = RealHouse(Settings.from_env(environment))
    await house.add_key()
    await house.add_account(POE_KEY, AccountKind.OFFICIAL)
    await learn_models(house)
    yield house
    await house.services.aclose()


@pytest.fixture
async def simulator() -> AsyncIterator[PoeOfficialSimulator]:
    async with PoeOfficialSimulator(pace_seconds=0) as running:
        yield running


@pytest.fixture
async def house(simulator: PoeOfficialSimulator) -> AsyncIterator[RealHouse]:
    async with opened(simulator) as house:
        yield house


def chat(model: str, text: str = "hi", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def asked(simulator: PoeOfficialSimulator) -> dict[str, Any]:
    """The body of the last question to a bot."""
    return next(record.body for record in reversed(simulator.requests) if record.method == "POST")


def calls_of(answer: Answer, stream: bool) -> list[dict[str, Any]]:
    if not stream:
        calls: list[dict[str, Any]] = answer.json["choices"][0]["message"]["tool_calls"]
        return calls
    joined: dict[int, dict[str, Any]] = {}
    for line in answer.body.decode().splitlines():
        event = json.loads(line[6:]) if line.startswith("data: {") else {}
        for choice in event.get("choices", ()):
            for piece in choice["delta"].get("tool_calls", ()):
                call = joined.setdefault(piece["index"], {"function": {"name": "", "arguments": ""}})
                call |= {name: piece[name] for name in ("id", "type", "extra_content") if name in piece}
                call["function"]["name"] += piece["function"].get("name", "")
                call["function"]["arguments"] += piece["function"].get("arguments", "")
    return list(joined.values())


@pytest.mark.parametrize("stream", [True, False])
async def test_a_thought_signature_makes_the_round_trip(house: RealHouse, stream: bool) -> None:
    first = await house.call(body=chat("Gemini-3-Pro", CALL_ME, tools=[TOOL], stream=stream))
    assert first.status == 200, first.body
    calls = calls_of(first, stream)
    assert calls[0]["extra_content"]["google"]["thought_signature"]
    turns = [
        {"role": "user", "content": CALL_ME},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": calls[0]["id"], "content": "sunny"},
    ]
    second = await house.call(body={"model": "Gemini-3-Pro", "messages": turns, "tools": [TOOL]})
    assert second.status == 200, second.body
    assert second.json["choices"][0]["message"]["content"] == "The tool said: sunny"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("model", "fields", "ignored"),
    [
        ("Picky", {"temperature": 0.5}, "temperature"),
        ("Picky", {"stop": ["END"]}, None),
        ("Picky", {"response_format": {"type": "json_object"}}, None),
        ("Picky", {"temperature": 0.5, "stop": ["END"]}, "temperature"),
        ("Assistant", {"reasoning_effort": "high"}, "reasoning_effort"),
        ("Claude-Sonnet-4.5", {"temperature": 0.5, "top_p": 0.5}, "top_p"),
    ],
)
async def test_what_a_provider_refuses_without_naming_it_is_left_out(
    house: RealHouse, model: str, fields: dict[str, Any], ignored: str | None, stream: bool
) -> None:
    answer = await house.call(body=chat(model, '[[say: {"a": 1}]]', stream=stream, **fields))
    assert answer.status == 200, answer.body
    assert answer.headers.get("x-gateway-ignored") == ignored


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("GPT-5.2", {"reasoning_effort": "low"}),
        ("Claude-Sonnet-4.5", {"thinking_budget": 4096}),
        ("Claude-Opus-4.6", {"output_effort": "low"}),
        ("Gemini-3-Pro", {"thinking_level": "low"}),
        ("Gemini-2.5-Pro", {"thinking_budget": 4096}),
        ("GLM-5", {"enable_thinking": True}),
        ("Muser", {"enable_thinking": True}),
    ],
)
@pytest.mark.parametrize("surface", ["chat", "responses", "effort in messages", "budget in messages"])
async def test_an_effort_reaches_every_kind_of_model_from_every_surface(
    house: RealHouse, simulator: PoeOfficialSimulator, model: str, sent: dict[str, Any], surface: str
) -> None:
    messages = chat(model, max_tokens=9_000)
    path, body = {
        "chat": ("/v1/chat/completions", chat(model, reasoning_effort="low")),
        "responses": ("/v1/responses", {"model": model, "input": "hi", "reasoning": {"effort": "low"}}),
        "effort in messages": ("/v1/messages", {**messages, "output_config": {"effort": "low"}}),
        "budget in messages": ("/v1/messages", {**messages, "thinking": {"type": "enabled", "budget_tokens": 4096}}),
    }[surface]
    answer = await house.call(path, body)
    assert answer.status == 200, answer.body
    assert {name: asked(simulator).get(name) for name in sent} == sent
    assert "x-gateway-ignored" not in answer.headers


async def test_a_budget_above_the_declared_one_is_cut_and_reported(
    house: RealHouse, simulator: PoeOfficialSimulator
) -> None:
    answer = await house.call(body=chat("Claude-Sonnet-4.5", thinking_budget=64_000))
    assert (answer.status, asked(simulator)["thinking_budget"]) == (200, 31_999)
    assert answer.headers["x-gateway-ignored"] == "thinking_budget"
    body = chat("Claude-Sonnet-4.5", max_tokens=32_768, thinking={"type": "enabled", "budget_tokens": 32_500})
    answer = await house.call("/v1/messages", body)
    assert (answer.status, asked(simulator)["thinking_budget"]) == (200, 31_999)
    assert answer.headers["x-gateway-ignored"] == "thinking"


async def test_a_long_prompt_changes_no_limit(house: RealHouse, simulator: PoeOfficialSimulator) -> None:
    answer = await house.call(body=chat("Claude-Sonnet-4.5", "count 9000 " + "long " * 4000))
    assert answer.status == 200, answer.body
    assert simulator.requests[-1].path == "/v1/messages"
    assert asked(simulator)["max_tokens"] == 32_768


async def test_a_model_that_makes_media_is_not_held_to_its_number(house: RealHouse) -> None:
    turns = [{"role": role, "content": "a hat " * 200} for role in ("user", "assistant") * 3]
    answer = await house.call(body={"model": "Painter", "messages": [*turns, {"role": "user", "content": "a cat"}]})
    assert answer.status == 200, answer.body


async def test_a_prompt_that_is_too_long_for_the_provider_says_so(
    house: RealHouse, simulator: PoeOfficialSimulator
) -> None:
    answer = await house.call(body=chat("NoTools"))
    assert answer.status == 200
    simulator.models["notools"] = simulator.models["gpt-4o"]
    answer = await house.call(body=chat("NoTools", "w " * 128_001))
    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("model", ["GPT-Image-1", "GPT-Image-1.5"])
async def test_image_models_without_chat_in_their_list_make_and_edit(
    house: RealHouse, simulator: PoeOfficialSimulator, model: str
) -> None:
    made = await house.call("/v1/images/generations", {"model": model, "prompt": "a [red] hat", "quality": "low"})
    assert made.status == 200, made.body
    assert asked(simulator)["quality"] == "low"
    edited = await house.call("/v1/images/edits", {"model": model, "prompt": "a hat", "image": DATA_URL})
    assert edited.status == 200, edited.body
    assert "?w=1024&h=1024" in edited.json["data"][0]["url"]


@pytest.mark.parametrize("stream", [True, False])
async def test_kept_thinking_is_reasoning_and_never_the_structured_answer(house: RealHouse, stream: bool) -> None:
    answer = await house.call(body=chat("Muser", "hello"))
    message = answer.json["choices"][0]["message"]
    assert message["content"] == "Answer: hello"
    assert 'Perhaps {"draft": true} would do.' in message["reasoning_content"]
    kept = '*Thinking...*\n\n> Perhaps {"a": "draft"}.\n\n{"a": "answer"}'
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = await house.call(body=chat("NoTools", f"[[say: {kept}]]", response_format=wanted, stream=stream))
    assert answer.status == 200, answer.body
    text = answer.text if stream else answer.json["choices"][0]["message"]["content"]
    assert json.loads(text) == {"a": "answer"}


async def test_prices_have_one_unit_each(house: RealHouse) -> None:
    models = {model["id"]: model for model in (await house.call("/v1/models")).json["data"]}
    assert models["Story"]["pricing"]["request"] == "0.00060"
    assert models["GPT-5.2"]["pricing"]["prompt"] == "0.0000016"
    assert models["GPT-5.2"]["pricing"]["request"] is None
    assert models["NoTools"]["pricing"] is None
    assert all(model["points_per_message"] is None for model in models.values())


async def test_a_history_with_results_in_odd_places_is_put_in_order(house: RealHouse) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "assistant", "content": "One moment."},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "user", "content": "And?"},
    ]
    answer = await house.call(body={"model": "Sayer", "messages": turns, "tools": [TOOL]})
    assert answer.status == 200, answer.body
