"""What HTTP clients cost per piece of a streamed answer: `python -m local.bench.http_clients`.

A server in a process of its own sends events of an answer as chunks, paced and flat out. Each client reads the same
stream in this process, in turn, and its processor time is what is measured; the row "nothing" receives the bytes and
looks at none. Clients that are not installed are left out: `pip install aiohttp httptools` for all of them.
"""

from __future__ import annotations

import asyncio
import ssl
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from typing import Any
from unittest.mock import patch

import httpcore

from reverse.config import PoeConfig
from reverse.official.httpx_transport import HttpxTransport
from reverse.wire.stream_transport import StreamTransport
from reverse.wire.transport import OutgoingRequest, Transport

PACED, FLAT_OUT = 0.005, 0.0
PIECES = {PACED: 200, FLAT_OUT: 4000}
ROUNDS = 5
_EVENT = (
    b'data: {"id":"chatcmpl-7f3a","object":"chat.completion.chunk","created":1795000000,"model":"gpt-4o",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
_CHUNK = b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_IDLE_SECONDS = 120.0

Read = Callable[[str], Awaitable[int]]
"""Asks an address and returns how many bytes the body has."""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            pace = float(head.split(b"pace=")[1].split(b" ")[0])
            writer.write(_HEAD)
            for _ in range(PIECES[pace]):
                writer.write(_CHUNK)
                await asyncio.sleep(pace)
            writer.write(b"0\r\n\r\n")
    writer.close()


def _serve(pipe: Pipe) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _with(transport: Transport) -> Read:
    async def read(url: str) -> int:
        now, size = asyncio.get_running_loop().time, 0
        async with transport.open(OutgoingRequest("GET", url, "bench", headers={}), timeout_seconds=60) as reply:
            while data := await reply.receive(now() + _IDLE_SECONDS):
                size += len(data)
        return size

    return read


async def _nothing(url: str) -> int:
    parts = httpcore.URL(url)
    reader, writer = await asyncio.open_connection(parts.host.decode(), parts.port)
    writer.write(b"GET " + parts.target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    size, last = 0, b""
    while not last.endswith(b"0\r\n\r\n"):
        last = await reader.read(262_144)
        size += len(last)
    writer.close()
    return size


def _httpcore() -> Read:
    pool = httpcore.AsyncConnectionPool(ssl_context=ssl.create_default_context())

    async def read(url: str) -> int:
        loop, size = asyncio.get_running_loop(), 0
        async with pool.stream("GET", url) as reply:
            chunks = reply.aiter_stream()
            while True:
                async with asyncio.timeout_at(loop.time() + _IDLE_SECONDS):
                    data = await anext(aiter(chunks), b"")
                if not data:
                    return size
                size += len(data)

    return read


def _aiohttp() -> Read:
    import aiohttp  # type: ignore[import-not-found,unused-ignore]  # nothing else needs it

    session: Any = None

    async def read(url: str) -> int:
        nonlocal session
        session = session or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=_IDLE_SECONDS))
        size = 0
        async with session.get(url) as reply:
            while data := await reply.content.readany():
                size += len(data)
        return size

    return read


def _httptools() -> Read:
    """Our connection with httptools' parser in place of ours."""
    import httptools  # type: ignore[import-not-found,unused-ignore]  # nothing else needs it

    from http_connections.http1 import ResponseHead

    class Parser:
        def __init__(self, *, has_body: bool = True) -> None:
            del has_body
            self.head: ResponseHead | None = None
            self.is_complete = self.keeps_alive = False
            self._pieces: list[bytes] = []
            self._headers: dict[str, str] = {}
            self._parser = httptools.HttpResponseParser(self)

        def feed(self, data: bytes) -> list[bytes]:
            self._parser.feed_data(data)
            pieces, self._pieces = self._pieces, []
            return pieces

        def on_header(self, name: bytes, value: bytes) -> None:
            self._headers[name.decode().lower()] = value.decode()

        def on_headers_complete(self) -> None:
            self.head = ResponseHead(self._parser.get_status_code(), self._headers)

        def on_body(self, data: bytes) -> None:
            self._pieces.append(data)

        def on_message_complete(self) -> None:
            self.is_complete, self.keeps_alive = True, self._parser.should_keep_alive()

    transport = StreamTransport(PoeConfig())
    inner = _with(transport)

    async def read(url: str) -> int:
        with patch("http_connections.connection.ResponseParser", Parser):
            return await inner(url)

    return read


def _clients() -> dict[str, Read]:
    clients = {
        "nothing": _nothing,
        "httpx": _with(HttpxTransport(PoeConfig())),
        "httpcore": _httpcore(),
        "ours": _with(StreamTransport(PoeConfig())),
    }
    for name, make in (("aiohttp", _aiohttp), ("httptools", _httptools)):
        if find_spec(name) is not None:
            clients[name] = make()
    return clients


async def _measure(url: str) -> dict[tuple[str, float], list[float]]:
    clients = _clients()
    found: dict[tuple[str, float], list[float]] = {}
    for number in range(ROUNDS + 1):
        for pace, pieces in PIECES.items():
            for name, read in clients.items():
                before = time.process_time()
                size = await read(f"{url}/?pace={pace}")
                used = time.process_time() - before
                if size < pieces * len(_EVENT):
                    raise RuntimeError(f"{name} read {size} bytes")
                if number:  # the first round loads and connects
                    found.setdefault((name, pace), []).append(used / pieces * 1e6)
    return found


def main() -> None:
    """Measure and print microseconds of processor time per piece: median, and lowest to highest of the rounds."""
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    found = asyncio.run(_measure(f"http://127.0.0.1:{ours.recv()}"))
    for name in dict.fromkeys(name for name, _ in found):
        cells = [
            f"{statistics.median(values):6.1f} ({min(values):.1f} to {max(values):.1f})"
            for values in (found[name, PACED], found[name, FLAT_OUT])
        ]
        sys.stdout.write(f"{name:10} {PACED * 1000:.0f} ms apart: {cells[0]:26} flat out: {cells[1]}\n")
    server.terminate()


if __name__ == "__main__":
    main()
