"""HTTP/1.1 from bytes: any split gives the same response, and nothing hostile is unbounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from http_connections.http1 import (
    MAX_CHUNK_LINE_BYTES,
    MAX_HEAD_BYTES,
    IncompleteResponseError,
    MalformedResponseError,
    ResponseParser,
    encode_request_head,
)
from tests.reverse.official.raw_server import chunked, whole

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def parse(*parts: bytes) -> tuple[ResponseParser, bytes]:
    parser = ResponseParser()
    return parser, b"".join(piece for part in parts for piece in parser.feed(part))


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    is_chunked=st.booleans(),
)
@example(chunks=[b"\r\n", b"0\r\n\r\n"], cuts=list(range(200)), is_chunked=True)
def test_a_split_changes_nothing(chunks: list[bytes], cuts: list[int], is_chunked: bool) -> None:
    sent = chunked(*chunks) if is_chunked else whole(b"".join(chunks))
    places = [0, *sorted(cuts), len(sent)]
    parser, body = parse(*(sent[start:end] for start, end in pairwise(places)))
    assert (body, parser.is_complete, parser.keeps_alive) == (b"".join(chunks), True, True)


@given(st.binary(max_size=300), st.integers(1, 20))
def test_whatever_comes_is_read_or_refused(junk: bytes, step: int) -> None:
    for opening in (b"", CHUNKED, b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"):
        parser = ResponseParser()
        sent = opening + junk
        try:
            for at in range(0, len(sent), step):
                parser.feed(sent[at : at + step])
            parser.feed_eof()
        except (MalformedResponseError, IncompleteResponseError):
            continue
        assert parser.is_complete


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"HTTP/3.0 200 OK\r\n\r\n", id="version"),
        pytest.param(b"HTTP/1.1 999 OK\r\n\r\n", id="status"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n" + b"x" * MAX_HEAD_BYTES, id="line feeds alone"),
        pytest.param(b"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n", id="folded header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA\x00: 1\r\n\r\n", id="control character"),
        pytest.param(b"HTTP/1.1 103 A\r\n\r\n" * (MAX_HEAD_BYTES // 10), id="interim heads without end"),
        pytest.param(CHUNKED + b"0\r\n" + b"A: b\r\n" * (MAX_HEAD_BYTES // 5), id="trailers without end"),
        pytest.param(CHUNKED + b"0\r\n" + b"A" * (MAX_HEAD_BYTES + 1), id="trailer without end"),
        pytest.param(CHUNKED + b"1;" + b"x" * MAX_CHUNK_LINE_BYTES, id="chunk line without end"),
        pytest.param(CHUNKED + b"123456789\r\n", id="chunk of gigabytes"),
        pytest.param(CHUNKED + b"0x1\r\na\r\n", id="Python's way to write a number"),
        pytest.param(CHUNKED + b"1_0\r\n", id="another one"),
        pytest.param(CHUNKED + b"+1\r\na\r\n", id="a sign"),
        pytest.param(CHUNKED + b" 1\r\na\r\n", id="a space before the size"),
        pytest.param(CHUNKED + b"g\r\n", id="no digit"),
        pytest.param(CHUNKED + b"1g1\r\n", id="something else between digits"),
        pytest.param(CHUNKED + b"\r\na\r\n", id="no size"),
        pytest.param(CHUNKED + b"000000001\r\na\r\n", id="nine digits"),
        pytest.param(CHUNKED + b"1\na\r\n", id="a line feed alone behind the size"),
        pytest.param(CHUNKED + b"1\r\na1\r\n", id="a size in place of a chunk's end"),
    ],
)
@pytest.mark.parametrize("step", [1, 100_000])
def test_what_is_no_response_is_refused_as_it_comes(sent: bytes, step: int) -> None:
    with pytest.raises(MalformedResponseError):
        parse(*(sent[at : at + step] for at in range(0, len(sent), step)))


@pytest.mark.parametrize("line", ["a", "A", "0a", "0000000A", "a \t", "a;x=1", 'a ; x="y z"'])
@pytest.mark.parametrize("step", [1, 100_000])
def test_a_size_may_be_written_in_any_way_that_the_standard_has(line: str, step: int) -> None:
    sent = CHUNKED + f"{line}\r\n0123456789\r\n{line}\r\nabcdefghij\r\n0\r\n\r\n".encode()
    parser, body = parse(*(sent[at : at + step] for at in range(0, len(sent), step)))
    assert (body, parser.is_complete) == (b"0123456789abcdefghij", True)


def test_a_length_beside_chunks_costs_the_connection() -> None:
    parser, body = parse(chunked(b"ab", headers=("Content-Length: 9",)))
    assert (body, parser.is_complete, parser.keeps_alive) == (b"ab", True, False)


@pytest.mark.parametrize(
    ("version", "headers", "is_kept"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: ,\tCLOSE ,x\r\n", False),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive\r\n", True),
        ("1.0", "Connection: close, keep-alive\r\n", False),
    ],
)
def test_a_connection_is_kept_by_its_version_and_unless_it_is_to_be_closed(
    version: str, headers: str, is_kept: bool
) -> None:
    parser, _ = parse(f"HTTP/{version} 200 OK\r\n{headers}Content-Length: 0\r\n\r\n".encode())
    assert (parser.is_complete, parser.keeps_alive) == (True, is_kept)


def test_chunks_of_http_1_0_cost_the_connection() -> None:
    sent = chunked(b"ab", headers=("Connection: keep-alive",))
    parser, body = parse(sent.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert (body, parser.is_complete, parser.keeps_alive) == (b"ab", True, False)


def test_more_than_was_asked_for_costs_the_connection_and_is_not_kept() -> None:
    parser, body = parse(whole(b"a") + b"HTTP/1.1 200 OK\r\n")
    assert (body, parser.is_complete, parser.keeps_alive) == (b"a", True, False)


def test_the_answer_to_connect_has_no_body() -> None:
    parser = ResponseParser(has_body=False)
    assert parser.feed(b"HTTP/1.1 200 Connection established\r\n\r\n") == []
    assert parser.is_complete


def test_many_chunks_in_one_read_are_as_many_pieces() -> None:
    parser = ResponseParser()
    assert parser.feed(chunked(*[b"x"] * 1000)) == [b"x"] * 1000


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST\r\n", "/", []),
        ("POST", "/a b", []),
        ("POST", "/\r\n", []),
        ("POST", "/é", []),
        ("POST", "/", [("Na me", "x")]),
        ("POST", "/", [("Name", "x\r\ny: z")]),
        ("POST", "/", [("Name", "é")]),
    ],
)
def test_nothing_can_be_injected_into_a_head(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        encode_request_head(method, target, headers)
