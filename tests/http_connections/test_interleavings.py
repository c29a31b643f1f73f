"""Many calls at once over one pool, cut off at any of their steps, of a server that misbehaves as it is asked to.

Whatever happens, an answer belongs to the request that it is given to: each request has a name, and its answer is that
name, again and again.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from http_connections.connection import Connection, ConnectionLostError
from http_connections.dialing import Origin
from http_connections.http1 import encode_request_head
from http_connections.pool import ConnectionPool, UnreachableError
from tests.reverse.official.raw_server import chunked, whole

SECONDS = 60.0
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
KEPT = ("whole", "chunks", "interim", "large", "refused", "unasked")
ENDING = ("endless", "cut", "nothing", "reset")
STOLEN = whole(b"STOLEN")
WORKERS, CALLS = 4, 150


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def bytes_of(kind: str, name: bytes) -> bytes:
    match kind:
        case "chunks":
            return chunked(name, name[:2], name[2:], end=b"0\r\nA-Trailer: x\r\n\r\n")
        case "interim":
            return INTERIM + whole(name)
        case "large":
            return whole(name * 40_000)
        case "refused":
            return whole(name, status="400 Bad Request")
        case "unasked":
            return whole(name) + STOLEN
        case "endless":
            return b"HTTP/1.1 200 OK\r\n\r\n" + name * 3
        case "cut":
            return whole(name * 3)[:-1]
        case "nothing" | "reset":
            return b""
    return whole(name * 3)


class Server:
    """Answers as the target of a request says: `/<name>/<kind>/<pieces>/<turns>/<is early>/<is last>`."""

    def __init__(self) -> None:
        self.url = ""
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext | None) -> AsyncIterator[Server]:
        async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving = asyncio.create_task(self._converse(reader, writer))
            self._serving.add(serving)
            await asyncio.wait({serving})

        server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=context)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for serving in self._serving:
                serving.cancel()
            await asyncio.wait(self._serving)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Python 3.11 and uvloop tell of a writer that is closed already by a RuntimeError.
        with suppress(OSError, RuntimeError, asyncio.IncompleteReadError):
            try:
                while await self._answer(reader, writer):
                    pass
            finally:
                writer.transport.abort() if asyncio.current_task().cancelling() else writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(request.lower().partition("content-length: ")[2].partition("\r\n")[0])
        _, name, kind, pieces, pause, is_early, is_last = request.split(" ")[1].split("/")
        if is_early == "0":
            await reader.readexactly(length)
        answer = bytes_of(kind, name.encode())
        size = len(answer) // int(pieces) + 1
        for at in range(0, len(answer), size):
            await turns(int(pause))
            writer.write(answer[at : at + size])
            await writer.drain()
        if kind == "reset":
            writer.transport.abort()
        if kind in ENDING or is_last == "1":
            return False
        if is_early == "1":
            await reader.readexactly(length)
        return True


class Caller:
    """Makes calls, and counts how they ended."""

    def __init__(self, pool: ConnectionPool, origin: Origin, rng: random.Random) -> None:
        self.pool = pool
        self.origin = origin
        self.rng = rng
        self.ends: Counter[str] = Counter()
        self.used: set[Connection] = set()

    async def work(self, number: int) -> None:
        rng = self.rng
        for count in range(CALLS):
            call = asyncio.create_task(self.call(f"w{number}c{count:03}."))
            if rng.random() < 0.5:
                for _ in range(rng.randrange(40)):
                    await asyncio.sleep(0)
                self.ends["cancelled"] += not call.done()
                call.cancel()
            with suppress(asyncio.CancelledError):
                await call
            if rng.random() < 0.1:
                self.pool.prepare(self.origin)
            if rng.random() < 0.01:
                await self.pool.aclose()

    async def call(self, name: str) -> None:
        try:
            self.ends[await self.exchange(name)] += 1
        except UnreachableError:
            self.ends["closed"] += 1
        except ConnectionLostError:
            self.ends["lost"] += 1
        except TimeoutError:
            self.ends["late"] += 1

    async def exchange(self, name: str) -> str:
        rng = self.rng
        kind = rng.choice(["whole"] * 8 + list(KEPT + ENDING))
        # What nobody asked for comes with the answer: later it could be told from no answer.
        pieces = 1 if kind == "unasked" else rng.choice([1, 1, 2, 7])
        is_early, is_last = int(rng.random() < 0.2), int(rng.random() < 0.1)
        target = f"/{name}/{kind}/{pieces}/{rng.choice([0, 0, 1, 5])}/{is_early}/{is_last}"
        body = bytes(rng.choice([0, 10, 10, 300_000]))
        head = encode_request_head("POST", target, [("Host", "x"), ("Content-Length", str(len(body)))])
        leaves_after, is_late = rng.random(), rng.random() < 0.03
        deadline = asyncio.get_running_loop().time() + SECONDS
        async with self.pool.connection(self.origin, None, deadline) as connection:
            is_used = connection in self.used
            self.used.add(connection)
            await connection.send([head + body], deadline)
            if leaves_after < 0.03:
                return "left"
            await connection.receive_head(0.0 if is_late else deadline)
            answer = b""
            while (piece := await connection.receive(deadline)) and leaves_after > 0.06:
                answer += piece
                assert (name.encode() * 40_000).startswith(answer), f"{name} was answered by {answer[:50]!r}"
            if leaves_after > 0.06:
                assert answer and len(answer) % len(name) == 0, f"{name} was answered by a part"
        return "answered over a kept connection" if is_used else "answered"


@pytest.mark.parametrize(("seed", "is_secure"), [(1, False), (2, False), (3, False), (4, True)])
async def test_every_answer_is_that_of_its_request(certificate: tuple[Path, Path], seed: int, is_secure: bool) -> None:
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*certificate)
    client_context = ssl.create_default_context(cafile=certificate[0])
    async with Server().serve(server_context if is_secure else None) as running:
        pool = ConnectionPool(
            tls_context=lambda: client_context, connect_seconds=SECONDS, trust_seconds=SECONDS, max_idle=3
        )
        caller = Caller(pool, Origin.of(running.url)[0], random.Random(seed))
        await asyncio.gather(*(caller.work(number) for number in range(WORKERS)))
        await pool.aclose()
    # That all of it has happened.
    for end in ("answered", "answered over a kept connection", "cancelled", "lost", "late", "left"):
        assert caller.ends[end] > 0, caller.ends
