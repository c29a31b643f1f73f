"""What a transport to Poe is: what it sends, what comes back, and how a body is made and read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from typing import Any, Protocol

from lazy_dataclasses import dataclass
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One HTTP request. `operation` is our name for it, which errors carry.

    `json`, `content` and `form` exclude each other.
    """

    method: str
    url: str
    operation: str
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    """A body as it is, whose type is among the headers."""
    form: Mapping[str, str] | None = field(default=None, repr=False)
    file: tuple[str, bytes, str] | None = field(default=None, repr=False)
    """Name, bytes and content type of a multipart field called `file`."""
    query: Mapping[str, str] | None = None


class StreamedReply(Protocol):
    """A response whose body is still on the wire. `headers` has lower-case names."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def operation(self) -> str: ...

    def receive(self, deadline: float) -> Awaitable[bytes]:
        """The next bytes of the body, unpacked; empty at its end.

        Raises `timeout` at the deadline, a time of the loop; `connection_failed` when the body is cut short; `protocol`
        for a compression that can't be undone. After an error, and after a cancellation, nothing more can be read.
        """
        ...


class Transport(Protocol):
    """Sends requests over kept-alive connections. Closing it twice is fine; so is using it after a close."""

    def open(self, request: OutgoingRequest, *, timeout_seconds: float) -> AbstractAsyncContextManager[StreamedReply]:
        """Send, and wait for the response's head at most `timeout_seconds`. Leaving frees or closes the connection.

        Raises `timeout`, `connection_failed`, or `invalid_request` for what can't be put on the wire; the error's
        `delivery` is `NOT_SENT` where Poe certainly has nothing of the request, else `UNKNOWN`.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection, those of unfinished answers included. No network call."""
        ...


def content_type(reply: StreamedReply) -> str:
    """The media type without its parameters, in lower case."""
    return reply.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(reply: StreamedReply, max_bytes: int, deadline: float) -> bytes:
    """The whole body. Raises as `receive` does, and `protocol` when it is larger than `max_bytes`."""
    parts: list[bytes] = []
    size = 0
    # Counted while it arrives: the length that the head announces need not be true, or there.
    while data := await reply.receive(deadline):
        size += len(data)
        if size > max_bytes:
            raise poe_error(ErrorCode.PROTOCOL, "the response is larger than allowed", operation=reply.operation)
        parts.append(data)
    return b"".join(parts)


def encode_json(request: OutgoingRequest) -> bytes:
    """The body of a request that has JSON. Raises `invalid_request` for what is none; nothing of it is quoted."""
    try:
        # Not as ASCII: escapes would make Chinese or Arabic text two or three times as long.
        text = json.dumps(request.json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise unsendable(request) from None
    # Half of a surrogate pair has no UTF-8 form; it becomes a question mark rather than a failure.
    return text.encode("utf-8", "replace")


def unsendable(request: OutgoingRequest) -> PoeError:
    """The error for a request that can't be put on the wire. Raise it without a cause, which may quote a key."""
    return poe_error(
        ErrorCode.INVALID_REQUEST,
        "the request can't be put on the wire",
        operation=request.operation,
        delivery=Delivery.NOT_SENT,
    )
