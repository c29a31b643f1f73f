"""HTTP to Poe's documented API. The only file here that imports httpx; its errors become typed ones here.

The connection pool survives between requests, and between Lambda invocations. While the process was frozen the other
end may have closed its sockets, and the monotonic clock may have stood still. So the age of idle connections is
judged by the wall clock as well: a pool that rested longer than `channel_trust_seconds` is replaced, not reused.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.tls import tls_context


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One HTTP request. `operation` is our name for it, which errors carry. `json` and `form` exclude each other."""

    method: str
    url: str
    operation: str
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    file: tuple[str, bytes, str] | None = field(default=None, repr=False)
    """Name, bytes and content type of a multipart field called `file`."""
    query: Mapping[str, str] | None = None


class StreamedReply:
    """A response whose body is still on the wire. `headers` has lower-case names."""

    def __init__(self, response: httpx.Response, operation: str) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.operation = operation
        self._response = response

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises `connection_failed` when it is cut short."""
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise _network_error(exc, self.operation) from exc

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises a `protocol` error when it is larger than `max_bytes`."""
        parts: list[bytes] = []
        size = 0
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise poe_error(ErrorCode.PROTOCOL, "the response is larger than allowed", operation=self.operation)
                parts.append(chunk)
        return b"".join(parts)


class _Pool:
    """An httpx client and how many requests are using it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.in_use = 0


class OfficialTransport:
    """Sends requests over one kept-alive pool. Closing it twice is fine; so is using it after a close."""

    def __init__(self, config: PoeConfig, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._wall_clock = wall_clock
        self._pool: _Pool | None = None
        self._last_used_at = 0.0

    @asynccontextmanager
    async def open(self, request: OutgoingRequest, *, timeout_seconds: float) -> AsyncIterator[StreamedReply]:
        """Send, and wait for the response's head at most `timeout_seconds`. Leaving frees or closes the connection.

        Raises `timeout`, `connection_failed`, or `invalid_request` for a body that is not JSON.
        """
        pool = await self._trusted_pool()
        pool.in_use += 1
        try:
            response = await self._send(pool.client, request, timeout_seconds)
            try:
                yield StreamedReply(response, request.operation)
            finally:
                await response.aclose()
        finally:
            pool.in_use -= 1
            self._last_used_at = self._wall_clock()
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
        try:
            built = _build(client, request)
        except (TypeError, ValueError, RecursionError, httpx.InvalidURL):
            # The cause would quote the value, which may be a prompt or a key.
            raise poe_error(
                ErrorCode.INVALID_REQUEST, "the request can't be put on the wire", operation=request.operation
            ) from None
        try:
            async with asyncio.timeout(timeout_seconds):
                return await client.send(built, stream=True)
        except TimeoutError as exc:
            raise poe_error(ErrorCode.TIMEOUT, operation=request.operation) from exc
        except httpx.LocalProtocolError:
            raise poe_error(
                ErrorCode.INVALID_REQUEST, "the request can't be put on the wire", operation=request.operation
            ) from None
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


def _build(client: httpx.AsyncClient, request: OutgoingRequest) -> httpx.Request:
    headers = dict(request.headers)
    content = None
    if request.json is not None:
        headers["Content-Type"] = "application/json"
        text = json.dumps(request.json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Half of a surrogate pair has no UTF-8 form; it becomes a question mark rather than a failure.
        content = text.encode("utf-8", "replace")
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
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=None, keepalive_expiry=config.channel_trust_seconds),
        # Reading is bounded by the callers, who know what they wait for.
        timeout=httpx.Timeout(None, connect=config.connect_timeout_seconds, write=config.request_timeout_seconds),
    )


def _network_error(exc: httpx.HTTPError | httpx.StreamError, operation: str) -> PoeError:
    if isinstance(exc, httpx.TimeoutException) and not isinstance(exc, httpx.ConnectTimeout):
        return poe_error(ErrorCode.TIMEOUT, operation=operation)
    if isinstance(exc, httpx.DecodingError | httpx.UnsupportedProtocol):
        return poe_error(ErrorCode.PROTOCOL, operation=operation)
    return poe_error(ErrorCode.CONNECTION_FAILED, operation=operation)
