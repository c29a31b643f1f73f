"""What came with a call goes back with its result, also when the caller sends only ids."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import StoreUnavailableError
from reverse.chat import Thinking
from reverse.events import Finished, ReasoningDelta, ReasoningSigned, TextDelta, ToolCallDelta
from tests.gateway.prompt.test_required_calls import BODIES
from tests.gateway.scripted import Answer, House

EXTRA = {"google": {"thought_signature": "c2ln"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
HISTORIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ]
    },
    "/v1/responses": {
        "input": [
            {"role": "user", "content": "Hi"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "x"},
        ]
    },
    "/v1/messages": {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "x"}]},
        ]
    },
}


async def first(house: House, path: str, model: str, *, stream: bool = False, choice: Any = None) -> None:
    house.poe.enqueue(ToolCallDelta(0, "", "call_1", "f"), ToolCallDelta(0, "{}", extra_content=EXTRA), Finished())
    body = {"model": model, "stream": stream, **BODIES[path], "tool_choice": choice}
    assert (await house.call(path, body)).status == 200


async def sent(house: House, path: str, model: str) -> Any:
    body = {"model": model, **BODIES[path], "tool_choice": None, **HISTORIES[path]}
    assert (await house.call(path, body)).status == 200
    return house.poe.requests[-1].messages[1].tool_calls[0].extra_content


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_signature_is_remembered_by_the_calls_id(house: House, path: str, stream: bool) -> None:
    await house.add_account()
    await first(house, path, "Gemini-3-Pro", stream=stream)
    for other in BODIES:
        assert await sent(house, other, "gemini-3-pro") == EXTRA


async def test_a_signature_is_remembered_of_an_answer_that_is_read(house: House) -> None:
    await house.add_account()
    await first(house, "/v1/chat/completions", "Gemini-3-Pro", choice="required")
    assert await sent(house, "/v1/chat/completions", "Gemini-3-Pro") == EXTRA


async def test_other_models_get_none(house: House) -> None:
    await house.add_account()
    await first(house, "/v1/chat/completions", "GPT-5")
    assert await sent(house, "/v1/chat/completions", "GPT-5") is None


async def test_a_store_that_fails_fails_no_request(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError("Query", "timeout")

    monkeypatch.setattr(house.store, "put_document", fail)
    monkeypatch.setattr(house.store, "get_document", fail)
    await house.add_account()
    await first(house, "/v1/chat/completions", "Gemini-2.5-Pro")
    assert await sent(house, "/v1/chat/completions", "Gemini-2.5-Pro") is None
    assert {line["message"] for line in house.lines()} >= {"session.write_failed", "call_extra.read_failed"}


@pytest.mark.parametrize("path", BODIES)
async def test_a_signature_is_remembered_for_the_whole_conversation(house: House, path: str) -> None:
    await house.add_account()
    await first(house, path, "Gemini-3-Pro")
    house.poe.enqueue(TextDelta("Hi"), Finished())
    key = "input" if path == "/v1/responses" else "messages"
    history = [*HISTORIES[path][key], {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Go on"}]
    body = {"model": "Gemini-3-Pro", "max_tokens": 100, key: history}
    assert (await house.call(path, body)).status == 200
    assert house.poe.requests[-1].messages[1].tool_calls[0].extra_content == EXTRA


CLAUDE = "Claude-Sonnet-4.5"
BUDGET = [{"name": "thinking_budget", "schema": {"type": "integer", "maximum": 30_000}}]
SEALED = (Thinking("Hm. So.", "c2VhbA=="), Thinking("", "aGlkZGVu", is_redacted=True))


async def think(house: House, path: str, *, stream: bool = False) -> Answer:
    await house.store.put_config("models", {"models": [{"id": CLAUDE, "parameters": BUDGET}]})
    house.poe.enqueue(
        ReasoningDelta("Hm. "),
        ReasoningDelta("So."),
        ReasoningSigned("c2VhbA=="),
        ReasoningSigned("aGlkZGVu", is_redacted=True),
        TextDelta("I look."),
        ToolCallDelta(0, "{}", "call_1", "f"),
        Finished(),
    )
    body = {"model": CLAUDE, "stream": stream, **BODIES[path], "tool_choice": None}
    answer = await house.call(path, body)
    assert answer.status == 200
    return answer


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [True, False])
async def test_sealed_thinking_is_remembered_by_the_calls_id_while_the_model_thinks(
    house: House, path: str, stream: bool
) -> None:
    await house.add_account()
    await think(house, path, stream=stream)
    for other in BODIES:
        body = {"model": CLAUDE, **BODIES[other], "tool_choice": None, **HISTORIES[other]}
        answer = await house.call(other, {**body, "thinking_budget": 2000})
        assert answer.status == 200, answer.body
        assert house.poe.requests[-1].messages[1].thinking == SEALED
        assert "x-gateway-ignored" not in answer.headers
        await house.call(other, body)
        assert house.poe.requests[-1].messages[1].thinking == ()


@pytest.mark.parametrize("path", BODIES)
async def test_sealed_thinking_that_is_sent_back_reaches_the_provider_or_is_reported(house: House, path: str) -> None:
    await house.add_account()
    answer = (await think(house, path)).json
    results = {
        "/v1/chat/completions": lambda: [
            answer["choices"][0]["message"],
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ],
        "/v1/responses": lambda: [
            *answer["output"],
            {"type": "function_call_output", "call_id": "call_1", "output": "x"},
        ],
        "/v1/messages": lambda: [
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "x"}]},
        ],
    }[path]()
    key = "input" if path == "/v1/responses" else "messages"
    body = {"model": CLAUDE, **BODIES[path], "tool_choice": None, key: [{"role": "user", "content": "Hi"}, *results]}
    second = await house.call(path, body)
    assert second.status == 200, second.body
    (turn,) = [turn for turn in house.poe.requests[-1].messages if turn.thinking]
    assert (turn.thinking, turn.text, [call.id for call in turn.tool_calls]) == (SEALED, "I look.", ["call_1"])
    assert "x-gateway-ignored" not in second.headers
    # Another provider's model gets none of it.
    other = await house.call(path, {**body, "model": "GPT-5"})
    name = {"/v1/responses": "input.reasoning", "/v1/messages": "messages.content.thinking"}
    assert other.headers["x-gateway-ignored"] == name.get(path, "messages.thinking_blocks")


async def test_other_models_that_do_not_think_are_not_looked_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.add_account()
    asked: list[str] = []
    get_document = house.store.get_document

    async def note(kind: str, owner: str, document_id: str) -> Any:
        asked.append(kind)
        return await get_document(kind, owner, document_id)

    monkeypatch.setattr(house.store, "get_document", note)
    for model in ("GPT-5", CLAUDE):
        await sent(house, "/v1/chat/completions", model)
    assert asked == []


@pytest.mark.parametrize("path", BODIES)
async def test_calls_without_a_signature_are_text_for_models_that_refuse_them(house: House, path: str) -> None:
    await house.add_account()
    body = {"model": "Gemini-3-Pro", **BODIES[path], "tool_choice": None, **HISTORIES[path]}
    assert (await house.call(path, body)).status == 200
    turns = [(turn.role, turn.text) for turn in house.poe.requests[-1].messages[-2:]]
    assert turns == [("assistant", "(Called f with {})"), ("user", "Result of a tool: x")]
