"""Opening a connection: directly, or through the one proxy that the user names."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from http_connections.connection import Connection, ConnectionLostError
from http_connections.http1 import encode_request_head
from lazy_dataclasses import dataclass

# Where a name has addresses of both kinds and one kind does not answer, the other is tried after this (RFC 8305).
_HAPPY_EYEBALLS_SECONDS = 0.25
_PORTS = {"http": 80, "https": 443}
# What a target may hold as it is; `%` because an address may be encoded already.
_PLAIN = "!#$%&'()*+,/:;=?@[\\]^|~"
_IS_PLAIN = re.compile(rf"[A-Za-z0-9_.\-{re.escape(_PLAIN)}]*")


class ProxyRefusedError(Exception):
    """The proxy would not connect."""


class Origin(NamedTuple):
    """Where connections go; those of one origin are interchangeable."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> tuple[Origin, str]:
        """The origin of an address, and the target that a request to it names. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("the address has no host, or is not for HTTP")
        # DNS and certificates know names in ASCII only, and of a certain length.
        host = parts.hostname.encode("idna").decode("ascii")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if _IS_PLAIN.fullmatch(target) is None:
            target = quote(target, safe=_PLAIN)
        return cls(parts.scheme, host, parts.port or _PORTS[parts.scheme]), target

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port for CONNECT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """As `authority`, without the scheme's own port."""
        return self.authority.removesuffix(f":{_PORTS[self.scheme]}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy, and the headers that it alone may see."""

    origin: Origin
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, url: str) -> Proxy:
        """From its address, which may hold name and password. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.username is None and parts.password is None:
            return cls(Origin.of(url)[0])
        # In an address both are percent-encoded.
        secret = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        return cls(Origin.of(url)[0], (("Proxy-Authorization", f"Basic {base64.b64encode(secret).decode()}"),))


async def dial(
    origin: Origin, proxy: Proxy | None, deadline: float, tls_context: Callable[[], ssl.SSLContext]
) -> Connection:
    """A connection on which requests to `origin` can be sent; TLS is verified against the origin's name.

    `tls_context` makes or shares the context, and is called where there is TLS.

    Raises `TimeoutError` at the deadline, a time of the loop; `OSError`, `ConnectionLostError`, `ProxyRefusedError`.
    """
    async with asyncio.timeout_at(deadline):
        if proxy is None:
            return await _connect(origin, tls_context)
        connection = await _connect(proxy.origin, tls_context)
        if not origin.is_secure:
            return connection  # which forwards each request
        try:
            await _tunnel(connection, origin, proxy, deadline, tls_context())
        except BaseException:
            connection.abort()
            raise
        return connection


async def _connect(origin: Origin, tls_context: Callable[[], ssl.SSLContext]) -> Connection:
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"ssl": tls_context()} if origin.is_secure else {}
    # uvloop tries one address after the other, and takes no such option; a number has no other address.
    if isinstance(loop, asyncio.BaseEventLoop) and not _is_number(origin.host):
        options["happy_eyeballs_delay"] = _HAPPY_EYEBALLS_SECONDS
    _, connection = await loop.create_connection(Connection, origin.host, origin.port, **options)
    return connection


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _tunnel(
    connection: Connection, origin: Origin, proxy: Proxy, deadline: float, context: ssl.SSLContext
) -> None:
    head = encode_request_head("CONNECT", origin.authority, [("Host", origin.authority), *proxy.headers])
    await connection.send([head], deadline, has_body=False)
    reply = await connection.receive_head(deadline)
    # What a proxy says is not shown: it is a stranger's page.
    if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        raise ProxyRefusedError
    # CONNECT was an exchange of its own, and is over.
    connection.begin_idle()
    secured = await asyncio.get_running_loop().start_tls(
        connection.take_transport(), connection, context, server_hostname=origin.host
    )
    # `start_tls` returns nothing where the connection was closed during the handshake.
    if secured is None:
        raise ConnectionLostError
    connection.use_transport(secured)
