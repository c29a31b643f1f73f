"""An answer that somebody stopped at Poe says so: it ends like one that was cut, and is no complete answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts import AccountKind
from reverse.events import Finished, FinishReason, TextDelta, ToolCallDelta, UsageReported
from tests.gateway.scripted import Answer, House

QUESTION = {"model": "Some-Bot", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 99}
TOOL = {"name": "look", "parameters": {"type": "object"}}
PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", QUESTION),
    "completions": ("/v1/completions", {"model": "Some-Bot", "prompt": "Hi"}),
    "responses": ("/v1/responses", {"model": "Some-Bot", "input": "Hi"}),
    "messages": ("/v1/messages", QUESTION),
}


def events(answer: Answer) -> list[dict[str, Any]]:
    lines = answer.body.decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def ending(surface: str, answer: Answer, *, is_streamed: bool) -> dict[str, Any]:
    """The fields that say how the answer ended."""
    if surface in ("chat", "completions"):
        shown = [event for event in events(answer) if event["choices"]] if is_streamed else [answer.json]
        choice = shown[-1]["choices"][0]
        return {name: choice[name] for name in ("finish_reason", "native_finish_reason") if name in choice}
    if surface == "responses":
        shown = [event for event in events(answer) if event["type"].startswith("response.")] if is_streamed else []
        response = shown[-1]["response"] if is_streamed else answer.json
        if is_streamed:
            assert shown[-1]["type"] == f"response.{response['status']}"
        items = {item["status"] for item in response["output"]}
        return {"status": response["status"], "items": items, "details": response["incomplete_details"]}
    [delta] = [e["delta"] for e in events(answer) if e["type"] == "message_delta"] if is_streamed else [answer.json]
    return {name: delta[name] for name in ("stop_reason", "native_finish_reason") if name in delta}


OPENAI = {"finish_reason": "length", "native_finish_reason": "cancelled"}
EXPECTED: dict[str, dict[str, Any]] = {
    "chat": OPENAI,
    "completions": OPENAI,
    "responses": {
        "status": "incomplete",
        "items": {"incomplete"},
        "details": {"reason": "max_output_tokens", "native_finish_reason": "cancelled"},
    },
    "messages": {"stop_reason": "max_tokens", "native_finish_reason": "cancelled"},
}


@pytest.mark.parametrize("kind", AccountKind)
@pytest.mark.parametrize("is_streamed", [True, False])
@pytest.mark.parametrize("surface", PATHS)
async def test_what_was_said_is_given_and_told_to_be_cut(
    house: House, surface: str, is_streamed: bool, kind: AccountKind
) -> None:
    await house.add_account(kind=kind)
    house.poe.enqueue(TextDelta("Half an "), UsageReported(points=3), Finished(FinishReason.CANCELLED))
    path, body = PATHS[surface]
    answer = await house.call(path, body | ({"stream": True} if is_streamed else {}))
    assert answer.status == 200
    assert "Half an " in answer.body.decode()
    assert ending(surface, answer, is_streamed=is_streamed) == EXPECTED[surface]
    [line] = house.lines("request.ended")
    assert line["finish"] == "cancelled"


@pytest.mark.parametrize("is_streamed", [True, False])
@pytest.mark.parametrize("surface", PATHS)
async def test_a_complete_answer_has_no_such_field(house: House, surface: str, is_streamed: bool) -> None:
    await house.add_account()
    path, body = PATHS[surface]
    answer = await house.call(path, body | ({"stream": True} if is_streamed else {}))
    assert b"native_finish_reason" not in answer.body


async def test_an_answer_that_was_stopped_at_once_is_not_asked_for_again(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.enqueue(Finished(FinishReason.CANCELLED))
    answer = await house.call(*PATHS["chat"])
    assert ending("chat", answer, is_streamed=False) == OPENAI
    assert len(house.poe.requests) == 1


async def test_a_call_that_was_cut_in_its_arguments_is_no_error(house: House) -> None:
    await house.add_account()
    call = ToolCallDelta(0, '{"at": "he', id="call_1", name="look")
    house.poe.enqueue(call, Finished(FinishReason.CANCELLED))
    tool = {"name": "look", "input_schema": {"type": "object"}}
    answer = await house.call("/v1/messages", QUESTION | {"tools": [tool]})
    assert (answer.status, answer.json["stop_reason"]) == (200, "max_tokens")


async def test_an_answer_that_was_to_have_a_format_is_given_as_far_as_it_came(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.enqueue(TextDelta('{"a": '), Finished(FinishReason.CANCELLED))
    answer = await house.call(PATHS["chat"][0], QUESTION | {"response_format": {"type": "json_object"}})
    assert (answer.status, len(house.poe.requests)) == (200, 1)
    assert ending("chat", answer, is_streamed=False) == OPENAI
