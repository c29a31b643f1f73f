"""What connections of our own may be used for, and when; `test_transports.py` has what every transport does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import httpx
import pytest

from http_connections import pool
from http_connections.connection import Connection
from http_connections.dialing import Origin, Proxy, dial
from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, PoeError
from reverse.wire import stream_transport
from reverse.wire.stream_transport import StreamTransport
from reverse.wire.transport import OutgoingRequest, read_body
from tests.reverse.official.raw_server import RawServer, always, whole

SECONDS = 30.0
pytestmark = pytest.mark.usefixtures("fresh_tls")


@pytest.fixture
async def transport() -> AsyncIterator[StreamTransport]:
    made = StreamTransport(PoeConfig())
    yield made
    await made.aclose()


async def ask(transport: StreamTransport, url: str, method: str = "GET", content: bytes | None = None) -> int:
    request = OutgoingRequest(method, url, "test", {}, content=content)
    async with transport.open(request, timeout_seconds=SECONDS) as reply:
        await read_body(reply, 1000, asyncio.get_running_loop().time() + SECONDS)
        return reply.status


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
async def test_a_connection_whose_upload_was_refused_unread_carries_nothing_more(
    transport: StreamTransport, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, is_secure: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        # It neither reads the body nor says that it closes.
        writer.write(whole(b"", status="413 Content Too Large" if len(writers) == 1 else "200 OK"))

    server = await asyncio.start_server(
        serve, "127.0.0.1", 0, limit=1024, ssl=server_context(certificate) if is_secure else None
    )
    url = f"http{'s' * is_secure}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert await ask(transport, url, "POST", bytes(8_000_000)) == 413
    assert await ask(transport, url) == 200
    assert len(writers) == 2
    for writer in writers:
        writer.transport.abort()
    server.close()


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_upload_that_nobody_reads_is_a_timeout_and_not_all_handed_over(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, is_secure: bool, loop: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setattr(stream_transport, "_SLOWEST_BYTES_PER_SECOND", 1_000_000_000)
    written = 0

    async def counted(
        origin: Origin, proxy: Proxy | None, deadline: float, tls: Callable[[], ssl.SSLContext]
    ) -> Connection:
        connection = await dial(origin, proxy, deadline, tls)
        inner = connection.take_transport()

        class Counting:
            def write(self, data: bytes) -> None:
                nonlocal written
                written += len(data)
                inner.write(data)

            def __getattr__(self, name: str) -> object:
                return getattr(inner, name)

        connection.use_transport(cast("asyncio.Transport", Counting()))
        return connection

    async def scenario() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)

        server = await asyncio.start_server(
            serve, "127.0.0.1", 0, limit=1024, ssl=server_context(certificate) if is_secure else None
        )
        transport = StreamTransport(PoeConfig(request_timeout_seconds=0.3))
        url = f"http{'s' * is_secure}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(PoeError) as caught:
            await ask(transport, url, "POST", bytes(50_000_000))
        assert (caught.value.code, caught.value.delivery) == (ErrorCode.TIMEOUT, Delivery.UNKNOWN)
        await transport.aclose()
        for writer in writers:
            writer.transport.abort()
        server.close()

    monkeypatch.setattr(pool, "dial", counted)
    factory = pytest.importorskip("uvloop").new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())
    assert written < 40_000_000


@pytest.mark.parametrize(("status", "is_whole"), [("413 Content Too Large", False), ("200 OK", True)])
async def test_a_refusal_ends_an_upload_and_an_early_acceptance_does_not(
    transport: StreamTransport, status: str, is_whole: bool
) -> None:
    size, received = 50_000_000, 0
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b"", status=status))
        while received < size and (data := await reader.read(65_536)):
            received += len(data)
        is_over.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert await ask(transport, url, "POST", bytes(size)) == int(status[:3])
    await is_over.wait()
    assert (received == size) is is_whole
    server.close()


async def test_nothing_is_sent_over_a_connection_that_was_begun_before_a_close(
    transport: StreamTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_connected, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(
        origin: Origin, proxy: Proxy | None, deadline: float, tls: Callable[[], ssl.SSLContext]
    ) -> Connection:
        connection = await dial(origin, proxy, deadline, tls)
        is_connected.set()
        await goes_on.wait()
        return connection

    monkeypatch.setattr(pool, "dial", slow)
    async with RawServer(always(whole(b""))).serve() as server:
        task = asyncio.create_task(ask(transport, server.url, "POST", b"paid for"))
        await is_connected.wait()
        await transport.aclose()
        goes_on.set()
        with pytest.raises(PoeError) as caught:
            await task
        await server.has_closed.wait()
        assert (caught.value.code, caught.value.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.NOT_SENT)
        assert server.requests == []
        assert await ask(transport, server.url) == 200


async def test_a_close_right_after_the_preparation_leaves_nothing_of_it(transport: StreamTransport) -> None:
    async with RawServer(always(whole(b""))).serve() as server:
        transport.prepare(server.url)
        await transport.aclose()
        transport.prepare(server.url)
        assert await ask(transport, server.url) == 200
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\n\r\n",
        whole(b"", "Content-Encoding: gzip", status="302 Found"),
        whole(b"", "Content-Encoding: gzip"),
        whole(b"", "Content-Encoding: br", status="503 Service Unavailable"),
    ],
)
async def test_a_coding_of_no_body_hides_nothing(transport: StreamTransport, answer: bytes) -> None:
    async with RawServer(always(answer)).serve() as server:
        assert await ask(transport, server.url) == int(answer.split()[1])


async def test_the_status_of_a_refusal_counts_whatever_its_page_is_packed_with(transport: StreamTransport) -> None:
    refusal = whole(b"\x8b\x01", "Content-Encoding: br", status="429 Too Many Requests")
    async with RawServer(always(refusal)).serve() as server:
        assert await ask(transport, server.url) == 429
    async with RawServer(always(whole(b"\x8b\x01", "Content-Encoding: br"))).serve() as server:
        with pytest.raises(PoeError) as caught:
            await ask(transport, server.url)
    assert (caught.value.code, caught.value.delivery) == (ErrorCode.PROTOCOL, Delivery.UNKNOWN)


async def test_a_post_without_a_body_says_that_it_has_none(transport: StreamTransport) -> None:
    async with RawServer(always(whole(b""))).serve() as server:
        await ask(transport, server.url, "POST")
        await ask(transport, server.url)
    assert ["Content-Length: 0" in heard.head for heard in server.requests] == [True, False]


@pytest.mark.parametrize(
    "target", ["/é", "/a b", "/a?q=é b", "/%C3%A9?x=%20", '/a"<>`{}|^', "/?a=[1]&b='(!)*,;:@$", "/ok"]
)
def test_characters_that_no_target_may_hold_are_encoded(target: str) -> None:
    url = f"https://poe.com{target}"
    assert Origin.of(url)[1] == httpx.URL(url).raw_path.decode()


@pytest.mark.parametrize(
    "url",
    [
        f"http://{'a' * 70}.example/",
        "http://a..example/",
        "https://.example/",
        "http://[::1",
        "http://x:99999/",
        "http://x:port/",
        "http://\ud800/",
        "http://x/\ud800",
    ],
)
async def test_an_address_that_is_none_is_an_invalid_request(transport: StreamTransport, url: str) -> None:
    with pytest.raises(PoeError) as caught:
        await ask(transport, url)
    assert (caught.value.code, caught.value.delivery) == (ErrorCode.INVALID_REQUEST, Delivery.NOT_SENT)
