"""Server-sent events as an ASGI response that cleans up after itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.types import Receive, Scope, Send

from gateway.bounds import ClientGoneError, bounded
from gateway.errors import TIMEOUT, GatewayError, encode_error_event
from gateway.observability import CLIENT_GONE, RequestRecord

# A comment is the only keep-alive that both official SDKs ignore (openai-wire D.1).
COMMENT = b": ping\n\n"

_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Asks buffering proxies on the way (nginx) to let each event through.
    (b"x-accel-buffering", b"no"),
)
EventStreamHeaders = tuple[tuple[bytes, bytes], ...]


class EventStream:
    """Sends what `produce` yields, each item at once as one body message.

    - The status line waits for the first item, so that a failure before it is raised, to become an ordinary error
      response. After `keep_alive_seconds` without one it leaves anyway, with a comment: proxies and SDKs give up on
      silent connections. From then on a failure is an error event.
    - Silence of that length later is filled with comments, too.
    - The generator is closed in every ending: normal, failure, caller gone, deadline, cancellation.
    - A stream never just stops: it ends as `produce` ends it, or with `encode_error`'s event.
    """

    def __init__(
        self,
        produce: Callable[[], AsyncGenerator[bytes, None]],
        *,
        record: RequestRecord,
        deadline: float,
        keep_alive_seconds: float,
        translate: Callable[[Exception], GatewayError],
        encode_error: Callable[[GatewayError], bytes] = encode_error_event,
        headers: EventStreamHeaders = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._produce = produce
        self._record = record
        self._deadline = deadline
        self._keep_alive_seconds = keep_alive_seconds
        self._translate = translate
        self._encode_error = encode_error
        self._headers = _HEADERS + headers
        self._clock = clock
        self._is_started = False
        # Whether nothing was sent since the keep-alive last looked.
        self._is_silent = True
        self._is_sending = False
        # Held while a comment is sent, so that it does not mix with an item.
        self._comment_lock = asyncio.Lock()
        record.is_stream = True

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Respond. Raises what `produce` raises before the start, and re-raises cancellation after its last words."""
        keep_alive = asyncio.create_task(self._keep_alive(send), name="keep-alive")
        try:
            last = await self._send_items(receive, send)
        except asyncio.CancelledError:
            await _end(keep_alive)
            if self._is_started:
                await self._close(send, self._encode_error(self._note(GatewayError(TIMEOUT))))
            raise
        except ClientGoneError:
            self._record.error, self._record.status = "client_gone", CLIENT_GONE
            return
        finally:
            await _end(keep_alive)
        await self._close(send, last)

    async def _send_items(self, receive: Receive, send: Send) -> bytes:
        """Send all items; returns the last bytes, which are an error event if it ended badly."""
        try:
            async with bounded(receive, self._deadline), aclosing(self._produce()) as items:
                async for item in items:
                    if self._comment_lock.locked():
                        async with self._comment_lock:
                            pass
                    self._is_sending = True
                    try:
                        await self._put(send, item)
                    except OSError as error:
                        raise ClientGoneError from error
                    self._is_sending = self._is_silent = False
                    self._record.chunks += 1
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the stream must say that it broke
            return self._failed(error)
        return b""

    def _failed(self, error: Exception) -> bytes:
        if not self._is_started:
            raise error
        return self._encode_error(self._note(self._translate(error)))

    def _note(self, error: GatewayError) -> GatewayError:
        self._record.error = error.code
        return error

    async def _put(self, send: Send, data: bytes) -> None:
        if not self._is_started:
            self._is_started = True
            self._record.first_byte_at = self._clock()
            await send({"type": "http.response.start", "status": 200, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": data, "more_body": True})

    async def _close(self, send: Send, data: bytes) -> None:
        try:
            if not self._is_started:
                await self._put(send, data)
                data = b""
            await send({"type": "http.response.body", "body": data, "more_body": False})
        except OSError:
            self._record.error, self._record.status = "client_gone", CLIENT_GONE

    async def _keep_alive(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_seconds)
            if self._is_silent and not self._is_sending:
                async with self._comment_lock:
                    try:
                        await self._put(send, COMMENT)
                    except OSError:
                        # Whoever sends the next item will find out.
                        return
            self._is_silent = True


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
