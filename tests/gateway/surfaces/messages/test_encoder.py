"""The events of a message: whole, in order, one block at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.generation.answer import Answer
from gateway.generation.usage import UNKNOWN_POINTS, TokenUsage
from gateway.http.errors import GatewayError
from gateway.surfaces.messages.encoder import PING, MessageEncoder, MessageObject, content_blocks
from reverse.events import Event, Finished, FinishReason, ReasoningDelta, SuggestedReply, TextDelta, ToolCallDelta

MESSAGE = MessageObject("msg_1", "m", 7)
USAGE = TokenUsage(9, 3)


async def encode(events: Iterable[Event], **options: bool) -> bytes:
    encoder = MessageEncoder(MESSAGE, Answer(**options))
    parts = [encoder.encode(event) for event in [*events, Finished()]]
    encoder.answer.close(text=encoder.answer.text, usage=USAGE)
    return b"".join(parts) + await encoder.end()


def decode(data: bytes) -> list[dict[str, Any]]:
    events = []
    for block in data.decode().split("\n\n")[:-1]:
        kind, _, rest = block.partition("\ndata: ")
        event = json.loads(rest)
        assert kind == f"event: {event['type']}"
        if event["type"] != "ping":
            events.append(event)
    return events


async def blocks(events: Iterable[Event], **options: bool) -> list[dict[str, Any]]:
    """The message's blocks, put together as a client does, which checks the order on the way."""
    found: list[dict[str, Any]] = []
    is_open = False
    for event in decode(await encode(events, **options)):
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(found)
                is_open = True
                found.append(event["content_block"] | {"json": ""})
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(found) - 1
                delta = event["delta"]
                name = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "json"}[delta["type"]]
                found[-1][name] += delta.get("partial_json", delta.get(name))
            case "content_block_stop":
                assert is_open
                is_open = False
    assert not is_open
    return found


async def test_a_ping_follows_the_first_opening() -> None:
    encoder = MessageEncoder(MESSAGE, Answer())
    first = encoder.encode(TextDelta("Hi"))
    kinds = [line for line in first.decode().splitlines() if line.startswith("event")]
    assert kinds == [
        "event: message_start",
        "event: content_block_start",
        "event: ping",
        "event: content_block_delta",
    ]
    assert PING not in encoder.encode(TextDelta("!"))


async def test_an_answer_without_a_word_still_has_a_beginning_and_an_end() -> None:
    assert [event["type"] for event in decode(await encode([]))] == ["message_start", "message_delta", "message_stop"]


async def test_text_survives_whatever_it_holds() -> None:
    words = 'a"\\\n\u2028é漢😀\ud800'
    assert (await blocks([TextDelta(words), TextDelta(words)]))[0]["text"] == words * 2


async def test_blocks_follow_the_order_of_their_beginnings() -> None:
    events = [ReasoningDelta("a"), TextDelta("b"), ReasoningDelta("c"), TextDelta("d")]
    assert [block["type"] for block in await blocks(events)] == ["thinking", "text", "thinking", "text"]


async def test_thoughts_can_be_left_out() -> None:
    events = [ReasoningDelta("a"), TextDelta("b"), SuggestedReply("c")]
    assert [block["type"] for block in await blocks(events, hides_reasoning=True)] == ["text"]


async def test_mixed_calls_are_told_one_after_the_other() -> None:
    events = [
        ToolCallDelta(0, "", id="a", name="f"),
        ToolCallDelta(1, '{"y"', id="b", name="g"),
        TextDelta("between"),
        ToolCallDelta(0, '{"x":'),
        ToolCallDelta(1, ":2}"),
        ToolCallDelta(0, "1}"),
        TextDelta(" and after"),
    ]
    found = await blocks(events)
    assert [(block["type"], block.get("id"), block["json"]) for block in found] == [
        ("tool_use", "a", '{"x":1}'),
        ("tool_use", "b", '{"y":2}'),
        ("text", None, ""),
    ]
    assert found[2]["text"] == "between and after"


async def test_a_second_call_streams_once_the_first_is_whole() -> None:
    encoder = MessageEncoder(MESSAGE, Answer())
    encoder.encode(ToolCallDelta(0, '{"x":1}', id="a", name="f"))
    encoder.encode(ToolCallDelta(1, "", id="b", name="g"))
    assert b'"partial_json":"{"' in encoder.encode(ToolCallDelta(1, "{"))


async def test_a_call_that_never_becomes_whole_does_not_swallow_what_follows() -> None:
    events = [ToolCallDelta(0, '{"x":', id="a", name="f"), TextDelta("sorry")]
    assert [block["type"] for block in await blocks(events)] == ["tool_use", "text"]


async def test_a_call_without_an_id_gets_one() -> None:
    (block,) = await blocks([ToolCallDelta(0, "{}", name="f")])
    assert block["id"].startswith("toolu_")


async def test_a_call_makes_the_reason_even_if_the_upstream_says_otherwise() -> None:
    delta = decode(await encode([ToolCallDelta(0, "{}", id="a", name="f")]))[-2]
    assert delta["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert delta["usage"] == {"input_tokens": 9, "output_tokens": 3, "estimated": True} | UNKNOWN_POINTS


@pytest.mark.parametrize("arguments", ["{", "[1]", "nonsense"])
def test_arguments_that_are_no_object_are_an_error_of_the_upstream_unless_the_answer_was_cut(
    arguments: str,
) -> None:
    answer = Answer()
    answer.add(ToolCallDelta(0, arguments, id="a", name="f"))
    with pytest.raises(GatewayError) as caught:
        content_blocks(answer)
    assert caught.value.status == 400
    answer.add(Finished(FinishReason.LENGTH))
    assert content_blocks(answer)[0]["input"] == {}
