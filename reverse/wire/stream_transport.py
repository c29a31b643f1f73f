"""Requests to Poe and their streamed answers, over connections of our own.

A paid question must not be sent twice, so every error says whether Poe certainly has nothing of it: before the first
byte was handed to the socket that is so, afterwards nobody knows.

Idle connections survive between requests, and between Lambda invocations. While the process was frozen the other end
may have closed them, and the monotonic clock may have stood still. So their rest is judged by the wall clock, and one
that rested longer than `channel_trust_seconds` is closed, not reused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from urllib.parse import urlencode

from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, poe_error
from reverse.wire.connection import Connection, ConnectionLostError
from reverse.wire.content_coding import ContentDecoder, CorruptBodyError, UnknownCodingError
from reverse.wire.dialing import Origin, Proxy, ProxyRefusedError, dial
from reverse.wire.http1 import MalformedResponseError, ResponseHead, encode_request_head
from reverse.wire.transport import OutgoingRequest, StreamedReply, encode_json, unsendable

# A copy of a larger body would cost more than one more call of the socket.
_JOINED_BYTES = 65_536
# Who sends a large body over a slower line is cut off.
_SLOWEST_BYTES_PER_SECOND = 65_536

_UNREACHABLE = (
    OSError,
    ConnectionLostError,
    MalformedResponseError,
    ProxyRefusedError,
)  # with timeouts among the first


class StreamReply:
    """A `StreamedReply` over a connection of ours."""

    def __init__(self, connection: Connection, head: ResponseHead, operation: str) -> None:
        self.status = head.status
        self.headers = head.headers
        self.operation = operation
        self._connection = connection
        try:
            self._decoder = ContentDecoder.for_coding(head.headers.get("content-encoding", ""))
        except UnknownCodingError:
            if head.status < HTTPStatus.MULTIPLE_CHOICES:
                raise poe_error(ErrorCode.PROTOCOL, "the response has an unknown coding", operation=operation) from None
            # The status of a refusal counts, whatever its page is packed with.
            self._decoder = None
        # Of one read of the socket; unpacked while it is read.
        self._unpacked: Iterator[bytes] = iter(())

    async def receive(self, deadline: float) -> bytes:
        """See `StreamedReply.receive`."""
        try:
            if self._decoder is None:
                return await self._connection.receive(deadline)
            return await self._receive_unpacked(self._decoder, deadline)
        except TimeoutError:
            raise poe_error(ErrorCode.TIMEOUT, operation=self.operation) from None
        except ConnectionLostError:
            raise poe_error(ErrorCode.CONNECTION_FAILED, operation=self.operation) from None
        except CorruptBodyError:
            raise poe_error(ErrorCode.PROTOCOL, "the response is packed wrongly", operation=self.operation) from None

    async def _receive_unpacked(self, decoder: ContentDecoder, deadline: float) -> bytes:
        while True:
            piece = next(self._unpacked, b"")
            if piece:
                return piece
            packed = await self._connection.receive(deadline)
            if not packed:
                decoder.end()
                return b""
            self._unpacked = decoder.decode(packed)


def sending_seconds(body: bytes | None) -> float:
    """How much longer an exchange may take because of what is sent."""
    return len(body or b"") / _SLOWEST_BYTES_PER_SECOND


class StreamTransport:
    """A `Transport` for requests without forms."""

    def __init__(self, config: PoeConfig, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._wall_clock = wall_clock
        self._idle: dict[Origin, list[Connection]] = {}
        self._in_use: set[Connection] = set()
        self._opening: dict[Origin, asyncio.Task[None]] = {}
        self._closes = 0
        """How often it was closed: a connection that was begun before a close must not be used after it."""

    def prepare(self, url: str) -> None:
        """Begin to open a connection for the next request to this address, unless one is there. Never raises.

        Nobody has to wait for it: `open` does. If it fails, the request opens its own.
        """
        try:
            origin, _ = Origin.of(url)
            proxy = self._proxy()
        except ValueError:
            return
        self._drop_distrusted()
        if not self._idle.get(origin) and origin not in self._opening:
            task = asyncio.create_task(self._open_early(origin, proxy), name="poe-connection")
            self._opening[origin] = task
            # Not by the task itself, which never runs when it is cancelled at once.
            task.add_done_callback(lambda _: self._opening.pop(origin))

    @asynccontextmanager
    async def open(self, request: OutgoingRequest, *, timeout_seconds: float) -> AsyncIterator[StreamedReply]:
        """See `Transport.open`."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        origin, proxy, data = self._encode(request)
        connection = await self._connection_to(origin, proxy, request, deadline)
        self._in_use.add(connection)
        try:
            yield StreamReply(connection, await self._exchange(connection, request, data, deadline), request.operation)
        except BaseException:
            # Where in the exchange it is, is not known any more.
            connection.abort()
            raise
        finally:
            self._in_use.discard(connection)
            self._put_away(origin, connection)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        self._closes += 1
        opening = list(self._opening.values())
        for task in opening:
            task.cancel()
        connections = [*self._in_use, *(one for idle in self._idle.values() for one in idle)]
        self._idle = {}
        for connection in connections:
            connection.abort()
        # Last, because who waits may be cancelled.
        if opening:
            await asyncio.wait(opening)
        for connection in connections:
            await connection.wait_closed()

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

    async def _connection_to(
        self, origin: Origin, proxy: Proxy | None, request: OutgoingRequest, deadline: float
    ) -> Connection:
        closes = self._closes
        if (opening := self._opening.get(origin)) is not None:
            # Whatever becomes of it, the request has its own time.
            await asyncio.wait({opening}, timeout=deadline - asyncio.get_running_loop().time())
        self._drop_distrusted()
        idle = self._idle.get(origin, [])
        while idle:
            # The one used last is the likeliest to be alive.
            connection = idle.pop()
            # Bytes or an end that wait unread mean that the other end has closed it, or says what nobody asked.
            if connection.is_reusable and connection.is_quiet():
                return connection
            connection.abort()
        connect_deadline = asyncio.get_running_loop().time() + self._config.connect_timeout_seconds
        try:
            connection = await dial(origin, proxy, min(deadline, connect_deadline))
            if closes != self._closes:
                connection.abort()
                raise ConnectionLostError
        except _UNREACHABLE as error:
            is_late = isinstance(error, TimeoutError) and deadline <= connect_deadline
            code = ErrorCode.TIMEOUT if is_late else ErrorCode.CONNECTION_FAILED
            # Not chained: some quote the address of the proxy.
            raise poe_error(code, operation=request.operation, delivery=Delivery.NOT_SENT) from None
        return connection

    async def _open_early(self, origin: Origin, proxy: Proxy | None) -> None:
        deadline = asyncio.get_running_loop().time() + self._config.connect_timeout_seconds
        with suppress(*_UNREACHABLE):
            self._put_away(origin, await dial(origin, proxy, deadline))

    def _put_away(self, origin: Origin, connection: Connection) -> None:
        if not connection.is_reusable:
            connection.abort()
            return
        connection.begin_idle()
        connection.idle_since = self._wall_clock()
        self._idle.setdefault(origin, []).append(connection)

    def _drop_distrusted(self) -> None:
        now = self._wall_clock()
        for origin, idle in self._idle.items():
            trusted: list[Connection] = []
            for connection in idle:
                # A clock that was set back says nothing about the rest either.
                if 0 <= now - connection.idle_since <= self._config.channel_trust_seconds:
                    trusted.append(connection)
                else:
                    connection.abort()
            self._idle[origin] = trusted

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
