from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.function_url.response import BadResponseError, BufferedDecoder, PreludeDecoder, RawDecoder

PRELUDE = b'{"statusCode":201,"headers":{"x-a":"1","Content-Length":"9"},"cookies":["a=1"]}'


@given(body=st.binary(max_size=40), cuts=st.lists(st.integers(0, 140), max_size=12))
def test_the_head_and_the_body_are_found_wherever_the_stream_is_cut(body, cuts):
    stream, decoder, received = PRELUDE + bytes(8) + body, PreludeDecoder(), b""
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for start, end in pairwise(edges):
        received += decoder.feed(stream[start:end])
    assert received + decoder.finish() == body
    assert decoder.head is not None
    assert decoder.head.status == 201
    assert decoder.head.headers == (("x-a", "1"), ("Set-Cookie", "a=1"), ("Content-Type", "application/json"))


def test_body_bytes_pass_at_once_when_the_head_is_known():
    decoder = PreludeDecoder()
    assert decoder.feed(PRELUDE + bytes(8) + b"a") == b"a"
    assert decoder.feed(bytes(8)) == bytes(8)


@pytest.mark.parametrize(
    "prelude",
    [b"", b"[]", b"{nope", b'{"statusCode":"200"}', b'{"statusCode":99}', b'{"headers":[1]}', b'{"cookies":1}'],
)
def test_a_head_that_is_none_is_refused(prelude):
    with pytest.raises(BadResponseError):
        PreludeDecoder().feed(prelude + bytes(8))


def test_a_stream_that_ends_before_its_head_is_truncated():
    decoder = PreludeDecoder()
    decoder.feed(PRELUDE)
    with pytest.raises(BadResponseError, match=r"Runtime\.TruncatedResponse"):
        decoder.finish()


def test_a_prelude_without_an_end_is_not_kept_forever():
    decoder = PreludeDecoder()
    with pytest.raises(BadResponseError, match=r"Runtime\.PreludeTooLarge"):
        for _ in range(20):
            decoder.feed(b"x" * 100_000)


def test_raw_bytes_have_a_head_of_their_own():
    decoder = RawDecoder("")
    assert (decoder.feed(b"a"), decoder.finish()) == (b"a", b"")
    assert decoder.head is not None
    assert decoder.head.headers == (("Content-Type", "application/octet-stream"),)


def buffered(answer: Any, limit: int = 1000) -> tuple[BufferedDecoder, bytes]:
    decoder = BufferedDecoder(limit)
    for byte in answer if isinstance(answer, bytes) else json.dumps(answer).encode():
        assert decoder.feed(bytes([byte])) == b""
    return decoder, decoder.finish()


def test_a_buffered_answer_is_read_to_its_end():
    decoder, body = buffered({"statusCode": 404, "body": "AP8=", "isBase64Encoded": True, "cookies": ["a=1"]})
    assert body == b"\x00\xff"
    assert decoder.head is not None
    assert (decoder.head.status, decoder.head.headers[0]) == (404, ("Set-Cookie", "a=1"))


def test_what_has_no_status_is_itself_the_body():
    decoder, body = buffered({"hello": 1})
    assert json.loads(body) == {"hello": 1}
    assert decoder.head is not None
    assert decoder.head.status == 200


@pytest.mark.parametrize(
    "answer",
    [b"nope", {"statusCode": 200, "body": 1}, {"statusCode": 200, "body": "?", "isBase64Encoded": True}],
)
def test_a_buffered_answer_that_is_none_is_refused(answer):
    with pytest.raises(BadResponseError, match=r"Runtime\.InvalidResponse"):
        buffered(answer)


def test_a_buffered_answer_has_a_limit():
    with pytest.raises(BadResponseError, match=r"Function\.ResponseSizeTooLarge"):
        buffered({"body": "x" * 100}, limit=50)


def test_lists_of_headers_are_headers_one_by_one():
    prelude = {"statusCode": 200, "headers": {"x-a": "1", "x-b": "0"}, "multiValueHeaders": {"x-b": ["1", "2"]}}
    decoder = PreludeDecoder()
    decoder.feed(json.dumps(prelude).encode() + bytes(8))
    assert decoder.head is not None
    assert [pair for pair in decoder.head.headers if pair[0] != "Content-Type"] == [
        ("x-a", "1"),
        ("x-b", "1"),
        ("x-b", "2"),
    ]


@pytest.mark.parametrize("lists", [{"x-a": "1"}, "x", [1]])
def test_lists_of_headers_that_are_none_are_refused(lists):
    with pytest.raises(BadResponseError):
        PreludeDecoder().feed(json.dumps({"multiValueHeaders": lists}).encode() + bytes(8))
