"""Server-sent events as an ASGI response that cleans up after itself."""

from __future__ import annotations

import asyncio
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.http.deadline import ClientGoneError, bounded
from gateway.http.errors import INTERNAL, TIMEOUT, GatewayError, encode_error
from gateway.http.request_log import CLIENT_GONE, RequestRecord

# A comment is the only keep-alive that both official SDKs ignore (docs/reference/openai-wire.md#streamed-chat).
COMMENT = b": ping\n\n"
# Ends OpenAI's streams, those of responses excepted.
DONE = b"data: [DONE]\n\n"
# The streaming runtime's extension in the scope.
RUNTIME_EXTENSION = "aws.lambda"
# Where the scope has a `send` for parts of a body that are neither its beginning nor its end: past all who only look
# at those two, which costs each part less.
PART_SEND = "gateway.part_send"

_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Asks buffering proxies on the way (nginx) to let each event through.
    (b"x-accel-buffering", b"no"),
)
EventStreamHeaders = tuple[tuple[bytes, bytes], ...]
Put = Callable[[bytes], Awaitable[None] | None]
"""Takes a piece of a stream. What it returns, if anything, must be awaited before the next piece."""
# A burst that grows over this is sent although more is there.
MAX_BURST_BYTES = 16 * 1024


def encode_error_event(error: GatewayError) -> bytes:
    """The envelope as the last server-sent event of a chat stream, which both official SDKs raise.

    Source: docs/reference/openai-wire.md#streamed-chat.
    """
    return b"data: " + encode_error(error) + b"\n\n"


class EventStream:
    """Sends the items that `produce` puts. They leave at once; those that are there at the same time leave together.

    - The status line waits for the first item, so that a failure before it is raised, to become an ordinary error
      response. After `keep_alive_seconds` without one it leaves anyway, with a comment: proxies and SDKs give up on
      silent connections. From then on a failure is an error event.
    - Silence of that length later is filled with comments, too.
    - `produce` has ended before the response does, however that comes about: by itself, by a failure, or cancelled,
      where the caller has gone, the deadline has come, or the server stops.
    - `headers` are asked for when the status line leaves: by then much is known of the answer.
    - A stream never just stops: it ends as `produce` ends it, or with `encode_error`'s event.
    """

    def __init__(
        self,
        produce: Callable[[Put], Coroutine[Any, Any, None]],
        *,
        record: RequestRecord,
        deadline: float,
        keep_alive_seconds: float,
        translate: Callable[[Exception], GatewayError],
        encode_error: Callable[[GatewayError], bytes] = encode_error_event,
        encode_abort: Callable[[GatewayError], bytes] | None = None,
        headers: Callable[[], EventStreamHeaders] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._produce = produce
        self._record = record
        self._deadline = deadline
        self._keep_alive_seconds = keep_alive_seconds
        self._translate = translate
        self._encode_error = encode_error
        # For the words that others say in our place, at any time; those of `encode_error` may depend on what was said.
        self._encode_abort = encode_abort or encode_error
        self._headers = headers
        self._clock = clock
        # Noted here, since the response may end before its first item.
        record.is_stream = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond. Raises what `produce` raises before the start, and re-raises cancellation after its last words."""
        runtime = scope.get("extensions", {}).get(RUNTIME_EXTENSION)
        if runtime is not None:
            # What the runtime says in our place if even the cleaning up takes too long.
            # Set before the work begins: after the deadline there is no time to ask for it.
            runtime["abort_body"] = self._encode_abort(GatewayError(TIMEOUT))
        outlet = _Outlet(send, scope.get(PART_SEND, send), self._headers, self._record, self._clock)
        keep_alive = asyncio.create_task(outlet.keep_alive(self._keep_alive_seconds), name="keep-alive")
        # A task of its own: what wakes it for an item need not go through all the frames that called this. Cancelling
        # this coroutine cancels it, and waits for its end.
        sending = asyncio.create_task(self._send_items(receive, outlet), name="event-stream")
        try:
            end = await sending
        except asyncio.CancelledError:
            # The keep-alive first: a comment must not come after the end of the response.
            await _end(keep_alive)
            # Cancelled from outside, by the runtime or by a server that stops. A stream that just stops looks complete
            # to SDKs.
            if outlet.has_begun:
                self._record.error, self._record.situation = TIMEOUT.code, TIMEOUT
                await outlet.close(self._encode_error(GatewayError(TIMEOUT)))
            raise
        except ClientGoneError:
            self._record.status = CLIENT_GONE
            self._record.leave()
            return
        finally:
            await _end(keep_alive)
        # Only here, after `produce` has ended: by then the lease is released and the booking done, and Lambda may
        # freeze the sandbox with the last byte.
        await outlet.close(end)

    async def _send_items(self, receive: Receive, outlet: _Outlet) -> bytes:
        """Send all items but the last burst; returns what follows it: nothing, or an error event."""
        record = self._record
        try:
            async with bounded(receive, self._deadline) as leave:
                # A server tells a broken pipe by the failing send, before any disconnect message.
                outlet.on_broken = leave
                await flushed(self._produce(outlet.put), outlet.flush)
            return b""
        except ClientGoneError:
            raise
        except Exception as error:  # whatever it is, the stream must say that it broke
            failure = self._translate(error)
            # Nothing has left, so the caller can still have an ordinary response with a true status.
            if not outlet.has_begun:
                # What nobody expected keeps its own traceback for the log.
                raise error if failure.situation is INTERNAL else failure from error
            record.fail(failure, error)
            if failure.situation is INTERNAL:
                record.crash = error
            return self._encode_error(failure)


class _Outlet:
    """The way out of one response: one message at a time, comments included."""

    def __init__(
        self,
        send: Send,
        send_part: Send,
        headers: Callable[[], EventStreamHeaders],
        record: RequestRecord,
        clock: Callable[[], float],
    ) -> None:
        self.on_broken: Callable[[], None] = lambda: None
        """Called when nothing can be sent any more."""
        self._send = send
        self._send_part = send_part
        self._headers = headers
        self._record = record
        self._clock = clock
        self._waiting: list[bytes] = []
        self._size = 0
        self._is_started = False
        # Whether nothing was sent since the keep-alive last looked.
        self._is_silent = True
        # A server may take its time with a message; the next one must not overtake it. The lock is held by comments,
        # which are rare; items only say that they are on their way, which costs less.
        self._lock = asyncio.Lock()
        self._is_commenting = False
        self._is_busy = False

    @property
    def has_begun(self) -> bool:
        """Whether the response can't become another one any more."""
        return self._is_started or bool(self._waiting)

    def put(self, data: bytes) -> Awaitable[None] | None:
        """Have `data` sent with the next flush; see `Put`."""
        self._waiting.append(data)
        self._size += len(data)
        self._record.chunks += 1
        # An upstream that never makes us wait would otherwise be collected whole.
        return self.flush() if self._size > MAX_BURST_BYTES else None

    async def flush(self) -> None:
        """Send what waits. Raises nothing but cancellation: a broken pipe is told to `on_broken`."""
        if not self._waiting:
            return
        if self._is_commenting:
            async with self._lock:
                pass
        # Nothing is awaited between the look at the comment and this, so that another one can't come in between.
        self._is_busy = True
        try:
            if not self._is_started:
                await self._start()
            # The usual case, without a copy.
            data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
            self._waiting, self._size, self._is_silent = [], 0, False
            await self._send_part({"type": "http.response.body", "body": data, "more_body": True})
        except OSError:
            self.on_broken()
        finally:
            self._is_busy = False

    async def close(self, data: bytes) -> None:
        """Send what waits, then `data`, and end the response."""
        try:
            if not self._is_started:
                await self._start()
            body, self._waiting = b"".join([*self._waiting, data]), []
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
        except OSError:
            self._record.status = CLIENT_GONE
            self._record.leave()

    async def keep_alive(self, seconds: float) -> None:
        """Send a comment after each time of that length without a message, until cancelled."""
        while True:
            # One sleeping task, no timer per message: at the price that a comment may come up to twice the time after
            # the last one.
            await asyncio.sleep(seconds)
            if self._is_silent and not self._is_busy and not await self._comment():
                return
            self._is_silent = True

    async def _comment(self) -> bool:
        """Send a comment. Returns whether there is still anybody to send to."""
        async with self._lock:
            self._is_commenting = True
            try:
                if not self._is_started:
                    await self._start()
                await self._send({"type": "http.response.body", "body": COMMENT, "more_body": True})
            except OSError:
                self.on_broken()
                return False
            finally:
                self._is_commenting = False
        return True

    async def _start(self) -> None:
        # Set before the await: whoever fails in between must not begin another response.
        self._is_started = True
        self._record.first_byte_at = self._clock()
        # Asked for only now: which model answers may be known by the first item and not before.
        headers = [*_HEADERS, *self._headers()]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


@types.coroutine
def flushed(
    work: Coroutine[Any, Any, None], flush: Callable[[], Coroutine[Any, Any, None]]
) -> Generator[Any, Any, None]:
    """Await `work`, and run `flush` before everything that it waits for.

    An upstream often delivers several events with one read of its socket. Sent one by one, each costs a system call;
    sent together, as soon as the next one has to be waited for, they cost one and leave no later.

    Raises what `work` raises. A cancellation that comes while `flush` runs reaches `work`, which has begun to wait
    already; anything else must not be raised by it.
    """
    error: BaseException | None = None
    # Driven by hand, as `await` does it: that is where the waits show, without a task or a future of their own.
    while True:
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration:
            return
        error = None
        try:
            yield from flush().__await__()
            yield awaited
        except BaseException as caught:  # noqa: BLE001 - goes on into the work
            error = caught


def encode_text(text: str) -> bytes:
    """A JSON string in UTF-8; half surrogates, which UTF-8 can't carry, as escapes."""
    if text.isascii():
        # The C encoders without `json.dumps` around them: this runs for every chunk.
        return encode_basestring_ascii(text).encode()
    try:
        return encode_basestring(text).encode()
    except UnicodeEncodeError:
        return encode_basestring_ascii(text).encode("ascii")
