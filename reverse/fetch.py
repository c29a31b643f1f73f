"""Fetches a file from an address that a user gave, or from a `data:` URL, without being turned against its own network.

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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import unquote, unquote_to_bytes

import httpx

from reverse.config import USER_AGENT
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.file_types import safe_name, sniff_type
from reverse.url_guard import FetchPolicy, IPAddress, Target, check_resolved, parse_redirect, parse_target, unsafe

Resolver = Callable[[str, int], Awaitable[list[str]]]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_MAX_ADDRESSES_TRIED = 2
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
    target = parse_target(url, policy)
    try:
        async with asyncio.timeout(timeout_seconds), _transport(tls_context) as transport:
            for _ in range(policy.max_redirects + 1):
                request = _Request(target, await _addresses(target, resolver, policy), user_agent)
                reply = await _get(transport, request, max_bytes)
                if isinstance(reply, FetchedFile):
                    return reply
                target = parse_redirect(target, reply, policy)
    except TimeoutError:
        raise _failed("the file's address did not answer in time") from None
    raise unsafe("the address leads through too many redirects")


def parse_data_url(url: str, *, max_bytes: int) -> FetchedFile:
    """Decode a `data:` URL. Raises `invalid_request` when it is none, `file_too_large` beyond `max_bytes`."""
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


async def _addresses(target: Target, resolver: Resolver, policy: FetchPolicy) -> list[IPAddress]:
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
            "Connection": "close",
        }
        extensions = {} if self.target.literal else {"sni_hostname": self.target.host}
        return httpx.Request("GET", self.target.pinned_url(address), headers=headers, extensions=extensions)


async def _get(transport: httpx.AsyncHTTPTransport, request: _Request, max_bytes: int) -> FetchedFile | str:
    """The file, or where the redirect leads. Tries the next address only when a connection can't be made."""
    for address in request.addresses[:_MAX_ADDRESSES_TRIED]:
        try:
            return await _get_from(transport, request, address, max_bytes)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL):
            break
    raise _failed("the file's address could not be read")


async def _get_from(
    transport: httpx.AsyncHTTPTransport, request: _Request, address: IPAddress, max_bytes: int
) -> FetchedFile | str:
    target = request.target
    response = await transport.handle_async_request(request.to(address))
    try:
        location: str | None = response.headers.get("location")
        if response.status_code in _REDIRECTS and location:
            return location
        if response.status_code != _OK or response.headers.get("content-encoding", "identity") != "identity":
            raise _failed("the file's address did not answer with a file")
        return _file(await _read(response, max_bytes), unquote(target.path.partition("?")[0]), target.url)
    finally:
        await response.aclose()


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise poe_error(ErrorCode.FILE_TOO_LARGE)
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > max_bytes:
            raise poe_error(ErrorCode.FILE_TOO_LARGE)
    return bytes(data)


def _file(data: bytes, path: str, url: str | None) -> FetchedFile:
    name = path.rstrip("/").rsplit("/", 1)[-1]
    content_type = sniff_type(data, name)
    return FetchedFile(data, content_type, safe_name(name, content_type), url)


def _transport(tls_context: ssl.SSLContext | None) -> httpx.AsyncHTTPTransport:
    # The transport without httpx's client, which logs every address: a signed one is a secret.
    return httpx.AsyncHTTPTransport(verify=tls_context or _default_tls_context(), trust_env=False)


@cache
def _default_tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _failed(message: str) -> PoeError:
    return poe_error(ErrorCode.INVALID_REQUEST, message)
