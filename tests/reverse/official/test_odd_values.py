"""Values that arrive in another form than documented: kept where they mean something, and never made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reverse.events import Event, Finished, FinishReason, TextDelta, ToolCallDelta, UrlCited, UsageReported
from reverse.official.bot_protocol import BotQueryDecoder
from reverse.official.chat_completions import ChatCompletionDecoder
from reverse.official.decoding import AnswerDecoder
from reverse.official.failures import MAX_RETRY_AFTER_SECONDS, parse_retry_after
from reverse.official.messages_endpoint import MessagesDecoder
from reverse.official.responses_endpoint import ResponsesDecoder
from reverse.official.sse import ServerSentEvent


def read(decoder: AnswerDecoder, *events: dict[str, Any]) -> list[Event]:
    found: list[Event] = []
    for event in events:
        found += decoder.decode(ServerSentEvent(json.dumps(event), event.get("event", "message")))
    return found + decoder.end()


def chunk(delta: dict[str, Any], reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **fields}


def arguments_of(events: list[Event]) -> str:
    assert Finished(FinishReason.TOOL_CALLS) == events[-1]
    return "".join(event.arguments for event in events if isinstance(event, ToolCallDelta))


def by_chat(value: Any) -> list[Event]:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": value}}
    return read(ChatCompletionDecoder(), chunk({"tool_calls": [call]}), chunk({}, "tool_calls"))


def by_function_call(value: Any) -> list[Event]:
    call = {"name": "f", "arguments": value}
    return read(ChatCompletionDecoder(), chunk({"function_call": call}), chunk({}, "function_call"))


def by_bot(value: Any) -> list[Event]:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": value}}
    return read(BotQueryDecoder(), {"event": "json", **chunk({"tool_calls": [call]})}, {"event": "done"})


def by_message(value: Any) -> list[Event]:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": value}
    return MessagesDecoder().decode_whole({"content": [block], "stop_reason": "tool_use"})


def by_message_events(value: Any) -> list[Event]:
    return read(
        MessagesDecoder(),
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": value}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )


def by_response(value: Any) -> list[Event]:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": value}
    return ResponsesDecoder().decode_whole({"status": "completed", "output": [item]})


def by_response_events(value: Any) -> list[Event]:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
    return read(
        ResponsesDecoder(),
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": value},
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    )


READERS = [by_chat, by_function_call, by_bot, by_message, by_message_events, by_response, by_response_events]


@pytest.mark.parametrize("reading", READERS)
@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": {"b": 1}}, {"a": {"b": 1}}), ('{"a": 1}', {"a": 1}), ([], {}), (None, {}), ("", {}), ({}, {})],
)
def test_arguments_are_kept_in_whatever_form_they_come(reading: Any, value: Any, expected: Any) -> None:
    assert json.loads(arguments_of(reading(value))) == expected


HALVES = ("a\ud83d", "\ude00b")


@pytest.mark.parametrize(
    ("decoder", "events"),
    [
        (ChatCompletionDecoder, [*(chunk({"content": half}) for half in HALVES), chunk({}, "stop")]),
        (BotQueryDecoder, [*({"event": "text", "text": half} for half in HALVES), {"event": "done"}]),
        (
            MessagesDecoder,
            [
                *({"type": "content_block_delta", "delta": {"text": half}} for half in HALVES),
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
                {"type": "message_stop"},
            ],
        ),
        (
            ResponsesDecoder,
            [
                *({"type": "response.output_text.delta", "output_index": 0, "delta": half} for half in HALVES),
                {"type": "response.completed", "response": {"status": "completed", "output": []}},
            ],
        ),
    ],
)
def test_a_character_cut_between_two_deltas_is_joined(decoder: type[AnswerDecoder], events: Any) -> None:
    found = read(decoder(), *events)
    assert "".join(event.text for event in found if isinstance(event, TextDelta)) == "a\N{GRINNING FACE}b"


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": -7, "completion_tokens": -1},
        {"prompt_tokens": None, "completion_tokens": "many"},
        [],
        None,
    ],
)
def test_what_was_not_counted_is_no_usage(usage: Any) -> None:
    found = read(ChatCompletionDecoder(), chunk({"content": "Hi"}), chunk({}, "stop", usage=usage))
    assert not [event for event in found if isinstance(event, UsageReported)]


@pytest.mark.parametrize(
    ("decoder", "events"),
    [
        (ChatCompletionDecoder, [chunk({"content": "Hi"}), chunk({}, "tool_calls")]),
        (
            MessagesDecoder,
            [
                {"type": "content_block_delta", "delta": {"text": "Hi"}},
                {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
                {"type": "message_stop"},
            ],
        ),
    ],
)
def test_an_end_with_calls_that_are_not_there_is_a_plain_end(decoder: type[AnswerDecoder], events: Any) -> None:
    assert read(decoder(), *events)[-1] == Finished(FinishReason.STOP)


@pytest.mark.parametrize("value", ["999999999", "86401", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_is_never_longer_than_a_day(value: str) -> None:
    assert parse_retry_after({"retry-after": value}, 0.0) == MAX_RETRY_AFTER_SECONDS


PAGE = {"url": "https://example.org/x", "title": "X", "start_index": 0, "end_index": 2}
CITED = UrlCited("https://example.org/x", "X", 0, 2)


@pytest.mark.parametrize(
    ("decoder", "events", "expected"),
    [
        (
            ChatCompletionDecoder,
            [
                chunk({"content": "Hi", "annotations": [{"type": "url_citation", "url_citation": PAGE}]}),
                chunk({"annotations": [{"type": "url_citation", **PAGE}, {"type": "file_citation", "url": "x"}]}),
                chunk({}, "stop"),
            ],
            [CITED],
        ),
        (
            ChatCompletionDecoder,
            [chunk({"content": "Hi"}), chunk({}, "stop", citations=["https://example.org/y", "", 5])],
            [UrlCited("https://example.org/y")],
        ),
        (
            ResponsesDecoder,
            [
                {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"},
                {
                    "type": "response.output_text.annotation.added",
                    "output_index": 0,
                    "annotation": {"type": "url_citation", **PAGE},
                },
                {
                    "type": "response.completed",
                    "response": {
                        "status": "completed",
                        "output": [
                            {
                                "type": "message",
                                "content": [
                                    {
                                        "type": "output_text",
                                        "text": "Hi",
                                        "annotations": [{"type": "url_citation", **PAGE}],
                                    }
                                ],
                            }
                        ],
                    },
                },
            ],
            [CITED],
        ),
        (
            MessagesDecoder,
            [
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                {"type": "content_block_delta", "index": 0, "delta": {"text": "Hi"}},
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {
                        "type": "citations_delta",
                        "citation": {"url": "https://example.org/x", "title": "X", "cited_text": "q"},
                    },
                },
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
                {"type": "message_stop"},
            ],
            [UrlCited("https://example.org/x", "X", 0, 2, "q")],
        ),
    ],
)
def test_citations_are_read_once_in_every_form(decoder: type[AnswerDecoder], events: Any, expected: Any) -> None:
    found = read(decoder(), *events)
    assert [event for event in found if isinstance(event, UrlCited)] == expected
