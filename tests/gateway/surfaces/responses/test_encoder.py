"""Answers as the events of a streamed response: the bytes, and the rules that every stream keeps."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gateway.generation.usage import TokenUsage
from gateway.http.errors import CONTENT_FILTER, NO_POINTS, TIMEOUT, UPSTREAM, GatewayError
from gateway.surfaces.responses.encoder import LAST_SEQUENCE_NUMBER, ResponseEncoder
from gateway.surfaces.responses.resource import Output, ResponseObject
from gateway.surfaces.responses.storage import item_ids
from reverse.events import Event, Finished, FinishReason, ReasoningDelta, SuggestedReply, TextDelta, ToolCallDelta

HEX = "0" * 32
MSG, NEXT = f"msg_{HEX}0000", f"{HEX}0001"


async def keep(response: dict[str, Any]) -> dict[str, Any]:
    return response


def make() -> ResponseEncoder:
    response = ResponseObject(id=f"resp_{HEX}", created_at=7, shown={"model": "m"}, store=True)
    return ResponseEncoder(response, Output(item_ids(response.id)), keep)


async def encode(events: Iterable[Event], reason: FinishReason = FinishReason.STOP) -> list[dict[str, Any]]:
    """The events of a whole stream, parsed and checked for what holds of all."""
    encoder = make()
    data = b"".join(encoder.encode(event) for event in [*events, Finished(reason)])
    encoder.answer.close(text=encoder.answer.text, usage=TokenUsage(3, 2))
    return parse(data + await encoder.end())


def parse(data: bytes) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for block in data.decode().split("\n\n")[:-1]:
        name, _, payload = block.partition("\n")
        values = json.loads(payload.removeprefix("data: "))
        assert name == f"event: {values['type']}"
        events.append(values)
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return events


def types(events: Iterable[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


async def test_a_piece_of_text_to_the_byte() -> None:
    encoder = make()
    encoder.start()
    encoder.encode(TextDelta("a"))
    assert (
        encoder.encode(TextDelta('é "quoted"\n'))
        == (
            f'event: response.output_text.delta\ndata: {{"type":"response.output_text.delta","item_id":"{MSG}",'
            '"output_index":0,"content_index":0,"delta":"é \\"quoted\\"\\n","logprobs":[],"sequence_number":5}\n\n'
        ).encode()
    )


async def test_the_events_of_a_text() -> None:
    events = await encode([TextDelta("Hi"), TextDelta("!")])
    place = {"item_id": MSG, "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    whole = empty | {"text": "Hi!"}
    item = {"id": MSG, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    done = item | {"status": "completed", "content": [whole]}
    assert events[2:-1] == [
        {"type": "response.output_item.added", "output_index": 0, "item": item, "sequence_number": 2},
        {"type": "response.content_part.added", **place, "part": empty, "sequence_number": 3},
        {"type": "response.output_text.delta", **place, "delta": "Hi", "logprobs": [], "sequence_number": 4},
        {"type": "response.output_text.delta", **place, "delta": "!", "logprobs": [], "sequence_number": 5},
        {"type": "response.output_text.done", **place, "text": "Hi!", "logprobs": [], "sequence_number": 6},
        {"type": "response.content_part.done", **place, "part": whole, "sequence_number": 7},
        {"type": "response.output_item.done", "output_index": 0, "item": done, "sequence_number": 8},
    ]
    assert events[-1]["response"]["output"] == [done]


async def test_the_events_of_reasoning() -> None:
    events = await encode([ReasoningDelta("h"), ReasoningDelta("m"), TextDelta("Yes")])
    assert types(events)[2:10] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
    ]
    item = {"id": f"rs_{HEX}0000", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    assert events[8]["item"] == item
    assert events[9]["output_index"] == 1


async def test_thoughts_between_words_divide_them() -> None:
    events = await encode([TextDelta("a"), ReasoningDelta("b"), TextDelta("c")])
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "reasoning", "message"]
    assert len({item["id"] for item in output}) == 3
    deltas = [(event["output_index"], event["delta"]) for event in events if event["type"].endswith(".delta")]
    assert deltas == [(0, "a"), (1, "b"), (2, "c")]


async def test_mixed_pieces_of_parallel_calls_find_their_call() -> None:
    events = await encode(
        [
            ToolCallDelta(0, "", "call_a", "f"),
            ToolCallDelta(1, "[", "call_b", "g"),
            ToolCallDelta(0, "{"),
            ToolCallDelta(1, "]"),
            ToolCallDelta(0, "}"),
        ]
    )
    assert types(events)[2:] == [
        "output_item.added",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    calls = events[-1]["response"]["output"]
    assert [(call["call_id"], call["name"], call["arguments"]) for call in calls] == [
        ("call_a", "f", "{}"),
        ("call_b", "g", "[]"),
    ]


async def test_items_that_end_together_end_in_their_order() -> None:
    """Clients that gather items as they end have them in the response's order."""
    events = await encode([ToolCallDelta(0, "{}", "call_a", "f"), TextDelta("Looking.")])
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == events[-1]["response"]["output"]


async def test_a_cut_answer_ends_incomplete_but_its_finished_items_are_complete() -> None:
    events = await encode(
        [ReasoningDelta("a"), TextDelta("b"), ReasoningDelta("c"), TextDelta("d")], FinishReason.LENGTH
    )
    final = events[-1]["response"]
    assert events[-1]["type"] == "response.incomplete"
    assert final["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item.get("status") for item in final["output"]] == [None, "completed", None, "incomplete"]
    assert final["completed_at"] is None


async def test_what_a_response_does_not_tell_leaves_nothing() -> None:
    encoder = make()
    assert encoder.encode(SuggestedReply("More?")) == b""


async def test_half_a_surrogate_does_not_break_the_stream() -> None:
    events = await encode([TextDelta("\ud83d"), ReasoningDelta("\ude00")])
    assert [event["delta"] for event in events if "delta" in event] == ["\ud83d", "\ude00"]


async def test_a_failure_before_any_event_tells_the_whole_life() -> None:
    """A comment may have opened the stream already; helpers insist on the beginning."""
    encoder = make()
    events = parse(encoder.fail(GatewayError(UPSTREAM)))
    assert types(events) == ["created", "in_progress", "failed", "error"]


async def test_a_failure_later_shows_what_there_was() -> None:
    encoder = make()
    encoder.start()
    encoder.encode(ReasoningDelta("hm"))
    encoder.encode(TextDelta("Hel"))
    encoder.encode(ToolCallDelta(0, "{", "call_1", "f"))
    failed, error = parse(encoder.fail(GatewayError(TIMEOUT)))
    assert [item.get("status") for item in failed["response"]["output"]] == [None, "completed", "incomplete"]
    assert failed["response"]["error"] == {"code": "server_error", "message": TIMEOUT.message}
    assert (error["code"], error["message"], error["param"]) == ("upstream_timeout", TIMEOUT.message, None)
    assert error["error"]["type"] == "server_error"


async def test_failures_have_words_of_openais_list() -> None:
    for situation, code in ((NO_POINTS, "rate_limit_exceeded"), (CONTENT_FILTER, "invalid_prompt")):
        encoder = make()
        assert parse(encoder.fail(GatewayError(situation)))[2]["response"]["error"]["code"] == code


async def test_last_words_of_others_have_the_highest_number_and_change_nothing() -> None:
    encoder = make()
    (error,) = parse(encoder.abort(GatewayError(TIMEOUT)))
    assert error["sequence_number"] == LAST_SEQUENCE_NUMBER
    assert not encoder.is_started
    assert parse(encoder.start())[0]["sequence_number"] == 0
