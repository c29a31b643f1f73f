"""Poe's own words, before a caller sees them."""

from __future__ import annotations

import pytest

from gateway.http.errors import MAX_CHARS, cleaned


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, None),
        ("", None),
        (" \n ", None),
        ("https://poe.com/x", None),
        ("prompt is too long: 208310 tokens > 200000 maximum", "prompt is too long: 208310 tokens > 200000 maximum"),
        ("a\r\nb\x00c", "a b c"),
        ("See https://poe.com/help?x=1 for it", "See … for it"),
        ("Key sk-abc123def456 of me@example.org at 10.0.0.7:443", "Key … of … at"),
        ("error_user_message_too_long", None),
        ("too_many_tokens", None),
        ("Bad. Request ID: req_011CXabcdefgh", "Bad"),
        ("Bad (request id: 7f1b0d9e-1111-2222-3333-444455556666)", "Bad"),
        ("max_tokens: must be <= 8192", "max_tokens: must be <= 8192"),
        ("Unsupported value: 'reasoning_effort_of_claude'", "Unsupported value: 'reasoning_effort_of_claude'"),
    ],
)
def test_words_are_cut_to_what_concerns_the_request(text: str | None, shown: str | None) -> None:
    assert cleaned(text) == shown


def test_words_have_a_bound() -> None:
    shown = cleaned("word " * 1000)
    assert shown is not None
    assert len(shown) <= MAX_CHARS


@pytest.mark.parametrize("text", ["a-", "1", "a1-", "x@", "request id ", "1.1.", " ,(["])
def test_hostile_words_take_no_longer_than_others(text: str) -> None:
    cleaned(text * 100_000)
