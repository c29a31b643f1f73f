"""Answers of the API: text stays text, nobody keeps them, large ones are compressed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from gateway.console.answers import Answer, accepts_gzip, json_answer, send_answer


def scope(method: str = "GET", accepted: bytes = b"gzip") -> dict[str, Any]:
    return {"type": "http", "method": method, "headers": [(b"accept-encoding", accepted)]}


async def sent(answer: Answer, asked: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await send_answer(asked, send, answer)
    start, body = messages
    return {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


def test_markup_in_texts_can_end_no_element() -> None:
    text = "</script><script>alert(1)</script>"
    answer = json_answer({"label": text})
    assert b"<" not in answer.body
    assert json.loads(answer.body) == {"label": text}


def test_numbers_that_json_has_not_are_no_answer() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_answer({"points": float("nan")})


async def test_large_answers_are_compressed_and_small_ones_are_not() -> None:
    large = json_answer({"data": ["text"] * 1_000})
    headers, body = await sent(large, scope())
    assert (headers["content-encoding"], headers["vary"]) == ("gzip", "accept-encoding")
    assert gzip.decompress(body) == large.body
    headers, body = await sent(large, scope(accepted=b"br"))
    assert body == large.body
    headers, body = await sent(json_answer({"a": 1}), scope())
    assert "content-encoding" not in headers
    assert headers["cache-control"] == "no-store"


async def test_head_has_the_headers_only() -> None:
    headers, body = await sent(json_answer({"a": 1}), scope("HEAD"))
    assert (headers["content-length"], body) == ("7", b"")


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [(b"gzip", True), (b"br;q=1, gzip;q=0.5", True), (b"gzip;q=0", False), (b"x-gzip", False), (b"*", False)],
)
def test_who_takes_gzip(accepted: bytes, expected: bool) -> None:
    assert accepts_gzip(scope(accepted=accepted)) is expected
