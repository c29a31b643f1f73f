"""One connection, which carries one exchange at a time: bytes out, pieces of the response in.

Whoever reads waits on one future, which brings the piece, and one timer serves the whole exchange: the moment until
which the reader waits is moved on, and the timer, when it rings too early, sets itself again. So a piece of a stream
costs one read of the socket and one switch to its reader.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import cast

from http_connections.http1 import IncompleteResponseError, MalformedResponseError, ResponseHead, ResponseParser

# A reader that falls behind so far makes the server wait.
MAX_UNREAD_BYTES = 262_144
# TLS takes whatever it is given, and encrypts it at once: a large body would stop the loop, and never fill the socket.
_WRITTEN_BYTES = 262_144


class ConnectionLostError(Exception):
    """The connection ended, or what came over it is no response, before the response was complete."""


class Connection(asyncio.Protocol):
    """A connection from the event loop. One exchange begins with `send` and is over when `is_reusable` or closed.

    `send` and `receive` raise `ConnectionLostError`, and `TimeoutError` at their deadline, a time of the loop, or, for
    `receive`, what the owner put in their place. After an error, and after a cancellation, the connection must be
    aborted unless it `is_reusable`.
    """

    def __init__(self) -> None:
        self.was_written = False
        """Whether a byte of the current exchange was handed to the socket."""
        self.idle_since = 0.0
        """For its owner: the wall-clock time of its last use."""
        self.is_spent = False
        """For its owner: whether it must not carry another exchange."""
        self.timeout_error: Callable[[], Exception] = TimeoutError
        """For its owner, until the exchange is over: makes what `receive` raises at its deadline."""
        self.lost_error: Callable[[], Exception] = ConnectionLostError
        """For its owner, until the exchange is over: makes what `receive` raises when the rest will not come."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: ResponseParser | None = None
        self._pieces: list[bytes] = []
        self._unread = 0
        self._is_sent = True
        """Whether the request of the current exchange was handed over as a whole."""
        self._is_lost = False
        """Whether nothing more can be sent or will come."""
        self._is_full = False
        """Whether the socket takes no more bytes at the moment."""
        self._is_reading_paused = False
        # Of who sends, or waits for the head; and of who reads the body.
        self._waiter: asyncio.Future[None] | None = None
        self._reader: asyncio.Future[bytes] | None = None
        self._deadline = 0.0
        self._is_late = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def head(self) -> ResponseHead | None:
        """Of the current exchange's response, once it has arrived."""
        return self._parser.head if self._parser is not None else None

    @property
    def is_reusable(self) -> bool:
        """Whether it may carry another exchange: this one is complete, and nothing speaks against the connection."""
        parser = self._parser
        is_done = parser is None or (parser.is_complete and parser.keeps_alive)
        is_in_order = self._is_sent and not self._is_late and not self._is_lost and not self.is_spent
        return is_done and is_in_order and not self._pieces

    @property
    def belongs_to_running_loop(self) -> bool:
        """Whether the running loop is the one that it was opened in. No other can use it."""
        return self._loop is asyncio.get_running_loop()

    @property
    def is_sending(self) -> bool:
        """Whether much of a request still waits for the socket; its answer may be complete."""
        return self._is_full and not self._is_lost

    def is_quiet(self) -> bool:
        """Whether nothing has arrived that the loop has not seen yet, as the end of an idle connection would."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is None or sock.fileno() < 0:
            return False
        # `poll` and not `select`, which fails for descriptors above 1023.
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return not poll.poll(0)

    async def send(self, data: list[bytes], deadline: float, *, has_body: bool = True) -> None:
        """Begin an exchange: hand over the request, and wait until the socket has taken most of it.

        Ends early when the response is a refusal; what was not sent then is not sent any more. `has_body` says whether
        the response may have one; that to CONNECT has none.
        """
        self._parser = ResponseParser(has_body=has_body)
        # Before the write: then it is certain that nothing was sent.
        transport = self._transport
        if transport is None or self._is_lost:
            raise ConnectionLostError
        # Before the bytes: whatever fails from here on, some of them may have left.
        self.was_written = True
        self._is_sent = False
        pieces = [
            memoryview(part)[at : at + _WRITTEN_BYTES] for part in data for at in range(0, len(part), _WRITTEN_BYTES)
        ]
        for number, piece in enumerate(pieces):
            if number:
                # Lets the loop read: an answer may come before everything is sent, and the connection may end.
                await asyncio.sleep(0)
            # Whoever accepts a request before its end reads on.
            if self.head is not None and self.head.status >= HTTPStatus.MULTIPLE_CHOICES:
                return
            if transport.is_closing():
                break
            transport.write(piece)
            while self._is_full and self.head is None:
                await self._change(deadline)
                self._check_time()
        else:
            self._is_sent = True

    async def receive_head(self, deadline: float) -> ResponseHead:
        """The head of the response."""
        while (head := self.head) is None:
            await self._change(deadline)
            self._check_time()
        return head

    def receive(self, deadline: float) -> asyncio.Future[bytes]:
        """What has arrived of the body since the last call, at least one byte; empty at its end.

        To be awaited before the next call. A future, because a coroutine would be resumed for every piece. Raises what
        `timeout_error` makes at the deadline, a time of the loop, and `lost_error` where the body is cut short.
        """
        # A server that never pauses could otherwise keep its reader beyond any deadline.
        if self._loop.time() >= deadline:
            raise self.timeout_error()
        reader = self._reader = self._loop.create_future()
        if self._pieces or self._is_lost or (self._parser is not None and self._parser.is_complete):
            self._serve_reader()
        elif self._timer is None or self._timer.when() > deadline:
            self._set_timer(deadline)
        else:
            self._deadline = deadline
        return reader

    async def wait_closed(self) -> None:
        """Wait until the loop has let go of the socket, after `abort`."""
        # Several may wait, and none of them may cancel it for the others.
        await asyncio.shield(self._closed)

    def begin_idle(self) -> None:
        """The exchange is over; nothing more is expected."""
        self._parser = self._reader = None
        self.was_written = False
        self.timeout_error, self.lost_error = TimeoutError, ConnectionLostError
        self._stop_timer()

    def abort(self) -> None:
        """Close without a word. Whoever waits is told. Safe to repeat."""
        self._stop_timer()
        self._is_lost = True
        self._wake()
        if self._transport is None:
            self._finish_closing()
        else:
            self._transport.abort()

    def take_transport(self) -> asyncio.Transport:
        """The transport, for an upgrade to TLS behind a proxy."""
        if self._transport is None:
            raise ConnectionLostError
        return self._transport

    def use_transport(self, transport: asyncio.Transport) -> None:
        """Speak over this transport from now on."""
        self._transport = transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop's word that there is a socket."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The loop's word that bytes have come."""
        parser = self._parser
        if parser is None:
            self.abort()  # nobody asked
            return
        try:
            pieces = parser.feed(data)
        except MalformedResponseError:
            self.abort()
            return
        reader = self._reader
        # The usual case: who reads has taken what came before, and waits.
        if len(pieces) == 1 and reader is not None and not reader.done():
            reader.set_result(pieces[0])
            return
        if pieces:
            if self._pieces:
                self._pieces += pieces
            else:
                self._pieces = pieces
            self._unread += len(data)
            # Never behind the end: TLS would hold back what follows, and give it to the next exchange.
            is_full = self._unread > MAX_UNREAD_BYTES and not parser.is_complete
            if is_full and not self._is_reading_paused and self._transport is not None:
                self._is_reading_paused = True
                self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The loop's word that no more bytes will come; it closes the connection then."""
        if self._parser is not None and self._is_end_meant():
            with suppress(IncompleteResponseError):
                # A body without a length ends here and is complete; any other is not, which its reader finds out.
                self._parser.feed_eof()
        self._is_lost = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The loop's word that the socket is gone."""
        del exc
        self._is_lost = True
        self._stop_timer()
        self._wake()
        self._finish_closing()

    def pause_writing(self) -> None:
        """The loop's word that too much waits to be sent."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The loop's word that it has been sent."""
        self._is_full = False
        self._wake()

    def _change(self, deadline: float) -> asyncio.Future[None]:
        """What to await until something has changed; `_check_time` comes after it. Raises `ConnectionLostError`."""
        if self._is_lost:
            raise ConnectionLostError
        self._set_timer(deadline)
        self._waiter = self._loop.create_future()
        return self._waiter

    def _is_end_meant(self) -> bool:
        """Whether it was the other end that ended: anybody on the way can cut TLS off (RFC 9112, 9.8)."""
        secured = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        try:
            # Nothing to read is the notice of the end; without it there would have to be more.
            return secured is None or not secured.read(1)
        except ssl.SSLError:
            return False

    def _check_time(self) -> None:
        if self._is_late:
            raise TimeoutError

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        self._serve_reader()

    def _serve_reader(self) -> None:
        """Give who reads what there is for it, if anything: bytes, the end, or why nothing more will come."""
        reader = self._reader
        if reader is None or reader.done():
            return
        if self._pieces:
            pieces, self._pieces, self._unread = self._pieces, [], 0
            reader.set_result(b"".join(pieces))
            if self._is_reading_paused and self._transport is not None:
                self._is_reading_paused = False
                self._transport.resume_reading()
        elif self._parser is not None and self._parser.is_complete:
            reader.set_result(b"")
        elif self._is_lost or self._is_late:
            reader.set_exception(self.lost_error() if self._is_lost else self.timeout_error())
            reader.exception()  # who was cancelled does not ask for it, and that is not to be reported

    def _set_timer(self, deadline: float) -> None:
        self._deadline = deadline
        # A timer that rings earlier is left: it sets itself again, which costs less than a new one for each piece.
        if self._timer is None or self._timer.when() > deadline:
            self._stop_timer()
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if all(waiting is None or waiting.done() for waiting in (self._waiter, self._reader)):
            return  # nobody waits; the next one who does sets it again
        if self._loop.time() >= self._deadline:
            self._is_late = True
            self._wake()
        else:
            self._timer = self._loop.call_at(self._deadline, self._on_timer)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish_closing(self) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
