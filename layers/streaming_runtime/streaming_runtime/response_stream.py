"""One streamed response to the Runtime API, on a connection that it has to itself.

On the wire this is a chunked POST whose body is a JSON prelude, eight NULs and the raw body, each in chunks of
its own; a failure after the start travels in trailers (docs/reference/aws-lambda.md#runtime-api; tried against
the emulator that the SAM CLI 1.170 ships).
"""

import asyncio
from base64 import b64encode
from collections.abc import Collection
from contextlib import suppress
from typing import cast

from streaming_runtime.errors import ResponseConnectionLostError, RuntimeApiError, RuntimeApiRefusedError
from streaming_runtime.failures import Failure
from streaming_runtime.http11 import (
    CRLF,
    LAST_CHUNK,
    HttpResponse,
    ResponseParser,
    encode_chunk,
    encode_head,
    encode_last_chunk,
)
from streaming_runtime.response_head import PRELUDE_END, ResponseHead, encode_prelude
from streaming_runtime.runtime_api import (
    ERROR_TYPE_HEADER,
    USER_AGENT,
    VERSION_PATH,
    Connection,
    Invocation,
    RuntimeApi,
)

ERROR_BODY_HEADER = "Lambda-Runtime-Function-Error-Body"
# The Runtime API's own answer is a line; whatever is longer is not it.
_MAX_ANSWER_BYTES = 64 * 1024
# The lines before chunks of the sizes that pieces of an answer have: formatting is more different code than all else
# that `write` does.
_USUAL_BYTES = 512
_SIZE_LINES = tuple(b"%x\r\n" % size for size in range(_USUAL_BYTES))


class ResponseStream(asyncio.Protocol):
    """A response on its way. `write` is synchronous; a writer that sees `is_full` awaits `drain`.

    `write`, `finish` and `drain` raise ResponseConnectionLostError once the connection has broken, or once
    the Runtime API has refused the response before its end.
    """

    def __init__(
        self,
        api: RuntimeApi,
        invocation: Invocation,
        disconnected: asyncio.Event,
        *,
        excluded: Collection[str] = (),
    ) -> None:
        self._api = api
        self._invocation = invocation
        # Set when the response can no longer be delivered.
        self._disconnected = disconnected
        # Headers, in lower case, that are not sent.
        self._excluded = excluded
        self._transport: asyncio.Transport | None = None
        # The same connection as the API has it, and what reads from it then.
        self._connection: Connection | None = None
        self._reading: asyncio.BaseProtocol | None = None
        self._parser = ResponseParser(max_body_bytes=_MAX_ANSWER_BYTES)
        # The transport's buffer is over its high-water mark.
        self.is_full = False
        self._writable = asyncio.Event()
        self._writable.set()
        # The last chunk is written.
        self._is_finished = False
        # Why nothing can be sent any more; None while all is well.
        self._lost: RuntimeApiError | None = None
        self._answer: HttpResponse | None = None
        # The Runtime API has answered, or never will.
        self._settled = asyncio.Event()

    async def open(self, head: ResponseHead, first: bytes) -> None:
        """Take the connection over that the invocation came by, or connect, and send the head, the prelude and the
        first bytes of the body (which may be none) in one write.

        Raises ResponseConnectionLostError. Cancelled, it leaves no connection behind.
        """
        try:
            self._connection = await self._api.take_connection()
        except OSError as error:
            raise ResponseConnectionLostError("no connection to the Runtime API") from error
        # Its class is the loop's own (uvloop's is not asyncio's). Both loops set TCP_NODELAY on TCP sockets by
        # themselves: each chunk leaves at once.
        self._transport = transport = cast("asyncio.Transport", self._connection[1].transport)
        self._reading = transport.get_protocol()
        transport.set_protocol(self)
        request = encode_head(
            "POST",
            f"{self._api.address.path}{VERSION_PATH}/invocation/{self._invocation.request_id}/response",
            self._api.address.authority,
            (
                ("User-Agent", USER_AGENT),
                ("Content-Type", "application/vnd.awslambda.http-integration-response"),
                ("Lambda-Runtime-Function-Response-Mode", "streaming"),
                ("Transfer-Encoding", "chunked"),
                ("Trailer", f"{ERROR_TYPE_HEADER}, {ERROR_BODY_HEADER}"),
                *self._invocation.reply_headers,
            ),
        )
        prelude = encode_chunk(encode_prelude(head, self._excluded)) + encode_chunk(PRELUDE_END)
        self._connected().write(request + prelude + (encode_chunk(first) if first else b""))

    def write(self, data: bytes) -> None:
        """Send bytes of the body, not empty, as one chunk, now."""
        # The hot path: no call that is not needed.
        transport = self._transport
        if transport is None or transport.is_closing():
            raise self._lost_error()
        size = len(data)
        line = _SIZE_LINES[size] if size < _USUAL_BYTES else b"%x\r\n" % size
        transport.write(line + data + CRLF)

    async def drain(self) -> None:
        """Wait until the reader has caught up."""
        await self._writable.wait()
        if self._lost is not None:
            raise self._lost_error()

    def finish(self, data: bytes) -> None:
        """Send the last bytes, which may be none, and the end."""
        self._connected().write((encode_chunk(data) if data else b"") + LAST_CHUNK)
        self._is_finished = True

    def fail(self, last_words: bytes, failure: Failure) -> None:
        """End the body early: `last_words`, which may be none, for the caller; trailers for Lambda."""
        if self._is_finished or self._lost is not None:
            return
        trailers = (
            (ERROR_TYPE_HEADER, failure.error_type),
            (ERROR_BODY_HEADER, b64encode(failure.to_short_json(self._invocation.request_id)).decode("ascii")),
        )
        end = encode_last_chunk(trailers)
        self._connected().write((encode_chunk(last_words) if last_words else b"") + end)
        self._is_finished = True

    async def settle(self, *, timeout_seconds: float | None) -> None:
        """Wait for the Runtime API's answer to the finished response, and give the connection back, or close it
        where it can't be used again.

        Raises RuntimeApiRefusedError or another RuntimeApiError; TimeoutError when the reader stalls.
        """
        if self._transport is None:
            raise self._lost_error()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._settled.wait()
        except BaseException:
            # What the reader has not taken by now is dropped.
            self._transport.abort()
            raise
        if self._lost is not None:
            self._transport.close()
            raise self._lost
        self._give_back(self._transport)

    def _give_back(self, transport: asyncio.Transport) -> None:
        is_whole = self._is_finished and self._answer is not None and self._answer.keeps_alive
        if self._connection is None or self._reading is None or not is_whole or transport.is_closing():
            transport.close()
            return
        transport.set_protocol(self._reading)
        self._api.keep(self._connection)

    @property
    def is_lost(self) -> bool:
        """Whether the response can no longer reach anybody."""
        return self._lost is not None

    def _connected(self) -> asyncio.Transport:
        if self._transport is None or self._transport.is_closing():
            raise self._lost_error()
        return self._transport

    def _lost_error(self) -> ResponseConnectionLostError:
        """A new exception each time: one object raised twice would collect tracebacks."""
        return ResponseConnectionLostError(str(self._lost or "the response connection broke"))

    def _lose(self, error: RuntimeApiError) -> None:
        self._lost = self._lost or error
        if self._transport is not None:
            # From here on `write` finds it closing.
            self._transport.abort()
        self._settled.set()
        self._writable.set()
        self._disconnected.set()

    def data_received(self, data: bytes) -> None:
        if self._answer is not None or self._lost is not None:
            return
        try:
            answer = self._parser.feed(data)
        except RuntimeApiError as error:
            self._lose(error)
            return
        if answer is not None:
            self._take_answer(answer)

    def _take_answer(self, answer: HttpResponse) -> None:
        """A refusal ends the response at once; a success before the end of the body does not."""
        self._answer = answer
        if not answer.is_success:
            self._lose(RuntimeApiRefusedError(answer.status, "a streamed response"))
        self._settled.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it broke changes nothing
        if self._answer is None:
            # An answer of HTTP/1.0 style ends with its connection.
            with suppress(RuntimeApiError):
                self._take_answer(self._parser.feed_eof())
        if self._answer is None or not self._is_finished:
            self._lose(ResponseConnectionLostError("the response connection broke"))

    def pause_writing(self) -> None:
        self.is_full = True
        self._writable.clear()

    def resume_writing(self) -> None:
        self.is_full = False
        self._writable.set()
