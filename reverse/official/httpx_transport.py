"""What is no question to Poe's documented API, over httpx. The only file here that imports it.

The connection pool survives between requests, and between Lambda invocations. While the process was frozen the other
end may have closed its sockets, and the monotonic clock may have stood still. So the age of idle connections is
judged by the wall clock as well: a pool that rested longer than `channel_trust_seconds` is replaced, not reused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import httpx

from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.tls import tls_context
from reverse.wire.transport import OutgoingRequest, StreamedReply, encode_json, unsendable

# Before these nothing of the request was written.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class HttpxReply:
    """A `StreamedReply` of httpx."""

    def __init__(self, response: httpx.Response, operation: str) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.operation = operation
        self._chunks = cast("AsyncGenerator[bytes, None]", response.aiter_bytes())

    async def receive(self, deadline: float) -> bytes:
        """See `StreamedReply.receive`."""
        try:
            async with asyncio.timeout_at(deadline):
                async for chunk in self._chunks:
                    if chunk:
                        return chunk
                return b""
        except TimeoutError as exc:
            raise poe_error(ErrorCode.TIMEOUT, operation=self.operation) from exc
        # `StreamError` is no `HTTPError` in httpx: it says that the stream was read or closed before.
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise _network_error(exc, self.operation) from exc

    async def aclose(self) -> None:
        """Stop reading."""
        await self._chunks.aclose()


class _Pool:
    """An httpx client and how many requests are using it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.in_use = 0


class HttpxTransport:
    """A `Transport` over one kept-alive pool."""

    def __init__(self, config: PoeConfig, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._wall_clock = wall_clock
        self._pool: _Pool | None = None
        self._last_used_at = 0.0

    @asynccontextmanager
    async def open(self, request: OutgoingRequest, *, timeout_seconds: float) -> AsyncIterator[StreamedReply]:
        """See `Transport.open`."""
        pool = await self._trusted_pool()
        pool.in_use += 1
        try:
            response = await self._send(pool.client, request, timeout_seconds)
            reply = HttpxReply(response, request.operation)
            try:
                yield reply
            finally:
                await reply.aclose()
                await response.aclose()
        finally:
            pool.in_use -= 1
            self._last_used_at = self._wall_clock()
            # The pool was replaced while this request used it: the last one to leave closes it.
            if pool is not self._pool and not pool.in_use:
                await pool.client.aclose()

    async def aclose(self) -> None:
        """Close every connection, those of unfinished answers included. No network call."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.client.aclose()

    async def _send(
        self, client: httpx.AsyncClient, request: OutgoingRequest, timeout_seconds: float
    ) -> httpx.Response:
        was_written = False

        async def trace(event: str, _: object) -> None:
            nonlocal was_written
            # httpx's exceptions don't tell whether bytes left the machine, which decides whether the upload may be
            # repeated.
            was_written = was_written or event.startswith("http11.send_request")

        content = request.content if request.json is None else encode_json(request)
        try:
            built = _build(client, request, content)
            built.extensions["trace"] = trace
        except (TypeError, ValueError, RecursionError, httpx.InvalidURL):
            # The cause would quote the value, which may be a prompt or a key.
            raise unsendable(request) from None
        try:
            async with asyncio.timeout(timeout_seconds):
                return await client.send(built, stream=True)
        except TimeoutError as exc:
            raise poe_error(
                ErrorCode.TIMEOUT,
                operation=request.operation,
                delivery=Delivery.UNKNOWN if was_written else Delivery.NOT_SENT,
            ) from exc
        except httpx.LocalProtocolError:
            raise unsendable(request) from None
        except httpx.HTTPError as exc:
            raise _network_error(exc, request.operation) from exc

    async def _trusted_pool(self) -> _Pool:
        pool = self._pool
        rested = self._wall_clock() - self._last_used_at
        # A clock that was set back says nothing about the rest either.
        if pool is not None and not 0 <= rested <= self._config.channel_trust_seconds:
            self._pool = None
            if not pool.in_use:
                await pool.client.aclose()
            pool = None
        if pool is None:
            pool = self._pool = _Pool(_new_client(self._config))
        return pool


def _build(client: httpx.AsyncClient, request: OutgoingRequest, content: bytes | None) -> httpx.Request:
    headers = dict(request.headers)
    if request.json is not None:
        headers["Content-Type"] = "application/json"
    return client.build_request(
        request.method,
        request.url,
        headers=headers,
        params=request.query,
        content=content,
        data=request.form,
        files={"file": request.file} if request.file is not None else None,
    )


def _new_client(config: PoeConfig) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers={"User-Agent": config.user_agent, "Accept": "application/json"},
        verify=tls_context(),
        proxy=config.proxy,
        # The configuration decides about a proxy, and not variables of the environment.
        trust_env=False,
        # A redirect would carry the account's key to another host.
        follow_redirects=False,
        # Callers bound what runs at once; a second bound here would only queue unseen.
        limits=httpx.Limits(max_connections=None, keepalive_expiry=config.channel_trust_seconds),
        # Reading is bounded by the callers, who know what they wait for.
        timeout=httpx.Timeout(None, connect=config.connect_timeout_seconds, write=config.request_timeout_seconds),
    )


def _network_error(exc: httpx.HTTPError | httpx.StreamError, operation: str) -> PoeError:
    if isinstance(exc, httpx.TimeoutException) and not isinstance(exc, httpx.ConnectTimeout):
        code = ErrorCode.TIMEOUT
    elif isinstance(exc, httpx.DecodingError | httpx.UnsupportedProtocol):
        code = ErrorCode.PROTOCOL
    else:
        code = ErrorCode.CONNECTION_FAILED
    return poe_error(
        code, operation=operation, delivery=Delivery.NOT_SENT if isinstance(exc, _UNSENT) else Delivery.UNKNOWN
    )
