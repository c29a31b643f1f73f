"""What an application may say in a head, and how Lambda gets it."""

import json
from typing import Any

import pytest

from streaming_runtime.errors import AppProtocolError
from streaming_runtime.response_head import encode_prelude, parse_head


def start(*headers: Any, status: Any = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def test_the_prelude_has_status_headers_and_cookies_of_their_own():
    head = parse_head(start((b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")))
    assert json.loads(encode_prelude(head)) == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "cookies": ["a=1", "b=2"],
    }


def test_repeated_headers_are_joined_in_order():
    head = parse_head(start((b"vary", b"Origin"), (b"X-A", b"1"), (b"Vary", b"Accept")))
    assert json.loads(encode_prelude(head))["headers"] == {"vary": "Origin, Accept", "x-a": "1"}


def test_a_head_does_not_show_its_headers():
    head = parse_head(start((b"set-cookie", b"private"), status=201))
    assert "201" in repr(head) and "private" not in repr(head)


def test_excluded_headers_stay_here():
    head = parse_head(start((b"x-internal", b"1"), (b"set-cookie", b"a=1"), (b"x-a", b"1")))
    prelude = json.loads(encode_prelude(head, ["x-internal", "set-cookie"]))
    assert prelude["headers"] == {"x-a": "1"} and prelude["cookies"] == []


def test_hop_by_hop_headers_stay_here():
    names = (b"Connection", b"Keep-Alive", b"Transfer-Encoding", b"TE", b"Trailer", b"Upgrade")
    assert parse_head(start(*((name, b"x") for name in names), (b"x-a", b"1"))).headers == ((b"x-a", b"1"),)


def test_bytes_that_are_not_utf8_are_latin1():
    head = parse_head(start((b"x-name", b"caf\xe9"), (b"x-utf8", "café".encode())))
    assert json.loads(encode_prelude(head))["headers"] == {"x-name": "café", "x-utf8": "café"}


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nset-cookie: evil=1"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\x00b"),
        (b"x", b"\x7f"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"", b"a"),
        (b"content-length", b"1, 2"),
        (b"content-length", b"-1"),
        (b"content-length", b""),
        ("text", "text"),
        (b"only-a-name",),
    ],
)
def test_a_header_that_http_forbids_is_refused(header: tuple[Any, ...]):
    with pytest.raises(AppProtocolError):
        parse_head(start(header))


def test_two_lengths_that_differ_are_refused_and_equal_ones_are_one():
    with pytest.raises(AppProtocolError):
        parse_head(start((b"content-length", b"1"), (b"content-length", b"2")))
    head = parse_head(start((b"content-length", b"1"), (b"Content-Length", b"1"), (b"x-a", b"1")))
    assert head.headers == ((b"content-length", b"1"), (b"x-a", b"1")) and head.content_length == 1


@pytest.mark.parametrize("status", [None, "200", 100, 199, 600, 0])
def test_a_status_that_cannot_be_sent_is_refused(status: Any):
    with pytest.raises(AppProtocolError):
        parse_head(start(status=status))


@pytest.mark.parametrize(
    ("status", "has_body"), [(200, True), (204, False), (205, False), (304, False), (404, True), (599, True)]
)
def test_some_statuses_have_no_body(status: int, has_body: bool):
    assert parse_head(start(status=status)).has_body is has_body
