"""HTTP to poe.com. No other module of the web client imports httpx; its errors become typed errors here.

What the server sends is not trusted: bodies are capped, redirects are not followed, cookies it sets are not kept. The
user's own cookies go to the base address and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal
from urllib.parse import urljoin, urlsplit

import httpx

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.tls import tls_context


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body; without a file name it is a plain field."""

    name: str
    data: bytes = field(repr=False)
    file_name: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer with its whole, capped body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        """The media type alone, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        """Whether a page came where data was expected, whatever its label says."""
        return self.content_type == "text/html" or self.body[:64].lstrip().lower().startswith((b"<!doctype", b"<html"))


class Transport:
    """One account's HTTP connections. Connects on first use; closing it does no network call."""

    def __init__(
        self, config: PoeConfig, credentials: WebCredentials, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._config = config
        self._base = config.web_base_url.rstrip("/")
        self._cookie = _cookie_header(credentials)
        self._wall_clock = wall_clock
        self._headers = {
            "User-Agent": credentials.user_agent or config.user_agent,
            "Accept": "*/*",
            "Origin": self._base,
            "Referer": self._base + "/",
        }
        self._client: httpx.AsyncClient | None = None
        self._is_closed = False
        # Wall-clock time of the last exchange: the monotonic clock may stand still while the process is frozen.
        self._used_at = 0.0
        # Exchanges in flight per httpx client; a client that was replaced is closed by the last of them.
        self._in_flight: dict[httpx.AsyncClient, int] = {}

    async def aclose(self) -> None:
        """Close every connection. Safe to call twice."""
        self._is_closed = True
        clients, self._client, self._in_flight = {*self._in_flight, self._client}, None, {}
        for client in clients:
            if client is not None:
                await client.aclose()

    async def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        parts: Sequence[Part] = (),
        max_bytes: int | None = None,
        timeout_seconds: float | None = None,
        operation: str | None = None,
    ) -> Reply:
        """Exchange one request; `url` may be a path of the base address.

        Raises `PoeError` for every failure of the network; its `delivery` says whether the request may have left.
        A status that is not 200 is not an error here.
        """
        url = urljoin(self._base + "/", url)
        sent = {**self._headers, **(headers or {})}
        # Scripts come from other hosts, which must not see the session.
        if _origin(url) == _origin(self._base):
            sent["Cookie"] = self._cookie
        # A list of pairs keeps the order of the parts; a `None` file name makes a part a plain field.
        files = [(part.name, (part.file_name, part.data, part.content_type)) for part in parts] or None
        limit = max_bytes or self._config.max_page_bytes
        client = await self._acquire()
        try:
            timeout = httpx.Timeout(
                timeout_seconds or self._config.request_timeout_seconds, connect=self._config.connect_timeout_seconds
            )
            async with client.stream(method, url, headers=sent, content=content, files=files, timeout=timeout) as reply:
                body = await _read(reply, limit, operation)
                return Reply(reply.status_code, dict(reply.headers), body)
        except httpx.HTTPError as error:
            raise _translate(error, operation) from error
        except (httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise poe_error(
                ErrorCode.PROTOCOL, "the address or the answer is malformed", operation=operation
            ) from error
        finally:
            await self._release(client)

    async def _acquire(self) -> httpx.AsyncClient:
        if self._is_closed:
            raise poe_error(ErrorCode.CONNECTION_FAILED, "the client is closed", delivery=Delivery.NOT_SENT)
        now = self._wall_clock()
        # A clock that was set back says nothing about the rest either.
        stale = not 0 <= now - self._used_at <= self._config.channel_trust_seconds
        if self._client is not None and stale:
            # An idle connection may have died while the process was frozen, and a message that was written to a dead
            # connection can't be sent again: nobody knows whether it arrived. A fresh connection costs less.
            retired, self._client = self._client, None
            if not self._in_flight.get(retired):
                await retired.aclose()
        if self._client is None:
            self._client = self._connect()
        self._used_at = now
        self._in_flight[self._client] = self._in_flight.get(self._client, 0) + 1
        return self._client

    async def _release(self, client: httpx.AsyncClient) -> None:
        self._used_at = self._wall_clock()
        remaining = self._in_flight.pop(client, 0) - 1
        if remaining > 0:
            self._in_flight[client] = remaining
        elif client is not self._client:
            await client.aclose()

    def _connect(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=tls_context(),
            # No proxy and no certificates out of the environment: only what the configuration says.
            trust_env=False,
            proxy=self._config.proxy,
            # A redirect is an answer to be understood: to the login, or to something that is not Poe.
            follow_redirects=False,
            # Keeps none: what the user has set is sent, and nothing that an answer sets.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx.Limits(keepalive_expiry=self._config.channel_trust_seconds),
        )


async def _read(reply: httpx.Response, limit: int, operation: str | None) -> bytes:
    body = bytearray()
    async for chunk in reply.aiter_bytes():
        body += chunk
        # Counted unpacked: a small answer can unpack to any size.
        if len(body) > limit:
            raise poe_error(ErrorCode.PROTOCOL, f"the answer is longer than {limit} bytes", operation=operation)
    return bytes(body)


def _translate(error: httpx.HTTPError, operation: str | None) -> PoeError:
    """The most specific of our errors for one of httpx's; its text may hold addresses, so it stays the cause."""
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            message = "Poe did not accept a connection in time"
            return poe_error(ErrorCode.TIMEOUT, message, operation=operation, delivery=Delivery.NOT_SENT)
        case httpx.ConnectError() | httpx.ProxyError() | httpx.UnsupportedProtocol():
            return poe_error(ErrorCode.CONNECTION_FAILED, operation=operation, delivery=Delivery.NOT_SENT)
        case httpx.TimeoutException():
            # Without a delivery: the request was written, and the code's own word is "unknown".
            return poe_error(ErrorCode.TIMEOUT, operation=operation)
        case httpx.DecodingError():
            return poe_error(ErrorCode.PROTOCOL, "the answer's encoding is broken", operation=operation)
        case _:
            return poe_error(ErrorCode.CONNECTION_FAILED, "the connection to Poe broke", operation=operation)


def _cookie_header(credentials: WebCredentials) -> str:
    cookies = {
        "p-b": credentials.p_b,
        "p-lat": credentials.p_lat,
        "cf_clearance": credentials.cf_clearance,
        "__cf_bm": credentials.cf_bm,
    }
    # The HTTP library would refuse these too, but by quoting the value in its error.
    sent = [*cookies.values(), (credentials.user_agent or "").replace(";", "")]
    if any(value and (not value.isascii() or not value.isprintable() or ";" in value) for value in sent):
        raise ValueError("a cookie or the user agent has characters that can't be sent")
    return "; ".join(f"{name}={value}" for name, value in cookies.items() if value)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


# What Cloudflare's pages say (docs/reference/poe-web.md#failures); the header is Cloudflare's own documented mark.
_CHALLENGE_MARKS = (b"Just a moment...", b"Enable JavaScript and cookies to continue", b"challenge-platform")


def check_reply(reply: Reply, operation: str | None = None) -> None:
    """Raise what a reply's status and form say by themselves: challenge, login, block, rate, failure. Bodies of JSON
    are left to the caller, because Poe also rejects requests in JSON with any status.
    """

    wait = retry_after_seconds(reply.headers.get("retry-after"))

    def failed(code: ErrorCode, message: str | None = None, delivery: Delivery | None = None) -> PoeError:
        return poe_error(
            code, message, operation=operation, status=reply.status, retry_after_seconds=wait, delivery=delivery
        )

    if reply.headers.get("cf-mitigated") == "challenge" or (
        reply.is_html and any(mark in reply.body[:65536] for mark in _CHALLENGE_MARKS)
    ):
        raise failed(ErrorCode.CHALLENGE)
    if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
        if "/login" in urlsplit(reply.headers.get("location", "")).path:
            raise failed(ErrorCode.NOT_AUTHENTICATED, "Poe asks for a login")
        raise failed(ErrorCode.PROTOCOL, "Poe redirects this request")
    if (code := _STATUS_CODES.get(reply.status)) is not None:
        # Who names a time to come back did not take the request; a bare 503 may come from behind whoever took it.
        is_refused = code is ErrorCode.OVERLOADED and wait is not None
        raise failed(code, delivery=Delivery.REFUSED if is_refused else None)
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise failed(ErrorCode.UPSTREAM_FAILED)
    if reply.status >= HTTPStatus.BAD_REQUEST:
        raise failed(ErrorCode.PROTOCOL, "Poe refused the form of the request", Delivery.REFUSED)


_STATUS_CODES = {
    401: ErrorCode.NOT_AUTHENTICATED,
    403: ErrorCode.BLOCKED,
    413: ErrorCode.FILE_TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
    503: ErrorCode.OVERLOADED,
}


def retry_after_seconds(value: str | None) -> float | None:
    """`Retry-After` in seconds, at most a day; the form with a date is not used by Poe as far as known."""
    try:
        seconds = float(value) if value else None
    except ValueError:
        return None
    return min(seconds, 86400.0) if seconds is not None and seconds >= 0 else None
