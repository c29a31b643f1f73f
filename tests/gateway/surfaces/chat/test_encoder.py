"""Chunks of a streamed chat completion."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.generation.usage import TokenUsage
from gateway.http.sse import DONE
from gateway.surfaces.chat.encoder import ChunkEncoder
from reverse.events import (
    ChatStarted,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    SuggestedReply,
    TextDelta,
    ToolCallDelta,
)

USAGE = TokenUsage(3, 2)


def encoder(*, wants_usage: bool = False) -> ChunkEncoder:
    return ChunkEncoder(completion_id="chatcmpl-1", created=1700000000, model='m"1', wants_usage=wants_usage)


async def end(encoder: ChunkEncoder, reason: FinishReason = FinishReason.STOP) -> bytes:
    encoder.encode(Finished(reason))
    encoder.answer.close(text="", usage=USAGE)
    return await encoder.end()


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
    assert parse(encoder().encode(event))[1:] == [HEAD | {"choices": [choice]}]


def test_the_role_comes_with_the_first_chunk_and_only_then() -> None:
    one = encoder()
    first, _ = parse(one.encode(TextDelta("a")))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(parse(one.encode(TextDelta("b")))) == 1


async def test_an_answer_without_a_word_has_a_role_too() -> None:
    assert parse(await end(encoder()))[0]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("event", [ChatStarted(1), FileAttached("https://x"), SuggestedReply("more?")])
def test_other_events_are_not_told(event: Any) -> None:
    assert encoder().encode(event) == b""


async def test_the_end_without_usage() -> None:
    data = await end(encoder(), FinishReason.LENGTH)
    assert data.endswith(DONE)
    assert parse(data)[1:] == [HEAD | {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}]


async def test_the_end_with_usage_has_a_chunk_without_choices() -> None:
    """OpenAI sends `usage: null` on all other chunks then."""
    _, finish, usage = parse(await end(encoder(wants_usage=True)))
    assert finish["usage"] is None
    assert usage["choices"] == []
    assert (usage["usage"]["total_tokens"], usage["usage"]["estimated"]) == (5, True)
    assert parse(encoder(wants_usage=True).encode(TextDelta("x")))[0]["usage"] is None


async def test_an_answer_that_was_stopped_at_poe_was_cut() -> None:
    choice = parse(await end(encoder(), FinishReason.CANCELLED))[1]["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "cancelled")
