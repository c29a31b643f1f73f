"""A server that says exactly the bytes it is told to, and notes what it hears."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


@dataclass(slots=True)
class Heard:
    """One request; `connection` is the number of the one that it came over."""

    connection: int
    head: str
    body: bytes


@dataclass(slots=True)
class RawServer:
    """Answers each request by `answer`, which may wait, and closes the connection if it returns false."""

    answer: Answer
    requests: list[Heard] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    """Connections that have ended."""
    has_closed: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        number = self.connections
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                    body = await reader.readexactly(int(length[0].split(":")[1])) if length else b""
                    self.requests.append(Heard(number, head, body))
                    if not await self.answer(reader, writer):
                        return
        finally:
            writer.close()
            self.closed += 1
            self.has_closed.set()

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
        server = await asyncio.start_server(self.converse, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        self.scheme = "https" if context else "http"
        try:
            yield self
        finally:
            server.close()


def always(*parts: bytes, keep: bool = True) -> Answer:
    """Says these bytes after every request, with a turn of the loop between two parts."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        return keep

    return answer


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A response with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def chunked(*chunks: bytes, headers: tuple[str, ...] = (), end: bytes = b"0\r\n\r\n") -> bytes:
    """A response in chunks."""
    lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Type: text/event-stream", *headers]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + framed + end
