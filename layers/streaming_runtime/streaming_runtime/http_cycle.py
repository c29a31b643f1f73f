"""One run of the application for one request: ASGI `receive` and `send`, and the rules between them."""

import asyncio
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from mangum.types import Message

from streaming_runtime.errors import AppProtocolError, ResponseConnectionLostError
from streaming_runtime.failures import Failure
from streaming_runtime.response_head import ResponseHead, parse_head

# An application that never waits keeps the event loop to itself; `send` gives it back this often, so that the
# deadline, signals and broken connections are noticed.
FAIRNESS_SECONDS = 0.05


class ResponseSink(Protocol):
    """Where a response goes. `open` comes first; `finish` or `fail` ends it. Terms: see `response_stream`."""

    is_full: bool

    async def open(self, head: ResponseHead, first: bytes) -> None: ...
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def finish(self, data: bytes) -> None: ...
    def fail(self, last_words: bytes, failure: Failure) -> None: ...


class Phase(Enum):
    """How far the response is."""

    # The application has said nothing yet.
    WAITING = auto()
    # It has given the head, which is kept back: ASGI lets no response start before its first body message,
    # and until then a failure can still become a clean error.
    HEADED = auto()
    # The head has left. Only more body can follow.
    STARTED = auto()
    # The last byte has left, or nothing may be sent any more.
    OVER = auto()


# Looking up an enum's member costs more than all else that `send` does per part.
_STARTED = Phase.STARTED


class HttpCycle:
    """The application's side of one request.

    `receive` gives the body once, then `http.disconnect` as soon as the response is over or cannot be
    delivered. `send` raises AppProtocolError when the application breaks a rule, and an OSError
    (ResponseConnectionLostError) when the response can no longer be delivered, as ASGI 2.4 promises.
    """

    def __init__(
        self,
        body: bytes,
        sink: ResponseSink,
        disconnected: asyncio.Event,
        *,
        is_head_request: bool = False,
        extension: dict[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.phase = Phase.WAITING
        self._sink = sink
        self._is_head_request = is_head_request
        # The part of the scope in which the application may leave its last words.
        self._extension = {} if extension is None else extension
        self._clock = clock
        # The request's body; None once the application has it.
        self._request_body: bytes | None = body
        # The response is over, or the sink has found that it cannot be delivered.
        self._disconnected = disconnected
        self._head: ResponseHead | None = None
        # Whether body bytes are dropped: the answer to HEAD, and statuses without a body.
        self._is_bodiless = False
        # Bytes still missing of the announced Content-Length; None when none was announced.
        self._missing: int | None = None
        # The response has started, with a body of no announced length: parts go straight to the sink.
        self._is_plain = False
        self._yield_at = clock() + FAIRNESS_SECONDS

    async def receive(self) -> Message:
        """ASGI's receive."""
        if self._request_body is not None:
            body, self._request_body = self._request_body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI's send. A body message leaves before this returns; no task switch unless the reader lags."""
        if message["type"] != "http.response.body" or self.phase is not _STARTED:
            await self._send_first(message)
            return
        body = message.get("body")
        # The hot path: one more part of a body in which nothing has to be counted or dropped.
        if self._is_plain and type(body) is bytes and body and message.get("more_body"):
            self._sink.write(body)
            if self._sink.is_full or self._clock() >= self._yield_at:
                await self._pause()
            return
        body = self._admit(message)
        if not message.get("more_body", False):
            self._sink.finish(body)
            self._end()
            return
        if body:
            self._sink.write(body)
        await self._pause()

    async def _send_first(self, message: Message) -> None:
        """Everything before the response has started, and everything that is out of order."""
        kind = message["type"]
        if kind == "http.response.start" and self.phase is Phase.WAITING:
            head = parse_head(message)
            self._is_bodiless = self._is_head_request or not head.has_body
            self._missing = None if self._is_bodiless else head.content_length
            self._head, self.phase = head, Phase.HEADED
        elif kind == "http.response.body" and self.phase is Phase.HEADED and self._head is not None:
            body = self._admit(message)
            await self._sink.open(self._head, body)
            self.phase = Phase.STARTED
            self._is_plain = not self._is_bodiless and self._missing is None
            if not message.get("more_body", False):
                self._sink.finish(b"")
                self._end()
        elif self._disconnected.is_set() and kind == "http.response.body":
            raise ResponseConnectionLostError("the response is over")
        else:
            raise AppProtocolError(f"unexpected message {str(kind)[:64]!r} in phase {self.phase.name}")

    def _admit(self, message: Message) -> bytes:
        """The message's body as bytes, as far as the head allows a body."""
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = bytes(body)
        if self._is_bodiless:
            return b""
        if self._missing is not None:
            self._missing -= len(body)
            if self._missing < 0 or (self._missing and not message.get("more_body", False)):
                raise AppProtocolError("the body of the response does not have the length that its head announced")
        return body

    async def _pause(self) -> None:
        """Wait for a reader that lags, and give the loop back if that was long ago."""
        if self._sink.is_full:
            await self._sink.drain()
        elif self._clock() >= self._yield_at:
            await asyncio.sleep(0)
        else:
            return
        self._yield_at = self._clock() + FAIRNESS_SECONDS

    def _end(self) -> None:
        self.phase = Phase.OVER
        self._is_plain = False
        self._disconnected.set()

    @property
    def has_started(self) -> bool:
        """Whether a part of the response has been handed to the sink."""
        return self.phase in (Phase.STARTED, Phase.OVER)

    def close(self) -> None:
        """Nothing may be sent any more, and nothing is sent in the application's place."""
        self._end()

    async def fail(self, failure: Failure) -> None:
        """The application ended, or was ended, without completing the response: complete it in its place.

        Before the start the caller gets `failure.status` and a JSON body, afterwards the application's last
        words and whatever the sink has for a broken response. Raises what the sink raises.
        """
        phase = self.phase
        self._end()
        if phase is Phase.STARTED:
            self._sink.fail(self._last_words(failure), failure)
        elif phase is not Phase.OVER:
            body = failure.to_caller()
            headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
            await self._sink.open(ResponseHead(failure.status, headers), b"" if self._is_head_request else body)
            self._sink.finish(b"")

    def _last_words(self, failure: Failure) -> bytes:
        """What the caller reads last: a stream of events that just stops looks complete to most clients."""
        if self._head is None or self._is_bodiless or self._missing is not None:
            return b""
        last_words = self._extension.get("abort_body")
        if isinstance(last_words, bytes) and last_words:
            return last_words
        content_type = self._head.first(b"content-type") or b""
        if not content_type.startswith(b"text/event-stream") or self._head.first(b"content-encoding"):
            return b""
        # The empty line ends an event that was cut off.
        return b"\n\nevent: error\ndata: " + failure.to_caller() + b"\n\n"
