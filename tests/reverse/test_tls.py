"""Every way out verifies the server, against the list that the user's environment names."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.errors import PoeError
from reverse.fetch import fetch
from reverse.official import PoeOfficialClient
from reverse.url_guard import FetchPolicy

pytestmark = pytest.mark.usefixtures("fresh_tls")
BODY = b'{"current_point_balance": 7}'


@pytest.fixture
async def address(certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    """A server that answers everything with one JSON object, over TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + BODY)
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def read_points(address: str) -> object:
    config = PoeConfig(official_base_url=address)
    async with PoeOfficialClient(OfficialCredentials("key"), config, max_retries=0) as client:
        return (await client.points()).balance


async def fetch_file(address: str) -> object:
    policy = FetchPolicy(is_allowed=lambda ip: ip.is_loopback)
    return len((await fetch(address + "/", max_bytes=100, timeout_seconds=5, policy=policy)).data)


@pytest.mark.parametrize(("read", "answer"), [(read_points, 7), (fetch_file, len(BODY))])
async def test_a_certificate_counts_only_where_the_user_trusts_it(
    certificate: tuple[Path, Path],
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[str], Awaitable[object]],
    answer: int,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert await read(address) == answer


@pytest.mark.parametrize("read", [read_points, fetch_file])
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Awaitable[object]]
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(PoeError):
        await read(address)
