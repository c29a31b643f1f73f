"""Chunks of a streamed chat completion."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.generation.usage import TokenUsage
from gateway.surfaces.chat.encoder import DONE, ChunkEncoder, encode_text, missing_links
from reverse.events import (
    ChatStarted,
    FileAttached,
    FinishReason,
    ReasoningDelta,
    SuggestedReply,
    TextDelta,
    ToolCallDelta,
)

USAGE = TokenUsage(3, 2)


def encoder(*, wants_usage: bool = False) -> ChunkEncoder:
    return ChunkEncoder(completion_id="chatcmpl-1", created=1700000000, model='m"1', wants_usage=wants_usage)


def parse(data: bytes) -> list[Any]:
    blocks = data.decode().split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [json.loads(block[6:]) for block in blocks if block != "data: [DONE]"]


HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": 'm"1'}


@pytest.mark.parametrize(
    ("event", "delta"),
    [
        (TextDelta('a"\n'), {"content": 'a"\n'}),
        (ReasoningDelta("hm"), {"reasoning_content": "hm"}),
        (
            ToolCallDelta(0, "", "call_1", "f"),
            {
                "tool_calls": [
                    {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
                ]
            },
        ),
        (ToolCallDelta(1, '{"a"'), {"tool_calls": [{"index": 1, "function": {"arguments": '{"a"'}}]}),
    ],
    ids=["text", "reasoning", "tool call", "more arguments"],
)
def test_an_event_is_one_whole_chunk(event: Any, delta: dict[str, Any]) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    assert parse(encoder().encode(event)) == [HEAD | {"choices": [choice]}]


def test_the_start_tells_the_role() -> None:
    assert parse(encoder().start())[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}


@pytest.mark.parametrize("event", [ChatStarted(1), FileAttached("https://x"), SuggestedReply("more?")])
def test_other_events_are_not_told(event: Any) -> None:
    assert encoder().encode(event) == b""


def test_the_end_without_usage() -> None:
    end = encoder().finish(FinishReason.LENGTH, USAGE)
    assert end.endswith(DONE)
    assert parse(end) == [HEAD | {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}]


def test_the_end_with_usage_has_a_chunk_without_choices() -> None:
    """OpenAI sends `usage: null` on all other chunks then."""
    finish, usage = parse(encoder(wants_usage=True).finish(FinishReason.STOP, USAGE))
    assert finish["usage"] is None
    assert usage["choices"] == []
    assert (usage["usage"]["total_tokens"], usage["usage"]["estimated"]) == (5, True)
    assert parse(encoder(wants_usage=True).encode(TextDelta("x")))[0]["usage"] is None


def test_a_cancelled_answer_just_stops() -> None:
    assert parse(encoder().finish(FinishReason.CANCELLED, USAGE))[0]["choices"][0]["finish_reason"] == "stop"


@given(st.text(alphabet=st.characters()))
def test_any_text_survives(text: str) -> None:
    """Line ends, line separators of Unicode and half surrogates included."""
    encoded = encode_text(text)
    assert json.loads(encoded.decode()) == text
    assert b"\n" not in encoded
    assert b"\r" not in encoded


def test_text_stays_readable() -> None:
    assert encode_text("你好") == '"你好"'.encode()


def test_links_are_appended_unless_they_are_in_the_text() -> None:
    files = [FileAttached("https://a"), FileAttached("https://b"), FileAttached("https://b")]
    assert missing_links(files, "see https://a") == "\n\nhttps://b"
    assert missing_links(files, "") == "https://a\nhttps://b"
    assert missing_links([], "text") == ""
