"""HTTP to poe.com. No other module of the web client imports httpx, which encodes uploads.

What the server sends is not trusted: bodies are capped, redirects are not followed, cookies it sets are not kept. The
user's own cookies go to the base address and nowhere else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from http import HTTPStatus
from typing import Literal
from urllib.parse import urljoin, urlsplit

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.wire.stream_transport import StreamTransport, sending_seconds
from reverse.wire.transport import OutgoingRequest, read_body


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
    """One account's HTTP connections. Connects on first use, unless it is given `connections`, which it closes.

    Closing it does no network call.
    """

    def __init__(
        self,
        config: PoeConfig,
        credentials: WebCredentials,
        *,
        connections: StreamTransport | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._base = config.web_base_url.rstrip("/")
        self._cookie = _cookie_header(credentials)
        self._headers = {
            "User-Agent": credentials.user_agent or config.user_agent,
            "Accept": "*/*",
            "Origin": self._base,
            "Referer": self._base + "/",
        }
        self._connections = connections or StreamTransport(config, wall_clock=wall_clock)
        self._is_closed = False

    async def aclose(self) -> None:
        """Close every connection. Safe to call twice."""
        self._is_closed = True
        await self._connections.aclose()

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
        operation: str = "request",
    ) -> Reply:
        """Exchange one request; `url` may be a path of the base address.

        Head and body of the answer have `timeout_seconds` each, and more where much is sent. Raises `PoeError` for
        every failure of the network; its `delivery` says whether the request may have left. A status that is not 200 is
        not an error here.
        """
        if self._is_closed:
            raise poe_error(ErrorCode.CONNECTION_FAILED, "the client is closed", delivery=Delivery.NOT_SENT)
        sent = {**self._headers, **(headers or {})}
        try:
            # Scripts have whole addresses, operations only paths.
            url = urljoin(self._base + "/", url)
            # Scripts come from other hosts, which must not see the session.
            if _origin(url) == _origin(self._base):
                sent["Cookie"] = self._cookie
        except ValueError:
            raise _malformed(operation) from None
        if parts:
            content, sent["Content-Type"] = _multipart(parts)
        request = OutgoingRequest(method, url, operation, sent, content=content)
        seconds = timeout_seconds or self._config.request_timeout_seconds
        try:
            async with self._connections.open(request, timeout_seconds=seconds + sending_seconds(content)) as reply:
                deadline = asyncio.get_running_loop().time() + seconds
                body = await read_body(reply, max_bytes or self._config.max_page_bytes, deadline)
                return Reply(reply.status, reply.headers, body)
        except PoeError as error:
            if error.code is not ErrorCode.INVALID_REQUEST:
                raise
            # Addresses and some headers come from Poe.
            raise _malformed(operation) from None


def _malformed(operation: str) -> PoeError:
    return poe_error(ErrorCode.PROTOCOL, "the address is malformed", operation=operation, delivery=Delivery.NOT_SENT)


def _multipart(parts: Sequence[Part]) -> tuple[bytes, str]:
    """A form's body, and its content type."""
    import httpx  # 50 ms of processor time, for uploads alone

    # A list of pairs keeps the order of the parts; a `None` file name makes a part a plain field.
    files = [(part.name, (part.file_name, part.data, part.content_type)) for part in parts]
    form = httpx.Request("POST", "https://form.invalid", files=files)
    return form.read(), form.headers["content-type"]


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
    # Not followed: it would carry the cookies along.
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
