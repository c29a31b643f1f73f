from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse.errors import ErrorCode, NetworkError
from reverse.official.sse import ServerSentEvent, SSEParser

STREAM = (
    "\ufeff: hello\n\n"
    'data: {"a": "é"}\n\n'
    "event: error\r\ndata:first\r\ndata: second\r\n\r\n"
    "id: 7\rretry: 10\rdata\r\r"
    ": ping\n\n"
    "event: lonely\n\n"
    "data: [DONE]\n\n"
    "data: cut off"
).encode()

EXPECTED = [
    ServerSentEvent('{"a": "é"}'),
    ServerSentEvent("first\nsecond", "error"),
    ServerSentEvent(""),
    ServerSentEvent("[DONE]"),
]


def parse(chunks: list[bytes], limit: int = 1000) -> list[ServerSentEvent]:
    parser = SSEParser(limit)
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_split_at_any_byte_changes_nothing(at: int) -> None:
    assert parse([STREAM[:at], STREAM[at:]]) == EXPECTED


def test_single_bytes_give_the_same_events() -> None:
    assert parse([STREAM[i : i + 1] for i in range(len(STREAM))]) == EXPECTED


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert parse([STREAM[a:b] for a, b in pairwise(edges)]) == EXPECTED


@given(st.lists(st.binary(max_size=40)))
def test_random_bytes_raise_nothing(chunks: list[bytes]) -> None:
    parse(chunks, limit=100_000)


@given(st.binary(max_size=120), st.integers(0, 120))
def test_random_bytes_read_the_same_however_they_are_split(data: bytes, at: int) -> None:
    assert parse([data[:at], data[at:]]) == parse([data])


def test_an_event_without_end_is_refused_at_the_limit() -> None:
    parser = SSEParser(100)
    with pytest.raises(NetworkError) as caught:
        for _ in range(200):
            parser.feed(b"data: x\n")
    assert caught.value.code is ErrorCode.PROTOCOL


def test_a_line_without_end_is_refused_at_the_limit() -> None:
    parser = SSEParser(100)
    with pytest.raises(NetworkError):
        for _ in range(200):
            parser.feed(b"x")


def test_comments_without_end_are_no_large_event() -> None:
    parser = SSEParser(100)
    for _ in range(1000):
        assert parser.feed(b": ping\n") == []
    assert parser.feed(b"data: x\n\n") == [ServerSentEvent("x")]
