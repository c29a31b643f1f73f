"""The border to the network: what is sent, what comes back, and which of two transports carries it.

Questions, whose bodies are JSON, go over `StreamTransport`, which is made for answers in many small pieces. Everything
else (the list of models, balances, uploads) goes over httpx, which is loaded when it is first needed. Both do the same
in every case of `tests/reverse/official/test_transports.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error

if TYPE_CHECKING:
    from reverse.official.stream_transport import StreamTransport


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One HTTP request. `operation` is our name for it, which errors carry. `json` and `form` exclude each other."""

    method: str
    url: str
    operation: str
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(default=None, repr=False)
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

    async def receive(self, deadline: float) -> bytes:
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
    while data := await reply.receive(deadline):
        size += len(data)
        if size > max_bytes:
            raise poe_error(ErrorCode.PROTOCOL, "the response is larger than allowed", operation=reply.operation)
        parts.append(data)
    return b"".join(parts)


def encode_json(request: OutgoingRequest) -> bytes:
    """The body of a request that has JSON. Raises `invalid_request` for what is none; nothing of it is quoted."""
    try:
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


class OfficialTransport:
    """Both transports, each with its own connections; a `Transport` itself."""

    def __init__(self, config: PoeConfig, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._wall_clock = wall_clock
        self._streams: StreamTransport | None = None
        self._others: Transport | None = None

    def open(self, request: OutgoingRequest, *, timeout_seconds: float) -> AbstractAsyncContextManager[StreamedReply]:
        """See `Transport.open`."""
        transport = self._for_others() if request.json is None else self._for_streams()
        return transport.open(request, timeout_seconds=timeout_seconds)

    def prepare(self) -> None:
        """Begin to open a connection for the next question, unless there is one. Never raises, nobody has to wait."""
        self._for_streams().prepare(self._config.official_base_url)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        for transport in (self._streams, self._others):
            if transport is not None:
                await transport.aclose()

    def _for_streams(self) -> StreamTransport:
        if self._streams is None:
            from reverse.official.stream_transport import StreamTransport

            self._streams = StreamTransport(self._config, wall_clock=self._wall_clock)
        return self._streams

    def _for_others(self) -> Transport:
        if self._others is None:
            from reverse.official.httpx_transport import HttpxTransport  # most sandboxes never need httpx

            self._others = HttpxTransport(self._config, wall_clock=self._wall_clock)
        return self._others
