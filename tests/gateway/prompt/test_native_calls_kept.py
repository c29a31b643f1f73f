"""What came with a call goes back with its result, also when the caller sends only ids."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import StoreUnavailableError
from reverse.events import Finished, TextDelta, ToolCallDelta
from tests.gateway.prompt.test_native_calls import BODIES
from tests.gateway.scripted import House

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
    await first(house, "/v1/chat/completions", "Gemini-3-Pro")
    assert await sent(house, "/v1/chat/completions", "Gemini-3-Pro") is None
    assert {line["message"] for line in house.lines()} >= {"session.write_failed", "call_extra.read_failed"}


async def test_only_calls_since_the_users_last_words_are_looked_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add_account()
    asked: list[str] = []
    get_document = house.store.get_document

    async def note(kind: str, owner: str, document_id: str) -> Any:
        asked.append(kind)
        return await get_document(kind, owner, document_id)

    monkeypatch.setattr(house.store, "get_document", note)
    house.poe.enqueue(TextDelta("Hi"), Finished())
    messages = [*HISTORIES["/v1/chat/completions"]["messages"], {"role": "user", "content": "Go on"}]
    answer = await house.call(body={"model": "Gemini-3-Pro", "messages": messages})
    assert answer.status == 200
    assert asked == []
