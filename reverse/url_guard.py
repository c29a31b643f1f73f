"""Decides which addresses may be fetched on behalf of a caller. Pure: it parses and judges, and looks nothing up.

An address is taken apart by one strict grammar and put together anew, so that no two parsers can disagree about its
host. Whatever the grammar does not know is refused: user information, backslashes, percent signs in the host, zone ids,
characters beyond ASCII, numbers in other notations than dotted decimal. Host names are judged by what they resolve to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import field
from urllib.parse import quote, urljoin

from lazy_dataclasses import dataclass
from reverse.errors import ErrorCode, PoeError, poe_error

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_URL_CHARS = 4096
_MAX_HOST_CHARS = 253
_FIRST_UNPRIVILEGED_PORT = 1024
_LAST_PORT = 65535
_DEFAULT_PORTS = {"https": 443, "http": 80}

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#\\\s]*)?(?P<query>\?[^#\\\s]*)?(?P<fragment>#\S*)?",
    # ASCII: otherwise the Kelvin sign would pass for a k.
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# A host whose last label reads as a number is an IPv4 address in some notation (the URL standard's rule).
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Names that never lead to the public Internet.
_PRIVATE_SUFFIXES = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "onion",
    "test",
    "invalid",
)

_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers, and some clouds' metadata
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: cloud metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
# Interface ids of ISATAP, which carry an IPv4 address under any prefix.
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public(address: IPAddress) -> bool:
    """Whether an address is ordinary public unicast. What carries an IPv4 address inside an IPv6 one is not."""
    if isinstance(address, ipaddress.IPv4Address):
        # Python's own judgement depends on its version; the list does not.
        return address.is_global and not any(address in network for network in _REFUSED_V4)
    # Only global unicast is public at all; everything else in IPv6 has another purpose.
    if address not in _GLOBAL_V6 or any(address in network for network in _REFUSED_V6):
        return False
    return (int(address) >> 32) & 0xFFFFFFFF not in _ISATAP


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What may be fetched. `is_allowed` judges addresses; a test that serves files on loopback replaces it."""

    allow_http: bool = False
    max_redirects: int = 4
    is_allowed: Callable[[IPAddress], bool] = is_public


@dataclass(frozen=True, slots=True)
class Target:
    """An address that passed the grammar. `host` is a lower-case name, or an IP address in its normal form."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    literal: IPAddress | None

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if isinstance(self.literal, ipaddress.IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address, put together anew."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def pinned_url(self, address: IPAddress) -> str:
        """The same resource at one IP address, without any name to look up."""
        host = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address)
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_target(url: str, policy: FetchPolicy) -> Target:
    """Take `url` apart. Raises `unsafe_url` unless it is an unambiguous address that may be looked up."""
    match = _ADDRESS.fullmatch(url) if len(url) <= _MAX_URL_CHARS and url.isprintable() else None
    if match is None:
        raise unsafe("the address is not a plain https address")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if scheme == "http" and not policy.allow_http:
        raise unsafe("only https addresses are fetched")
    literal = _parse_literal(host)
    if literal is None:
        _check_name(host)
    elif not policy.is_allowed(literal):
        raise unsafe("the address is not on the public Internet")
    # Quoted anew, with the percent signs that are there: no byte reaches the request line that a header could be made
    # of.
    resource = quote((match["path"] or "/") + (match["query"] or ""), safe="/?:@!$&'()*+,;=~%-._[]|^")
    return Target(scheme, str(literal) if literal else host, _port(match["port"], scheme), resource, literal)


def parse_redirect(current: Target, location: str, policy: FetchPolicy) -> Target:
    """The target of a redirect, under the same rules. Raises `unsafe_url`."""
    try:
        # A location may be relative. What comes out is judged like an address that a caller gave.
        joined = urljoin(current.url, location)
    except ValueError:
        raise unsafe("the redirect leads to no plain https address") from None
    return parse_target(joined, policy)


def check_resolved(addresses: list[str], policy: FetchPolicy) -> list[IPAddress]:
    """The addresses that a name resolved to, IPv4 first. Raises `unsafe_url` when a single one is not allowed."""
    try:
        parsed = {ipaddress.ip_address(address) for address in addresses}
    except ValueError:
        raise unsafe("the name leads to no address") from None
    # A name with one private address among public ones is how a rebinding attack begins.
    if not parsed or not all(policy.is_allowed(address) for address in parsed):
        raise unsafe("the name does not lead to the public Internet")
    return sorted(parsed, key=lambda address: (address.version, int(address)))


def unsafe(message: str) -> PoeError:
    """The error for an address that is not fetched."""
    return poe_error(ErrorCode.UNSAFE_URL, message)


def _parse_literal(host: str) -> IPAddress | None:
    """The IP address that `host` is, or `None` for a name. Raises `unsafe_url` for odd notations."""
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1])
        # `127.1`, `0x7f.1` and `2130706433` are 127.0.0.1 to some resolvers; Python's parser takes dotted decimal only.
        if _NUMERIC_LABEL.fullmatch(host.rstrip(".").rsplit(".", 1)[-1]):
            return ipaddress.IPv4Address(host)
    except ValueError:
        raise unsafe("the host is an IP address in an unusual notation") from None
    return None


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > _MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise unsafe("the host is not a plain name")
    # A single label is completed by the resolver's search domains, which are private.
    if len(labels) == 1 or host.endswith(tuple(f".{suffix}" for suffix in _PRIVATE_SUFFIXES)):
        raise unsafe("the host is not a public name")


def _port(text: str | None, scheme: str) -> int:
    port = int(text) if text is not None else _DEFAULT_PORTS[scheme]
    # Low ports are those of mail, databases and the like, some of which take HTTP for commands.
    if port > _LAST_PORT or (port < _FIRST_UNPRIVILEGED_PORT and port not in _DEFAULT_PORTS.values()):
        raise unsafe("the port is not one for web pages")
    return port
