"""Recorded answers through the whole gateway: each surface, streamed and not, read by the official SDKs as recorded.

The recordings of the project itself have the shapes of real ones, which are played as well where they lie beside it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from accounts import AccountKind
from gateway.settings import Settings
from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import HttpError
from tests.contract.conftest import Front, serving
from tests.contract.recorded import streamed
from tests.gateway.scripted import ADMIN_KEY
from tests.gateway.test_bootstrap import POE_KEY, RealHouse
from tests.reverse.official.test_recorded import OWN, REAL, Expected

RECORDS = {**OWN, **REAL}
ANSWERS = [name for name, record in RECORDS.items() if record["response"]["status"] == 200]
REFUSALS = [name for name, record in RECORDS.items() if record["response"]["status"] != 200]
SCHEMA = {"type": "object", "properties": {}}


@pytest.fixture
async def recorded() -> AsyncIterator[tuple[Front, PoeOfficialSimulator]]:
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account(POE_KEY)
        environment = {
            "GATEWAY_STORE": "memory",
            "GATEWAY_ADMIN_KEY": ADMIN_KEY,
            "GATEWAY_POE_OFFICIAL_BASE_URL": simulator.base_url,
        }
        house = RealHouse(Settings.from_env(environment))
        await house.add_key()
        await house.add_account(POE_KEY, AccountKind.OFFICIAL)
        # The list says where the model was asked when it was recorded.
        models = [
            {"id": model, "upstream_endpoints": [record["endpoint"]]}
            for record in RECORDS.values()
            if (model := model_of(record)) is not None
        ]
        await house.store.put_config("models", {"models": models})
        async with serving(house) as front:
            yield front, simulator
        await house.services.aclose()


def model_of(record: dict[str, Any]) -> str:
    model: str = record["request"].get("body", record["request"])["model"]
    return f"{record['endpoint'].rsplit('/', 1)[-1]}-{model}"


class Read:
    """What an SDK has read."""

    def __init__(self) -> None:
        self.text = self.thought = ""
        self.calls: list[tuple[str, str, Any, Any]] = []
        self.seals: list[str] = []
        self.usage: tuple[int, int] = (0, 0)


def enqueue(simulator: PoeOfficialSimulator, record: dict[str, Any], *, as_stream: bool) -> None:
    answer = record["response"]
    content_type = "text/event-stream" if as_stream else "application/json"
    body = streamed(record["endpoint"], answer["body"]) if as_stream else json.dumps(answer["body"])
    simulator.enqueue(Scenario(HttpError(answer["status"], body=body, content_type=content_type)))


def tool_names(record: dict[str, Any]) -> list[str]:
    return [name for _, name, _, _ in Expected(record["response"]["body"]).calls]


async def ask_chat(front: Front, record: dict[str, Any], *, stream: bool) -> Read:
    tools: Any = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in tool_names(record)]
    asked: Any = {"model": model_of(record), "messages": [{"role": "user", "content": "as recorded"}]}
    asked |= {"tools": tools} if tools else {}
    async with front.client() as client:
        if stream:
            async with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
                completion: Any = await events.get_final_completion()
                message = completion.choices[0].message
        else:
            completion = await client.chat.completions.create(**asked)
            message = completion.choices[0].message
    read = Read()
    read.text = message.content or ""
    more = message.model_extra or {}
    read.thought = more.get("reasoning_content") or ""
    for call in message.tool_calls or ():
        arguments = json.loads(call.function.arguments)
        read.calls.append((call.id, call.function.name, arguments, (call.model_extra or {}).get("extra_content")))
    read.seals = [block["signature"] for block in more.get("thinking_blocks") or ()]
    read.usage = (completion.usage.prompt_tokens, completion.usage.completion_tokens)
    return read


async def ask_responses(front: Front, record: dict[str, Any], *, stream: bool) -> Read:
    tools: Any = [{"type": "function", "name": name, "parameters": SCHEMA} for name in tool_names(record)]
    asked: Any = {"model": model_of(record), "input": "as recorded", "tools": tools}
    async with front.client() as client:
        if stream:
            async with client.responses.stream(**asked) as events:
                response: Any = await events.get_final_response()
        else:
            response = await client.responses.create(**asked)
    read = Read()
    for item in response.output:
        if item.type == "message":
            read.text += "".join(part.text for part in item.content)
        elif item.type == "reasoning":
            read.thought += "".join(part.text for part in item.summary)
            read.seals += [item.encrypted_content.removeprefix("claude#")] if item.encrypted_content else []
        else:
            extra = (item.model_extra or {}).get("extra_content")
            read.calls.append((item.call_id, item.name, json.loads(item.arguments), extra))
    read.usage = (response.usage.input_tokens, response.usage.output_tokens)
    return read


async def ask_messages(front: Front, record: dict[str, Any], *, stream: bool) -> Read:
    tools: Any = [{"name": name, "input_schema": SCHEMA} for name in tool_names(record)]
    messages: Any = [{"role": "user", "content": "as recorded"}]
    asked: Any = {"model": model_of(record), "max_tokens": 4000, "messages": messages, "tools": tools}
    async with front.anthropic() as client:
        if stream:
            async with client.messages.stream(**asked) as events:
                message: Any = await events.get_final_message()
        else:
            message = await client.messages.create(**asked)
    read = Read()
    for block in message.content:
        if block.type == "text":
            read.text += block.text
        elif block.type == "thinking":
            read.thought += block.thinking
            read.seals += [block.signature] if block.signature else []
        else:
            read.calls.append((block.id, block.name, block.input, (block.model_extra or {}).get("extra_content")))
    read.usage = (
        message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0),
        message.usage.output_tokens,
    )
    return read


SURFACES = {"chat": ask_chat, "responses": ask_responses, "messages": ask_messages}


def check(read: Read, body: dict[str, Any]) -> None:
    expected = Expected(body)
    assert read.text == "".join(expected.texts)
    assert read.thought == "".join(expected.thoughts)
    assert read.calls == expected.calls
    assert read.seals == [block["signature"] for block in body.get("content", ()) if block["type"] == "thinking"]
    usage = body["usage"]
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    prompt += usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    written = usage.get("completion_tokens", usage.get("output_tokens"))
    # What was not counted is an estimate.
    assert read.usage[0] == prompt
    assert read.usage[1] == written or not written


@pytest.mark.parametrize("as_stream", [False, True], ids=["in one piece", "as events"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_every_surface_says_what_was_recorded(
    recorded: tuple[Front, PoeOfficialSimulator], name: str, as_stream: bool
) -> None:
    front, simulator = recorded
    record = RECORDS[name]
    for ask in SURFACES.values():
        for stream in (False, True):
            enqueue(simulator, record, as_stream=as_stream)
            check(await ask(front, record, stream=stream), record["response"]["body"])
    assert {request.path for request in simulator.requests} == {record["endpoint"]}


@pytest.mark.parametrize("name", [name for name in ANSWERS if not tool_names(RECORDS[name])])
async def test_completions_say_what_was_recorded(recorded: tuple[Front, PoeOfficialSimulator], name: str) -> None:
    front, simulator = recorded
    record = RECORDS[name]
    expected = "".join(Expected(record["response"]["body"]).texts)
    asked: Any = {"model": model_of(record), "prompt": "as recorded"}
    # Not in strict mode: the SDK's type for a chunk has no place for the null that OpenAI itself sends.
    async with front.client(_strict_response_validation=False) as client:
        enqueue(simulator, record, as_stream=False)
        assert (await client.completions.create(**asked)).choices[0].text == expected
        enqueue(simulator, record, as_stream=True)
        chunks = [chunk async for chunk in await client.completions.create(**asked, stream=True)]
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_recorded_refusal_is_the_callers_to_mend(
    recorded: tuple[Front, PoeOfficialSimulator], name: str, stream: bool
) -> None:
    front, simulator = recorded
    record = RECORDS[name]
    fields: Any = {"reasoning_effort": "high"} if "reasoning_effort" in json.dumps(record["request"]) else {}
    asked: Any = {"model": model_of(record), "messages": [{"role": "user", "content": "as recorded"}], **fields}
    enqueue(simulator, record, as_stream=False)
    enqueue(simulator, record, as_stream=False)
    async with front.client(max_retries=2) as client:
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(**asked, stream=stream)
    assert len(simulator.requests) <= 2
