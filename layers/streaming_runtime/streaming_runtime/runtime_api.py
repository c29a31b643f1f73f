"""The Lambda Runtime API (version 2018-06-01) over one kept-alive connection: next, response, errors.

A streamed response takes the connection over for as long as it lasts: see `response_stream`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from streaming_runtime import __version__
from streaming_runtime.errors import (
    RuntimeApiMalformedResponseError,
    RuntimeApiRefusedError,
    RuntimeApiUnreachableError,
)
from streaming_runtime.failures import Failure
from streaming_runtime.http11 import Headers, HttpResponse, ResponseParser, encode_head
from streaming_runtime.settings import Address

VERSION_PATH = "/2018-06-01/runtime"
USER_AGENT = f"streaming-runtime/{__version__}"
ERROR_TYPE_HEADER = "Lambda-Runtime-Function-Error-Type"
XRAY_CAUSE_HEADER = "Lambda-Runtime-Function-XRay-Error-Cause"
INVOCATION_ID_HEADER = "Lambda-Runtime-Invocation-Id"

# The Runtime API listens on this machine: a connection takes microseconds, or nobody is there.
CONNECT_SECONDS = 5.0
# Pauses before each further try of `next`. The first is none: after a freeze the connection is simply stale.
RETRY_PAUSES_SECONDS = (0.0, 0.05, 0.2, 0.5, 1.0)
# Some emulators answer 204 at once when nothing is to do. Polling again is paced then.
IDLE_PAUSE_SECONDS = 0.05

# A connection that rested for longer is not used for a streamed response, which could not be sent again.
FRESH_SECONDS = 5.0

_READ_BYTES = 256 * 1024
_MILLISECONDS = re.compile(r"[0-9]{1,15}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,256}")


class Invocation(NamedTuple):
    """What `next` handed out."""

    # Safe to put into a path.
    request_id: str
    # Milliseconds since the epoch, as told; None where nothing usable was told.
    deadline_ms: int | None
    # The event as JSON text.
    payload: bytes
    function_arn: str = ""
    # X-Ray's header, empty when there is none.
    trace_id: str = ""
    # JSON texts from mobile SDKs, empty when there are none.
    client_context: str = ""
    cognito_identity: str = ""
    # Of a function that isolates its tenants; None otherwise.
    tenant_id: str | None = None
    # Distinguishes invocations with the same request id; empty when Lambda does not.
    invocation_id: str = ""

    def __repr__(self) -> str:
        # Without what the caller sent.
        return f"Invocation(request_id={self.request_id!r}, deadline_ms={self.deadline_ms})"

    @property
    def reply_headers(self) -> tuple[tuple[str, str], ...]:
        """What every answer to this invocation repeats, so that Lambda can refuse one that comes too late."""
        return ((INVOCATION_ID_HEADER, self.invocation_id),) if self.invocation_id else ()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class RuntimeApi:
    """A client of the Runtime API. One request at a time, which is all the loop needs."""

    def __init__(self, address: Address, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.address = address
        self._sleep = sleep
        # The kept-alive connection; None before the first request and after each that broke it.
        self._connection: Connection | None = None
        self._rests_since = 0.0

    async def next_invocation(self) -> Invocation:
        """Wait for the next invocation, for as long as it takes.

        Reconnects by `RETRY_PAUSES_SECONDS` when the connection breaks; then raises
        RuntimeApiUnreachableError. Also raises RuntimeApiMalformedResponseError, RuntimeApiResponseTooLargeError,
        RuntimeApiRefusedError.
        """
        while True:
            answer = await self._next_answer()
            if answer.status == HTTPStatus.OK:
                return parse_invocation(answer)
            if answer.status != HTTPStatus.NO_CONTENT:
                raise RuntimeApiRefusedError(answer.status, "next")
            await self._sleep(IDLE_PAUSE_SECONDS)

    async def _next_answer(self) -> HttpResponse:
        last_error: RuntimeApiUnreachableError | None = None
        for pause in (None, *RETRY_PAUSES_SECONDS):
            if pause is not None:
                await self._sleep(pause)
            try:
                return await self._exchange("GET", "/invocation/next")
            except RuntimeApiUnreachableError as error:
                last_error = error
        raise RuntimeApiUnreachableError(
            f"no invocation could be fetched in {len(RETRY_PAUSES_SECONDS) + 1} tries"
        ) from last_error

    async def post_response(self, invocation: Invocation, document: bytes, *, timeout_seconds: float | None) -> None:
        """Send a buffered answer, a JSON document. Raises RuntimeApiError and TimeoutError."""
        headers = (("Content-Type", "application/json"), *invocation.reply_headers)
        await self._post(f"/invocation/{invocation.request_id}/response", headers, document, timeout_seconds)

    async def post_invocation_error(
        self, invocation: Invocation, failure: Failure, *, timeout_seconds: float | None
    ) -> None:
        """Report that an invocation has no response. Lambda answers the caller of a Function URL with 502.

        Raises as `post_response` does.
        """
        path = f"/invocation/{invocation.request_id}/error"
        await self._post_failure(path, failure, invocation.request_id, invocation.reply_headers, timeout_seconds)

    async def post_init_error(self, failure: Failure, *, timeout_seconds: float) -> None:
        """Report that this sandbox cannot serve. Raises as `post_response` does."""
        await self._post_failure("/init/error", failure, "", (), timeout_seconds)

    async def _post_failure(
        self, path: str, failure: Failure, request_id: str, headers: Headers, timeout_seconds: float | None
    ) -> None:
        headers = (
            ("Content-Type", "application/vnd.aws.lambda.error+json"),
            (ERROR_TYPE_HEADER, failure.error_type),
            *headers,
        )
        if cause := failure.to_xray():
            headers = (*headers, (XRAY_CAUSE_HEADER, cause))
        await self._post(path, headers, failure.to_json(request_id), timeout_seconds)

    async def _post(self, path: str, headers: Headers, body: bytes, timeout_seconds: float | None) -> None:
        headers = (*headers, ("Content-Length", str(len(body))))
        async with asyncio.timeout(timeout_seconds):
            try:
                answer = await self._exchange("POST", path, headers, body)
            except RuntimeApiUnreachableError:
                # The server may close an idle connection at any moment: once more, on a new one.
                answer = await self._exchange("POST", path, headers, body)
        if not answer.is_success:
            raise RuntimeApiRefusedError(answer.status, path.rpartition("/")[2])

    async def _exchange(self, method: str, path: str, headers: Headers = (), body: bytes = b"") -> HttpResponse:
        """One request and its answer. Whatever interrupts it, cancellation included, costs the connection."""
        connection, self._connection = self._connection, None
        try:
            reader, writer = connection or await self._connect()
        except OSError as error:
            raise RuntimeApiUnreachableError(f"no connection to {self.address.authority}") from error
        kept = False
        try:
            head = encode_head(
                method,
                self.address.path + VERSION_PATH + path,
                self.address.authority,
                (("User-Agent", USER_AGENT), *headers),
            )
            writer.write(head + body)
            await writer.drain()
            answer = await _read_answer(reader)
            kept = answer.keeps_alive
        except OSError as error:
            raise RuntimeApiUnreachableError("the connection to the Runtime API broke") from error
        finally:
            if kept:
                self.keep((reader, writer))
            else:
                writer.transport.abort()
        return answer

    async def take_connection(self) -> Connection:
        """A connection for one streamed response, whose it is from now on. `keep` gives it back. Raises OSError."""
        connection, self._connection = self._connection, None
        if connection is not None:
            reader, writer = connection
            rested = asyncio.get_running_loop().time() - self._rests_since
            if rested <= FRESH_SECONDS and not reader.at_eof() and not writer.transport.is_closing():
                return connection
            writer.transport.abort()
        return await self._connect()

    def keep(self, connection: Connection) -> None:
        """Use this connection for the next request. Its last answer must have been read to the end."""
        self.close()
        self._connection = connection
        self._rests_since = asyncio.get_running_loop().time()

    async def _connect(self) -> Connection:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(self.address.host, self.address.port)

    def close(self) -> None:
        """Drop the connection at once. Requests open a new one."""
        if self._connection is not None:
            self._connection[1].transport.abort()
            self._connection = None


async def _read_answer(reader: asyncio.StreamReader) -> HttpResponse:
    parser = ResponseParser()
    while data := await reader.read(_READ_BYTES):
        if (answer := parser.feed(data)) is not None:
            return answer
    return parser.feed_eof()


def parse_invocation(answer: HttpResponse) -> Invocation:
    """The invocation in an answer of `next`. Raises RuntimeApiMalformedResponseError if it has no usable id."""
    headers: Mapping[str, str] = answer.headers
    request_id = headers.get("lambda-runtime-aws-request-id", "")
    if _REQUEST_ID.fullmatch(request_id) is None:
        raise RuntimeApiMalformedResponseError("the invocation has no usable request id")
    deadline = headers.get("lambda-runtime-deadline-ms", "")
    invocation_id = headers.get(INVOCATION_ID_HEADER.lower(), "")
    return Invocation(
        request_id=request_id,
        deadline_ms=int(deadline) if _MILLISECONDS.fullmatch(deadline) else None,
        payload=answer.body,
        function_arn=headers.get("lambda-runtime-invoked-function-arn", ""),
        trace_id=headers.get("lambda-runtime-trace-id", ""),
        client_context=headers.get("lambda-runtime-client-context", ""),
        cognito_identity=headers.get("lambda-runtime-cognito-identity", ""),
        tenant_id=headers.get("lambda-runtime-aws-tenant-id"),
        invocation_id=invocation_id if _PRINTABLE.fullmatch(invocation_id) else "",
    )
