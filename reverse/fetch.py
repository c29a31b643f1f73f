"""Fetches a file from a caller's address or `data:` URL, without letting the address reach the private network.

The name is looked up once, every answer is checked, and the connection goes to a checked address: a second look-up that
could answer differently does not happen. TLS is verified for the name. Every redirect starts over with all checks.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import field
from http import HTTPStatus
from urllib.parse import unquote, unquote_to_bytes

import httpx

from lazy_dataclasses import dataclass
from reverse import tls
from reverse.config import USER_AGENT
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.file_types import safe_name, sniff_type
from reverse.url_guard import FetchPolicy, IPAddress, Target, check_resolved, parse_redirect, parse_target, unsafe

Resolver = Callable[[str, int], Awaitable[list[str]]]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_ADDRESSES_TRIED = 2
# Enough of a file to tell its type.
_SNIFFED_BYTES = 64
_MAX_DIGITS = 20
_DATA_URL = re.compile(r"data:(?P<kind>[^;,]*)(?P<parameters>(?:;[^;,]*)*?)(?P<base64>;\s*base64\s*)?,", re.IGNORECASE)
_NAME_PARAMETER = re.compile(r";(?:file)?name=([^;,]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file. `content_type` is by its bytes; `url` is where it came from in the end, `None` for a `data:` URL."""

    data: bytes = field(repr=False)
    content_type: str
    name: str
    url: str | None = field(default=None, repr=False)


async def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of `host` by the system's resolver. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_seconds: float,
    resolver: Resolver = resolve_host,
    policy: FetchPolicy | None = None,
    tls_context: ssl.SSLContext | None = None,
    user_agent: str = USER_AGENT,
) -> FetchedFile:
    """Fetch the file at `url`; `timeout_seconds` bounds everything together, redirects and a slow sender included.

    Raises `RequestError`: `unsafe_url` for an address that must not be fetched, `file_too_large`, and
    `invalid_request` when the address does not lead to a file in time. Cancellation closes the connection.
    """
    policy = policy or FetchPolicy()
    try:
        async with asyncio.timeout(timeout_seconds), _transport(tls_context) as transport:
            response, target = await _follow(transport, url, resolver, policy, user_agent)
            try:
                path = unquote(target.path.partition("?")[0])
                return _file(await _read(response, max_bytes), path, target.url)
            finally:
                await response.aclose()
    except TimeoutError:
        raise _failed("the file's address did not answer in time") from None


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is still arriving. `content_type` is by its first bytes, `size` is what the server announced."""

    content_type: str
    name: str
    size: int | None
    chunks: AsyncGenerator[bytes, None] = field(repr=False)


@asynccontextmanager
async def open_file(
    url: str,
    *,
    max_bytes: int,
    timeout_seconds: float,
    resolver: Resolver = resolve_host,
    policy: FetchPolicy | None = None,
) -> AsyncIterator[OpenFile]:
    """Open the file at `url` to read it piece by piece; its memory does not grow with the file.

    `timeout_seconds` bounds everything up to the first piece, and then each piece. Raises as `fetch` does, while
    reading, too: `file_too_large` as soon as more than `max_bytes` are announced or have come. Leaving closes the
    connection.
    """
    async with _transport() as transport:
        response: httpx.Response | None = None
        pieces: AsyncGenerator[bytes, None] | None = None
        try:
            try:
                async with asyncio.timeout(timeout_seconds):
                    response, target = await _follow(transport, url, resolver, policy or FetchPolicy(), USER_AGENT)
                    pieces = _pieces(response, max_bytes, timeout_seconds)
                    # Read before anything is yielded: the type is told by the first bytes, and most failures show with
                    # them.
                    first = await anext(pieces, b"")
            except TimeoutError:
                raise _failed("the file's address did not answer in time") from None
            size = _announced(response)
            name = unquote(target.path.partition("?")[0]).rstrip("/").rsplit("/", 1)[-1]
            content_type = sniff_type(first, name)
            async with aclosing(_chained(first, pieces)) as chunks:
                yield OpenFile(content_type, safe_name(name, content_type), size, chunks)
        finally:
            if pieces is not None:
                await pieces.aclose()
            if response is not None:
                await response.aclose()


async def _chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first
    async for piece in rest:
        yield piece


async def _pieces(response: httpx.Response, max_bytes: int, timeout_seconds: float) -> AsyncGenerator[bytes, None]:
    """The body, of which the first piece is long enough to tell its type, unless the file is shorter."""
    if (_announced(response) or 0) > max_bytes:
        raise poe_error(ErrorCode.FILE_TOO_LARGE)
    # Raw, without decompression: a small body could unpack to any size.
    body = response.aiter_raw()
    size, held, is_sniffed = 0, b"", False
    while True:
        try:
            async with asyncio.timeout(timeout_seconds):
                piece = await anext(body, None)
        except TimeoutError:
            raise _failed("the file's address did not answer in time") from None
        except (httpx.HTTPError, httpx.StreamError):
            raise _failed("the file's address could not be read") from None
        # Counted while it comes: the announced length is the sender's word.
        size += len(piece or b"")
        if size > max_bytes:
            raise poe_error(ErrorCode.FILE_TOO_LARGE)
        held += piece or b""
        if held and (piece is None or is_sniffed or len(held) >= _SNIFFED_BYTES):
            is_sniffed = True
            yield held
            held = b""
        if piece is None:
            return


def parse_data_url(url: str, *, max_bytes: int) -> FetchedFile:
    """Decode a `data:` URL. Raises `invalid_request` when it is none, `file_too_large` beyond `max_bytes`."""
    # The head of a data URL is short; the pattern must not run over megabytes of content.
    match = _DATA_URL.match(url[:1000])
    if match is None:
        raise _failed("the data URL can't be read")
    payload = url[match.end() :]
    # Three characters per byte at most when every byte is percent-encoded, four thirds in base64.
    if len(payload) > 3 * max_bytes + 4:
        raise poe_error(ErrorCode.FILE_TOO_LARGE)
    data = _decode_payload(payload, is_base64=match["base64"] is not None)
    if len(data) > max_bytes:
        raise poe_error(ErrorCode.FILE_TOO_LARGE)
    named = _NAME_PARAMETER.search(match["parameters"])
    return _file(data, unquote(named[1]) if named else "", None)


def _decode_payload(payload: str, *, is_base64: bool) -> bytes:
    try:
        data = unquote_to_bytes(payload)
        if not is_base64:
            return data
        packed = b"".join(data.split()).replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _failed("the data URL can't be read") from None


async def resolve_target(target: Target, resolver: Resolver, policy: FetchPolicy) -> list[IPAddress]:
    """The checked addresses of a target. Raises `RequestError`: `unsafe_url`, or `invalid_request` for no host."""
    # Checked when the address was taken apart.
    if target.literal is not None:
        return [target.literal]
    try:
        return check_resolved(await resolver(target.host, target.port), policy)
    except (OSError, UnicodeError):
        raise _failed("the host of the file's address is not known") from None


@dataclass(frozen=True, slots=True)
class _Request:
    """One request, and the checked addresses that it may go to."""

    target: Target
    addresses: list[IPAddress]
    user_agent: str

    def to(self, address: IPAddress) -> httpx.Request:
        """The request to one of the addresses, with the name kept for the server and for TLS."""
        headers = {
            "Host": self.target.authority,
            "User-Agent": self.user_agent,
            "Accept": "*/*",
            # Compressed replies are not asked for: a small one can unpack into any size.
            "Accept-Encoding": "identity",
            # A stranger's server: nothing of it is kept.
            "Connection": "close",
        }
        # The connection goes to an IP address, so that TLS has to be told the name to verify.
        extensions = {} if self.target.literal else {"sni_hostname": self.target.host}
        return httpx.Request("GET", self.target.pinned_url(address), headers=headers, extensions=extensions)


async def _follow(
    transport: httpx.AsyncHTTPTransport, url: str, resolver: Resolver, policy: FetchPolicy, user_agent: str
) -> tuple[httpx.Response, Target]:
    """The response that has the file, and where it came from in the end; every redirect is checked anew."""
    target = parse_target(url, policy)
    for _ in range(policy.max_redirects + 1):
        request = _Request(target, await resolve_target(target, resolver, policy), user_agent)
        reply = await _get(transport, request)
        if isinstance(reply, httpx.Response):
            return reply, target
        target = parse_redirect(target, reply, policy)
    raise unsafe("the address leads through too many redirects")


async def _get(transport: httpx.AsyncHTTPTransport, request: _Request) -> httpx.Response | str:
    """The open response, or where it redirects to. Tries the next address only when a connection can't be made."""
    for address in request.addresses[:_MAX_ADDRESSES_TRIED]:
        try:
            response = await transport.handle_async_request(request.to(address))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
        # Something may have been sent: another address of the host does not get the request again.
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL):
            break
        location: str | None = response.headers.get("location")
        # Compressed in spite of what was asked for: refused, see the request's headers.
        if response.status_code == HTTPStatus.OK and response.headers.get("content-encoding", "identity") == "identity":
            return response
        await response.aclose()
        if response.status_code in _REDIRECTS and location:
            return location
        raise _failed(f"the file's address answered with HTTP {response.status_code}, not with a file")
    raise _failed("the file's address could not be read")


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    if (_announced(response) or 0) > max_bytes:
        raise poe_error(ErrorCode.FILE_TOO_LARGE)
    data = bytearray()
    try:
        async for chunk in response.aiter_raw():
            data += chunk
            if len(data) > max_bytes:
                raise poe_error(ErrorCode.FILE_TOO_LARGE)
    except (httpx.HTTPError, httpx.StreamError):
        raise _failed("the file's address could not be read") from None
    return bytes(data)


def _announced(response: httpx.Response) -> int | None:
    """The length that the server says the body has."""
    announced = response.headers.get("content-length", "")
    # A number that no file has is not taken for the one that its first digits would be.
    return int(announced) if announced.isascii() and announced.isdecimal() and len(announced) <= _MAX_DIGITS else None


def _file(data: bytes, path: str, url: str | None) -> FetchedFile:
    name = path.rstrip("/").rsplit("/", 1)[-1]
    content_type = sniff_type(data, name)
    return FetchedFile(data, content_type, safe_name(name, content_type), url)


def _transport(tls_context: ssl.SSLContext | None = None) -> httpx.AsyncHTTPTransport:
    # The transport without httpx's client, which logs every address: a signed one is a secret.
    return httpx.AsyncHTTPTransport(verify=tls_context or tls.tls_context(), trust_env=False)


def _failed(message: str) -> PoeError:
    return poe_error(ErrorCode.INVALID_REQUEST, message)
