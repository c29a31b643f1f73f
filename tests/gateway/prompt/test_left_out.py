"""What no model gets is treated alike on every surface, with every kind of account: left out, and reported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts import AccountKind
from reverse.events import Finished, TextDelta
from tests.gateway.prompt.test_required_calls import ANY, BODIES
from tests.gateway.scripted import House

HOSTED: dict[str, Any] = {
    "/v1/chat/completions": {"type": "code_interpreter"},
    "/v1/responses": {"type": "code_interpreter", "container": {"type": "auto"}},
    "/v1/messages": {"type": "bash_20250124", "name": "bash"},
}
TEXT = {"type": "text", "text": "Ho"}
AUTO: dict[str, Any] = {"/v1/messages": {"type": "auto"}}
NONE: dict[str, Any] = {"/v1/messages": {"type": "none"}}
THOUGHT: dict[str, tuple[list[dict[str, Any]], str]] = {
    "/v1/chat/completions": (
        [{"role": "assistant", "content": "Ho", "reasoning_content": "Hm."}],
        "messages.reasoning_content",
    ),
    "/v1/responses": (
        [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"role": "assistant", "content": "Ho"},
        ],
        "input.reasoning",
    ),
    "/v1/messages": (
        [{"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": ""}, TEXT]}],
        "messages.content.thinking",
    ),
}
NOTED: dict[str, tuple[dict[str, Any], str]] = {
    "/v1/chat/completions": (
        {"role": "assistant", "content": "Ho", "annotations": [{"type": "url_citation"}]},
        "messages.annotations",
    ),
    "/v1/messages": (
        {"role": "assistant", "content": [{**TEXT, "citations": [{"type": "web_search_result_location"}]}]},
        "messages.content.citations",
    ),
    "/v1/responses": (
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Ho", "annotations": [{"type": "url_citation"}]}],
        },
        "input.content.annotations",
    ),
}


def key_of(path: str) -> str:
    return "input" if path == "/v1/responses" else "messages"


@pytest.mark.parametrize("kind", AccountKind)
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_whose_every_tool_is_left_out_is_answered_without(
    house: House, path: str, kind: AccountKind, stream: bool
) -> None:
    await house.add_account(kind=kind)
    for choice in (None, AUTO.get(path, "auto"), NONE.get(path, "none")):
        body = {"model": "GPT-5", **BODIES[path], "tools": [HOSTED[path]], "tool_choice": choice, "stream": stream}
        answer = await house.call(path, body)
        assert answer.status == 200, answer.body
        assert answer.headers["x-gateway-ignored"] == "tools[0]"
        assert not house.poe.requests[-1].tools
    asked = len(house.poe.requests)
    refused = await house.call(path, {**body, "tool_choice": ANY.get(path, "required")})
    assert (refused.status, len(house.poe.requests)) == (400, asked)
    assert b"invalid_value" in refused.body
    assert b"none of 'tools' is offered here" in refused.body


@pytest.mark.parametrize("kind", AccountKind)
@pytest.mark.parametrize("path", BODIES)
async def test_reasoning_of_earlier_turns_is_reported(house: House, path: str, kind: AccountKind) -> None:
    await house.add_account(kind=kind)
    turns, name = THOUGHT[path]
    user = {"role": "user", "content": "Hi"}
    body = {"model": "GPT-5", **BODIES[path], "tools": [], "tool_choice": None, key_of(path): [user, *turns, user]}
    answer = await house.call(path, body)
    assert (answer.status, answer.headers.get("x-gateway-ignored")) == (200, name)
    assert "Hm." not in "".join(turn.text for turn in house.poe.requests[-1].messages)


@pytest.mark.parametrize("path", BODIES)
async def test_annotations_of_earlier_turns_are_reported(house: House, path: str) -> None:
    await house.add_account()
    turn, name = NOTED[path]
    user = {"role": "user", "content": "Hi"}
    body = {"model": "GPT-5", **BODIES[path], "tools": [], "tool_choice": None, key_of(path): [user, turn, user]}
    answer = await house.call(path, body)
    assert (answer.status, answer.headers.get("x-gateway-ignored")) == (200, name)


@pytest.mark.parametrize("kind", AccountKind)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("field", ["output_format", "output_config"])
async def test_anthropics_formats_are_kept_by_both_names(
    house: House, kind: AccountKind, stream: bool, field: str
) -> None:
    await house.add_account(kind=kind)
    house.poe.enqueue(TextDelta('Draft {"a": 0}, then:\n{"a": "x"}'), Finished())
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "schema": schema}
    format_ = {field: wanted if field == "output_format" else {"format": wanted}}
    messages = [{"role": "user", "content": "Hi"}]
    body = {"model": "GPT-5", "max_tokens": 100, "messages": messages, "stream": stream, **format_}
    answer = await house.call("/v1/messages", body, headers={"anthropic-beta": "structured-outputs-2025-11-13"})
    assert answer.status == 200, answer.body
    if stream:
        lines = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
        text = "".join(line["delta"].get("text", "") for line in lines if line["type"] == "content_block_delta")
    else:
        text = answer.json["content"][0]["text"]
    assert json.loads(text) == {"a": "x"}
