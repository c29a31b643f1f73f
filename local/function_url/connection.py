"""One HTTP/1.1 server connection: h11 parses, asyncio transports the bytes.

No task sits in the path: a piece of a response that arrives on one connection is written to another within the same
callback. Subclasses say what requests mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, cast

import h11

_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

_MAX_HEAD_BYTES = 128 * 1024
"""For a head, and for trailers. An error's cause travels in them."""
_IDLE_SECONDS = 75.0
"""A kept-alive connection without a request is closed after this."""

HeaderPairs = Iterable[tuple[str, str]]


class HttpConnection(asyncio.Protocol):
    """Calls `request_started`, `body_received` and `request_ended` in turn, and `disconnected` at the very end.

    One request at a time: the next one on a kept-alive connection is read when both sides of the last are complete.
    """

    def __init__(self, connections: set[HttpConnection]) -> None:
        self._connections = connections
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._transport: asyncio.Transport | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._method = b""
        # The answer has no body whatever is written: to HEAD, and with some statuses.
        self._is_bodiless = False

    # For subclasses to override.

    def request_started(self, request: h11.Request) -> None:
        raise NotImplementedError

    def body_received(self, data: bytes) -> None:
        raise NotImplementedError

    def request_ended(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        raise NotImplementedError

    def disconnected(self) -> None:
        """The connection is gone, whoever closed it."""

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._start_idle_timer()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._read_events()

    def eof_received(self) -> bool:
        self._http.receive_data(b"")
        self._read_events()
        # A client may shut down its sending side and still read the answer.
        return self._http.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._stop_idle_timer()
        self._connections.discard(self)
        self.disconnected()

    # Reading.

    def _read_events(self) -> None:
        try:
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                # The next request waits in the socket until this one is answered.
                if event is h11.PAUSED:
                    self.pause_reading()
                    return
                if isinstance(event, h11.ConnectionClosed):
                    # Else an answer is under way, and is written to its end.
                    if self._http.our_state in (h11.DONE, h11.MUST_CLOSE, h11.IDLE):
                        self.close()
                    return
                self._dispatch(event)
            # curl waits a second for it before it sends a large body.
            if self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
        except h11.RemoteProtocolError as error:
            self.protocol_error(error.error_status_hint)

    def _dispatch(self, event: h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]) -> None:
        if isinstance(event, h11.Data):
            self.body_received(bytes(event.data))
        elif isinstance(event, h11.Request):
            self._stop_idle_timer()
            self._method = event.method
            self.request_started(event)
        elif isinstance(event, h11.EndOfMessage):
            self.request_ended(list(event.headers))

    def protocol_error(self, status: int) -> None:
        """Answer bytes that are not HTTP, if no answer has begun, and close."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.respond(status, [("Content-Type", "application/json"), ("Connection", "close")], b'{"message":null}')
        self.close()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # Writing.

    @property
    def is_connected(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def respond(self, status: int, headers: HeaderPairs, body: bytes) -> None:
        """Send a whole answer."""
        self.start_response(status, [*headers, ("Content-Length", str(len(body)))])
        self.send_body(body)
        self.end_response()

    def start_response(self, status: int, headers: HeaderPairs) -> None:
        """Without `Content-Length` the body is chunked, or ends with the connection for an HTTP/1.0 client.

        Raises `h11.LocalProtocolError` or `UnicodeError`, with nothing sent, if these headers can't be.
        """
        response = h11.Response(
            status_code=status,
            reason=_REASONS.get(status, b""),
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
        )
        self._is_bodiless = self._method == b"HEAD" or status in (204, 304)
        self._send(response)

    def send_body(self, data: bytes) -> None:
        if data and not self._is_bodiless:
            self._send(h11.Data(data=data))

    def end_response(self) -> None:
        self._send(h11.EndOfMessage())
        if self._http.our_state is h11.MUST_CLOSE:
            self.close()
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self.resume_reading()
            self._start_idle_timer()
            # A pipelined request may already be here; a fresh callback keeps the stack flat.
            asyncio.get_running_loop().call_soon(self._read_events)

    def abort(self) -> None:
        """Cut the connection: what was not sent yet is lost, and the client can tell that the answer is incomplete."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close once everything written has left."""
        if self._transport is not None:
            self._transport.close()

    def _send(self, event: Any) -> None:
        data = self._http.send(event)
        if data and self.is_connected:
            cast("asyncio.Transport", self._transport).write(data)

    # Keep-alive.

    def _start_idle_timer(self) -> None:
        self._stop_idle_timer()
        self._idle_timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self.close)

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
