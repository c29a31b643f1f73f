"""Requests to Poe and their streamed answers, over connections of our own.

A paid question must not be sent twice, so every error says whether Poe certainly has nothing of it: before the first
byte was handed to the socket that is so, afterwards nobody knows.

Idle connections survive between requests, and between Lambda invocations; one that rested longer than
`channel_trust_seconds` is not trusted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from urllib.parse import urlencode

from http_connections.connection import Connection, ConnectionLostError
from http_connections.dialing import Origin, Proxy
from http_connections.http1 import ResponseHead, encode_request_head
from http_connections.pool import ConnectionPool, UnreachableError
from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, poe_error
from reverse.tls import tls_context
from reverse.wire.content_coding import ContentDecoder, CorruptBodyError, UnknownCodingError
from reverse.wire.transport import OutgoingRequest, StreamedReply, encode_json, unsendable

# A copy of a larger body would cost more than one more call of the socket.
_JOINED_BYTES = 65_536
# Who sends a large body over a slower line is cut off.
_SLOWEST_BYTES_PER_SECOND = 65_536


class StreamReply:
    """A `StreamedReply` over a connection of ours."""

    def __init__(self, connection: Connection, head: ResponseHead, operation: str) -> None:
        self.status = head.status
        self.headers = head.headers
        self.operation = operation
        self._connection = connection
        decoder: ContentDecoder | None = None
        try:
            decoder = ContentDecoder.for_coding(head.headers.get("content-encoding", ""))
        except UnknownCodingError:
            if head.status < HTTPStatus.MULTIPLE_CHOICES:
                raise poe_error(ErrorCode.PROTOCOL, "the response has an unknown coding", operation=operation) from None
            # The status of a refusal counts, whatever its page is packed with.
        # Raised where it happens: a method that translates would be resumed for every piece of an answer.
        connection.timeout_error = partial(poe_error, ErrorCode.TIMEOUT, operation=operation)
        connection.lost_error = partial(poe_error, ErrorCode.CONNECTION_FAILED, operation=operation)
        self.receive = connection.receive if decoder is None else partial(self._receive_unpacked, decoder)
        # Of one read of the socket; unpacked while it is read.
        self._unpacked: Iterator[bytes] = iter(())

    async def _receive_unpacked(self, decoder: ContentDecoder, deadline: float) -> bytes:
        try:
            while True:
                piece = next(self._unpacked, b"")
                if piece:
                    return piece
                packed = await self._connection.receive(deadline)
                if not packed:
                    decoder.end()
                    return b""
                self._unpacked = decoder.decode(packed)
        except CorruptBodyError:
            raise poe_error(ErrorCode.PROTOCOL, "the response is packed wrongly", operation=self.operation) from None


def sending_seconds(body: bytes | None) -> float:
    """How much longer an exchange may take because of what is sent."""
    return len(body or b"") / _SLOWEST_BYTES_PER_SECOND


class StreamTransport:
    """A `Transport` for requests without forms."""

    def __init__(self, config: PoeConfig, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._connections = ConnectionPool(
            tls_context=tls_context,
            connect_seconds=config.connect_timeout_seconds,
            trust_seconds=config.channel_trust_seconds,
            wall_clock=wall_clock,
        )

    def prepare(self, url: str) -> None:
        """Begin to open a connection for the next request to this address, unless one is there. Never raises."""
        with suppress(ValueError):
            self._connections.prepare(Origin.of(url)[0], self._proxy())

    async def connect(self, url: str) -> None:
        """Open a connection for a later request to this address. Never raises; what fails is left to that request."""
        with suppress(ValueError):
            await self._connections.open_early(Origin.of(url)[0], self._proxy())

    @asynccontextmanager
    async def open(self, request: OutgoingRequest, *, timeout_seconds: float) -> AsyncIterator[StreamedReply]:
        """See `Transport.open`."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        origin, proxy, data = self._encode(request)
        try:
            async with self._connections.connection(origin, proxy, deadline) as connection:
                head = await self._exchange(connection, request, data, deadline)
                yield StreamReply(connection, head, request.operation)
        except UnreachableError as error:
            code = ErrorCode.TIMEOUT if error.is_late else ErrorCode.CONNECTION_FAILED
            raise poe_error(code, operation=request.operation, delivery=Delivery.NOT_SENT) from None

    def abort(self) -> None:
        """`aclose` for those who can't wait. The loop lets go of the sockets a moment later."""
        self._connections.abort()

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        await self._connections.aclose()

    async def _exchange(
        self, connection: Connection, request: OutgoingRequest, data: list[bytes], deadline: float
    ) -> ResponseHead:
        # Writing has a bound of its own, by size: an upstream that does not read its question is not thinking.
        seconds = self._config.request_timeout_seconds + sum(map(sending_seconds, data))
        write_deadline = asyncio.get_running_loop().time() + seconds
        try:
            await connection.send(data, min(deadline, write_deadline))
            head = await connection.receive_head(deadline)
            # Who refuses a large body need not have read it: the next request would wait behind the rest.
            connection.is_spent = len(data) > 1 and head.status >= HTTPStatus.MULTIPLE_CHOICES
            return head
        except TimeoutError:
            raise poe_error(ErrorCode.TIMEOUT, operation=request.operation) from None
        except ConnectionLostError:
            raise poe_error(
                ErrorCode.CONNECTION_FAILED,
                operation=request.operation,
                delivery=Delivery.UNKNOWN if connection.was_written else Delivery.NOT_SENT,
            ) from None

    def _encode(self, request: OutgoingRequest) -> tuple[Origin, Proxy | None, list[bytes]]:
        body = request.content if request.json is None else encode_json(request)
        try:
            proxy = self._proxy()
            origin, target = Origin.of(request.url)
            if request.query:
                target += f"?{urlencode(request.query)}"
            headers = {
                "Host": origin.host_header,
                "User-Agent": self._config.user_agent,
                "Accept": "application/json",
                # Unpacking the many small pieces of an answer costs more than it saves.
                "Accept-Encoding": "gzip" if request.json is None else "identity",
                **request.headers,
            }
            if request.json is not None:
                headers["Content-Type"] = "application/json"
            # A POST without a body says so (RFC 9110, 8.6).
            if body is not None or request.method == "POST":
                headers["Content-Length"] = str(len(body or b""))
            if proxy is not None and not origin.is_secure:
                headers |= dict(proxy.headers)
                # A proxy for plain http wants the whole address; for https a tunnel hides it.
                target = f"http://{origin.host_header}{target}"
            head = encode_request_head(request.method, target, headers.items())
        except ValueError:
            # The cause may quote an address.
            raise unsendable(request) from None
        body = body or b""
        return origin, proxy, [head + body] if len(body) <= _JOINED_BYTES else [head, body]

    def _proxy(self) -> Proxy | None:
        return Proxy.of(self._config.proxy) if self._config.proxy else None
