"""An answer from its bytes, without a network."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError
from reverse.events import Finished, TextDelta
from reverse.official.chat_completions import ChatCompletionDecoder
from reverse.official.response_reader import ResponseReader


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def reader(**limits: Any) -> ResponseReader:
    return ResponseReader(ChatCompletionDecoder(), replace(PoeConfig(), **limits))


def test_bytes_become_events_and_the_last_one_ends_the_reading() -> None:
    answer = reader()
    assert answer.feed(event({"content": "a"}) + event({"content": "b"})[:10]) == [TextDelta("a")]
    assert answer.feed(event({"content": "b"})[10:]) == [TextDelta("b")]
    assert (answer.is_over, answer.awaits_trailer) == (False, False)
    assert answer.feed(event({}, "stop")) == []
    assert (answer.is_over, answer.awaits_trailer) == (False, True)
    # What follows the end in the same bytes belongs to nothing.
    assert answer.feed(b"data: [DONE]\n\n" + event({"content": "c"})) == [Finished()]
    assert (answer.is_over, answer.is_complete, answer.awaits_trailer, answer.failure) == (True, True, False, None)


def test_a_failure_comes_after_the_events_before_it() -> None:
    answer = reader()
    assert answer.feed(event({"content": "a"}) + b"data: {nonsense\n\n" + event({"content": "b"})) == [TextDelta("a")]
    assert answer.failure is not None and answer.failure.code is ErrorCode.PROTOCOL
    assert (answer.is_over, answer.is_complete) == (True, False)


def test_an_answer_beyond_its_bound_is_cut_off_at_it() -> None:
    answer = reader(max_answer_chars=10)
    assert answer.feed(event({"content": "abcd"}) * 5) == [TextDelta("abcd")] * 2
    assert answer.failure is not None and answer.failure.code is ErrorCode.PROTOCOL


def test_a_stream_that_just_ends_is_an_answer_only_where_its_reason_was_told() -> None:
    cut, told = reader(), reader()
    cut.feed(event({"content": "a"}))
    with pytest.raises(PoeError):
        cut.end()
    told.feed(event({"content": "a"}, "stop"))
    assert told.end() == [Finished()]
    assert told.is_complete


def test_an_answer_in_one_piece_is_read_to_its_end() -> None:
    answer = reader()
    body = {"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}]}
    assert answer.read_whole(json.dumps(body).encode()) == [TextDelta("a"), Finished()]
    assert answer.is_over
    with pytest.raises(PoeError):
        reader().read_whole(b"<html>")
