"""What an answer of the API means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse.errors import ErrorCode, PoeError
from reverse.web._envelope import find_token, read_envelope
from reverse.web._transport import Reply, retry_after_seconds

CHALLENGE = b"<!DOCTYPE html><title>Just a moment...</title>Enable JavaScript and cookies to continue"


def reply(body: bytes | dict[str, object] = b"", status: int = 200, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def test_data_is_returned():
    assert read_envelope(reply({"data": {"a": 1}, "extensions": {"is_final": True}}), "X") == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply({"data": None, "errors": [{"message": "Server Error"}]}), ErrorCode.UPSTREAM_FAILED),
        (reply({"data": None, "errors": [{"message": "PersistedQueryNotFound"}]}), ErrorCode.STALE_OPERATION),
        (reply({"data": None}), ErrorCode.UPSTREAM_FAILED),
        (reply({"success": False, "errors": [{"message": "?"}], "data": None}, 400), ErrorCode.STALE_FORM_KEY),
        (reply({"data": None, "errors": [{"message": "Invalid form key"}]}), ErrorCode.STALE_FORM_KEY),
        (reply({"x": 1}, 401), ErrorCode.STALE_FORM_KEY),
        (reply({"x": 1}, 403), ErrorCode.STALE_FORM_KEY),
        (reply({"data": {"a": 1}}, 500), ErrorCode.UPSTREAM_FAILED),
        (reply(b"", 200), ErrorCode.PROTOCOL),
        (reply(b"[]", 200), ErrorCode.PROTOCOL),
        (reply(b"nonsense", 200), ErrorCode.PROTOCOL),
        (reply(b"<html>hello</html>", 200, content_type="text/html"), ErrorCode.PROTOCOL),
        (reply(CHALLENGE, 403), ErrorCode.CHALLENGE),
        (reply(CHALLENGE, 200), ErrorCode.CHALLENGE),
        (reply(CHALLENGE, 503), ErrorCode.CHALLENGE),
        (reply(b"", 403, cf_mitigated="challenge"), ErrorCode.CHALLENGE),
        (reply(b"", 302, location="/login?redirect_url=%2F"), ErrorCode.NOT_AUTHENTICATED),
        (reply(b"", 302, location="https://elsewhere.example/"), ErrorCode.PROTOCOL),
        (reply(b"", 401), ErrorCode.NOT_AUTHENTICATED),
        (reply(b"denied", 403), ErrorCode.BLOCKED),
        (reply(b"", 413), ErrorCode.FILE_TOO_LARGE),
        (reply(b"", 429), ErrorCode.RATE_LIMITED),
        (reply(b"", 500), ErrorCode.UPSTREAM_FAILED),
        (reply(b"", 502), ErrorCode.UPSTREAM_FAILED),
        (reply(b"", 503), ErrorCode.OVERLOADED),
        (reply(b"", 404), ErrorCode.PROTOCOL),
    ],
)
def test_every_other_answer_is_a_typed_error(answer, code):
    with pytest.raises(PoeError) as caught:
        read_envelope(answer, "SomeQuery")
    assert caught.value.code is code
    assert caught.value.operation == "SomeQuery" and caught.value.status == answer.status


def test_a_page_about_a_load_balancer_blames_no_account():
    """Words inside a page decide nothing: "balance" is not the account's."""
    with pytest.raises(PoeError) as caught:
        read_envelope(reply(b"<html>load balancer error, 402 Invalid unauthorized</html>", 502), "X")
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED


def test_retry_after_is_passed_on():
    with pytest.raises(PoeError) as caught:
        read_envelope(reply(b"", 429, retry_after="12"), "X")
    assert caught.value.retry_after_seconds == 12
    assert [retry_after_seconds(value) for value in (None, "", "x", "-1", "nan", "inf", "0.5")] == [
        *[None] * 5,
        86400.0,
        0.5,
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"aaa.bbb.ccc",
        b'"aaa.bbb.ccc"',
        b'{"fileHashJwt":"aaa.bbb.ccc","z":"x.y.z"}',
        b'{"z":"no","jwt":"aaa.bbb.ccc"}',
        b'{"data":{"files":[{"x":1},{"name":"aaa.bbb.ccc"}]}}',
    ],
)
def test_the_token_of_an_upload_is_found(body):
    assert find_token(body) == "aaa.bbb.ccc"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"a.b", b'{"a":"b c.d.e"}', b"\xff"])
def test_no_token_is_made_up(body):
    assert find_token(body) is None


ANSWERS = st.recursive(st.none() | st.text(), lambda children: st.dictionaries(st.text(), children, max_size=3))


@settings(max_examples=100, deadline=None)
@given(st.binary() | ANSWERS.map(lambda value: json.dumps(value).encode()), st.integers(100, 599))
def test_any_answer_is_data_or_a_poe_error(body, status):
    find_token(body)
    try:
        assert isinstance(read_envelope(reply(body, status), "X"), dict)
    except PoeError:
        pass


def test_each_value_of_an_upload_is_looked_at_once():
    """Each level is named like a token and is one of the values, too: looked at twice, thirty of them never end."""
    nested: Any = "no token"
    for _ in range(90):
        nested = {"token": nested, "jwt": 1}
    assert find_token(json.dumps(nested).encode()) is None
    assert find_token(json.dumps({"a": "x.y.z", "b": {"token": "a.b.c"}, "jwt": "j.w.t"}).encode()) == "j.w.t"
