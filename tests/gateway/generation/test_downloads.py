"""Fetching files that bots made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.generation.downloads import Downloads
from reverse.errors import ErrorCode, PoeError
from reverse.events import FileAttached

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
PLACES = {
    b"/image": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(PNG) + PNG,
    b"/elsewhere": b"HTTP/1.1 302 Found\r\nLocation: /image\r\nContent-Length: 0\r\n\r\n",
}


@asynccontextmanager
async def serve() -> AsyncIterator[str]:
    """A stand-in of Poe on this machine; its base address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(PLACES[request.split()[1]])
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_configured_address_of_poe_may_be_on_this_machine() -> None:
    async with serve() as base:
        file = FileAttached(f"{base}/image", "text/plain")
        assert await Downloads([base, ""]).read(file, max_bytes=100) == (PNG, "image/png")


@pytest.mark.parametrize("trusted", [lambda base: [], lambda base: [base.replace("127.0.0.1", "localhost")]])
async def test_no_other_address_may_be_on_this_machine(trusted: Callable[[str], list[str]]) -> None:
    async with serve() as base:
        with pytest.raises(PoeError) as caught:
            await Downloads(trusted(base)).read(FileAttached(f"{base}/image"), max_bytes=100)
    assert caught.value.code is ErrorCode.UNSAFE_URL


async def test_a_configured_address_leads_nowhere_else() -> None:
    """What is allowed there is allowed for that address alone, and a redirect could lead anywhere."""
    async with serve() as base:
        with pytest.raises(PoeError):
            await Downloads([base]).read(FileAttached(f"{base}/elsewhere"), max_bytes=100)
