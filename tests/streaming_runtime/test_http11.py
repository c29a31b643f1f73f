"""The bytes of HTTP/1.1, without I/O."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_runtime.errors import (
    RuntimeApiError,
    RuntimeApiMalformedResponseError,
    RuntimeApiResponseTooLargeError,
    RuntimeApiUnreachableError,
)
from streaming_runtime.http11 import ResponseParser, encode_chunk, encode_head, encode_last_chunk

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_request_head_has_its_lines_in_order():
    head = encode_head("GET", "/a", "127.0.0.1:9001", (("X-One", "1"),))
    assert head == b"GET /a HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nX-One: 1\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\x00", "é"])
def test_nothing_can_be_injected_into_a_head_or_trailers(value: str):
    with pytest.raises(ValueError, match="printable ASCII"):
        encode_head("GET", "/", "h", (("X", value),))
    with pytest.raises(ValueError, match="printable ASCII"):
        encode_last_chunk((("X", value),))


def test_an_answer_with_a_length_is_complete_at_its_last_byte():
    parser = ResponseParser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b c \r\n\r\nab") is None
    answer = parser.feed(b"c")
    assert answer is not None
    assert (answer.status, answer.body, answer.keeps_alive) == (200, b"abc", True)
    assert answer.headers["x-a"] == "b c"


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body_end_with_their_head(status: int):
    answer = ResponseParser().feed(b"HTTP/1.1 %d X\r\nContent-Length: 9\r\n\r\n" % status)
    assert answer is not None and answer.body == b""


def test_interim_answers_are_skipped():
    answer = ResponseParser().feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    assert answer is not None and answer.status == 202 and answer.is_success


def test_an_answer_without_a_length_ends_with_its_connection():
    parser = ResponseParser()
    assert parser.feed(b"HTTP/1.0 200 OK\r\n\r\nab") is None
    assert parser.feed(b"c") is None
    answer = parser.feed_eof()
    assert answer.body == b"abc" and not answer.keeps_alive


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 202 A\r\n", True),
        (b"HTTP/1.1 202 A\r\nConnection: Close\r\n", False),
        (b"HTTP/1.0 202 A\r\n", False),
        (b"HTTP/1.0 202 A\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_the_connection_is_kept_as_its_version_says(head: bytes, keeps: bool):
    answer = ResponseParser().feed(head + b"Content-Length: 0\r\n\r\n")
    assert answer is not None and answer.keeps_alive is keeps


def test_bytes_after_the_answer_cost_the_connection():
    answer = ResponseParser().feed(b"HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200")
    assert answer is not None and not answer.keeps_alive


@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(1, 40), max_size=20), size=st.integers(1, 50))
def test_a_chunked_answer_reads_the_same_however_it_is_cut(body: bytes, cuts: list[int], size: int):
    wire = CHUNKED + b"".join(encode_chunk(body[i : i + size]) for i in range(0, len(body), size))
    wire += encode_last_chunk((("X-Trailer", "1"),))
    parser, answer = ResponseParser(), None
    for cut in [*cuts, len(wire)]:
        piece, wire = wire[:cut], wire[cut:]
        answer = parser.feed(piece) if piece else answer
    assert answer is not None and answer.body == body and answer.keeps_alive


@pytest.mark.parametrize(
    "wire",
    [
        b"garbage\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"1\r\nab\r\n",
        CHUNKED + b"1" * 300,
    ],
)
def test_garbage_raises_a_typed_error(wire: bytes):
    with pytest.raises(RuntimeApiMalformedResponseError):
        ResponseParser().feed(wire)


@pytest.mark.parametrize(
    "wire",
    [
        b"H" * 200,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 11,
        CHUNKED + b"b\r\n",
        CHUNKED + b"6\r\nabcdef\r\n6\r\n",
        CHUNKED + b"0\r\n" + b"X-Trailer: 123456789012345\r\n" * 20,
    ],
)
def test_too_much_of_anything_raises_a_typed_error(wire: bytes):
    with pytest.raises(RuntimeApiResponseTooLargeError):
        ResponseParser(max_head_bytes=120, max_body_bytes=10).feed(wire)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 00010\r\n\r\n0123456789",
        CHUNKED + b"a\r\n0123456789\r\n0\r\n\r\n",
    ],
)
def test_as_much_as_is_allowed_is_read(wire: bytes):
    head = wire.index(b"\r\n\r\n")
    answer = ResponseParser(max_head_bytes=head, max_body_bytes=10).feed(wire)
    assert answer is not None and answer.body == b"0123456789" and answer.keeps_alive


def test_an_answer_does_not_show_its_body():
    """Of `next`, it is what a user sent."""
    answer = ResponseParser().feed(b"HTTP/1.1 200 OK\r\nX: private\r\nContent-Length: 7\r\n\r\nprivate")
    assert answer is not None and answer.body == b"private" and "private" not in repr(answer)


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 200", CHUNKED + b"5\r\nab", CHUNKED + b"1\r\na\r\n0\r\n"])
def test_an_early_end_of_the_connection_is_a_broken_connection(wire: bytes):
    parser = ResponseParser()
    assert parser.feed(wire) is None
    with pytest.raises(RuntimeApiUnreachableError):
        parser.feed_eof()


@given(st.binary(max_size=200), st.booleans())
def test_no_input_escapes_the_error_tree(data: bytes, behind_a_head: bool):
    parser = ResponseParser(max_head_bytes=100, max_body_bytes=100)
    try:
        parser.feed((CHUNKED if behind_a_head else b"") + data)
        parser.feed_eof()
    except RuntimeApiError:
        pass
