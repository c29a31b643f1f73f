"""Files passed on while they arrive: every ending, and memory that does not grow with them."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.generation.downloads import MAX_BUFFERED_BYTES, MAX_STREAMED_BYTES, Download, FileResponse
from gateway.http.deadline import ClientGoneError
from gateway.http.errors import GatewayError
from reverse.errors import ErrorCode, poe_error


class Source:
    """A file that is told how to arrive, and remembers whether it was closed."""

    def __init__(self, *pieces: bytes | Exception | None) -> None:
        self.pieces = pieces
        self.is_closed = False
        self.limit = 0

    @asynccontextmanager
    async def open(self, max_bytes: int) -> AsyncIterator[Download]:
        self.limit = max_bytes
        try:
            yield Download("video/mp4", None, self.chunks(), {"x-more": "1"})
        finally:
            self.is_closed = True

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                await asyncio.Event().wait()
            else:
                yield piece


async def send_to(source: Source, *, seconds: float = 5, gone: bool = False, **scope: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    deadline = asyncio.get_running_loop().time() + seconds
    try:
        await FileResponse(source.open, deadline=deadline)({"type": "http", **scope}, receive, send)
    finally:
        assert source.is_closed
        source.sent = sent  # type: ignore[attr-defined]
    return sent


async def test_a_file_is_sent_piece_by_piece() -> None:
    source = Source(b"one", b"two")
    start, *bodies = await send_to(source)
    assert dict(start["headers"]) == {b"content-type": b"video/mp4", b"x-more": b"1"}
    assert [body["body"] for body in bodies] == [b"one", b"two", b""]
    assert not bodies[-1].get("more_body")
    assert source.limit == MAX_STREAMED_BYTES


async def test_where_lambda_buffers_the_limit_is_lower() -> None:
    source = Source(b"x")
    await send_to(source, **{"aws.context": object()} | {})
    assert source.limit == MAX_BUFFERED_BYTES
    streaming = Source(b"x")
    await send_to(streaming, **{"aws.context": object(), "extensions": {"aws.lambda": {}}})
    assert streaming.limit == MAX_STREAMED_BYTES


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (poe_error(ErrorCode.FILE_TOO_LARGE), "response_too_large"),
        (poe_error(ErrorCode.UNSAFE_URL), "upstream_error"),
        (poe_error(ErrorCode.CONNECTION_FAILED), "upstream_error"),
    ],
)
async def test_a_failure_before_the_first_byte_can_become_an_error_response(failure: Exception, code: str) -> None:
    source = Source(failure)
    with pytest.raises(GatewayError) as caught:
        await send_to(source)
    assert caught.value.code == code
    assert not source.sent  # type: ignore[attr-defined]


async def test_a_failure_later_breaks_the_response_off() -> None:
    source = Source(b"one", poe_error(ErrorCode.CONNECTION_FAILED))
    with pytest.raises(GatewayError):
        await send_to(source)
    sent = source.sent  # type: ignore[attr-defined]
    assert sent[-1] == {"type": "http.response.body", "body": b"one", "more_body": True}, "never a false end"


async def test_the_deadline_and_a_caller_who_leaves_close_the_file() -> None:
    with pytest.raises(TimeoutError):
        await send_to(Source(b"one", None), seconds=0.05)
    with pytest.raises(ClientGoneError):
        await send_to(Source(None), gone=True)


async def test_memory_does_not_grow_with_the_file() -> None:
    class Large(Source):
        async def chunks(self) -> AsyncGenerator[bytes, None]:
            for _ in range(500):
                yield bytes(100_000)

    async def forget(message: Any) -> None:
        pass

    async def receive() -> Any:
        await asyncio.Event().wait()

    tracemalloc.start()
    deadline = asyncio.get_running_loop().time() + 30
    await FileResponse(Large().open, deadline=deadline)({"type": "http"}, receive, forget)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
