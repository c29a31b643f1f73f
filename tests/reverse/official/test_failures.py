from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse.errors import ErrorCode
from reverse.official.failures import failure_of_error, failure_of_response, parse_retry_after

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Wed, 18 Nov 2026 09:07:00 GMT"}, pytest.approx(NOW * 0 + 1_795_000_020.0 - NOW, abs=1000)),
        ({"retry-after": "Wed, 18 Nov 2020 09:07:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
    ids=repr,
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"text"',
        b"null",
        b"{}",
        b'{"error": null}',
        b'{"error": "text"}',
        b'{"error": []}',
        b'{"error": {"code": []}}',
        b'{"error": {"code": true, "type": 7, "message": {}}}',
        b'{"detail": [{"loc": ["body"], "msg": "no"}]}',
        b"[" * 200_000,
        b"\xff\xfe",
    ],
    ids=lambda body: repr(body)[:40],
)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, ErrorCode.PROTOCOL),
        (400, ErrorCode.INVALID_REQUEST),
        (422, ErrorCode.INVALID_REQUEST),
        (401, ErrorCode.NOT_AUTHENTICATED),
        (402, ErrorCode.INSUFFICIENT_POINTS),
        (404, ErrorCode.BOT_NOT_FOUND),
        (429, ErrorCode.RATE_LIMITED),
        (500, ErrorCode.UPSTREAM_FAILED),
        (529, ErrorCode.OVERLOADED),
    ],
)
def test_without_a_readable_body_the_status_decides(body: bytes, status: int, code: ErrorCode) -> None:
    assert failure_of_response(status, {}, body, operation="x").code is code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>", ErrorCode.BLOCKED),
        (b"", ErrorCode.BLOCKED),
        (b'{"error": {"type": "moderation_error", "code": 403}}', ErrorCode.CONTENT_REFUSED),
        (b'{"error": {"message": "flagged"}}', ErrorCode.CONTENT_REFUSED),
        (b'{"error": {"type": "permission_error"}}', ErrorCode.BOT_ACCESS_DENIED),
    ],
)
def test_a_403_is_told_apart_by_who_sent_it(body: bytes, code: ErrorCode) -> None:
    assert failure_of_response(403, {}, body, operation="x").code is code


def test_a_numeric_code_stands_for_a_status_in_mid_stream() -> None:
    assert failure_of_error({"code": 529}, operation="x").code is ErrorCode.OVERLOADED
    assert failure_of_error({"code": "402"}, operation="x").code is ErrorCode.INSUFFICIENT_POINTS
    assert failure_of_error({"message": "?"}, operation="x").code is ErrorCode.BOT_FAILED


def test_the_message_is_ours_and_upstream_text_is_kept_apart_and_short() -> None:
    error = failure_of_error({"type": "provider_error", "message": "secret " * 200}, operation="x")
    assert "secret" not in str(error)
    assert error.upstream_text is not None and len(error.upstream_text) == 300


@pytest.mark.parametrize("field", ["messages[0].content", "tool_choice", "a.b-c"])
def test_a_field_name_is_passed_on(field: str) -> None:
    assert failure_of_error({"code": 400, "param": field}, operation="x").param == field


@pytest.mark.parametrize("field", ["<script>", "a b", "x" * 65, "", 7, None, "a\nb"])
def test_anything_else_in_its_place_is_not(field: object) -> None:
    assert failure_of_error({"code": 400, "param": field}, operation="x").param is None


@given(st.integers(300, 599), st.binary(max_size=60), st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_any_response_has_an_error(status: int, body: bytes, error: dict[str, str]) -> None:
    failure_of_response(status, {}, body, operation="x")
    failure_of_response(status, {}, json.dumps({"error": error}).encode(), operation="x")
