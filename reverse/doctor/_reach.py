"""Checks name resolution, connection and TLS separately, so that the first failure is the cause."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import suppress
from urllib.parse import urlsplit

from reverse.config import PoeConfig
from reverse.doctor._report import Examination, Skipped
from reverse.tls import tls_context

_DAY = 86400.0


async def check_reach(examination: Examination, config: PoeConfig, base_url: str) -> None:
    """Three steps: `dns`, `tcp`, `tls`. Skipped behind a proxy, which does all this itself."""
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    bound = config.connect_timeout_seconds

    def directly() -> None:
        if config.proxy:
            raise Skipped("through the proxy")

    async def dns() -> str:
        directly()
        async with asyncio.timeout(bound):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        families = sorted({"IPv6" if family is socket.AF_INET6 else "IPv4" for family, *_ in found})
        return f"{host}: {len(found)} addresses, {' and '.join(families)}"

    async def tcp() -> str:
        directly()
        async with asyncio.timeout(bound):
            _, writer = await asyncio.open_connection(host, port)
        await _hang_up(writer)
        return f"port {port} is open"

    async def tls() -> str:
        directly()
        if parts.scheme != "https":
            raise Skipped("the address has none")
        async with asyncio.timeout(bound):
            _, writer = await asyncio.open_connection(host, port, ssl=tls_context())
        try:
            session: ssl.SSLObject = writer.get_extra_info("ssl_object")
            ends = ssl.cert_time_to_seconds(str((session.getpeercert() or {})["notAfter"]))
            return f"{session.version()}, certificate good for {(ends - time.time()) / _DAY:.0f} days"
        finally:
            await _hang_up(writer)

    await examination.step("dns", dns)
    needs = [] if config.proxy else ["dns"]
    await examination.step("tcp", tcp, needs=needs)
    await examination.step("tls", tls, needs=[*needs, "tcp"] if needs else [])


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    # Aborted, because a proper goodbye would wait for the other end.
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
