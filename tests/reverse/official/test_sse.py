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


def test_the_limit_is_for_one_event_to_the_byte() -> None:
    """What counts is everything that belongs to the event: names, line ends, and comments within it."""
    event = b"event: x\ndata: abc\n: note\n\n"
    size = len(event)
    assert [item.data for item in SSEParser(size).feed(event)] == ["abc"]
    with pytest.raises(NetworkError) as caught:
        SSEParser(size - 1).feed(event)
    assert caught.value.code is ErrorCode.PROTOCOL
    # In pieces, too, and an event that is not over counts as far as it has come.
    parser = SSEParser(size - 1)
    assert parser.feed(event[: size - 1]) == []
    with pytest.raises(NetworkError):
        parser.feed(event[size - 1 :])


def test_what_is_over_no_longer_counts() -> None:
    """Neither earlier events nor comments between events, however many."""
    parser = SSEParser(40)
    for _ in range(100):
        assert parser.feed(b": keep-alive\n") == []
        assert [item.data for item in parser.feed(b"event: x\ndata: abc\n\n")] == ["abc"]


def test_an_events_name_is_its_own() -> None:
    assert [item.event for item in SSEParser(100).feed(b"event: x\ndata: 1\n\ndata: 2\n\n")] == ["x", "message"]


def test_a_byte_order_mark_counts_as_nothing_at_the_start_only() -> None:
    mark = b"\xef\xbb\xbf"
    events = SSEParser(100).feed(mark + b"data: 1\n\n" + mark + b"data: 2\n\ndata: 3\n\n")
    assert [item.data for item in events] == ["1", "3"]
