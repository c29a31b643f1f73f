"""What every transport must do, each case for both: the one for streams and the one over httpx."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
import traceback
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, PoeError
from reverse.official.httpx_transport import HttpxTransport
from reverse.wire import stream_transport
from reverse.wire.stream_transport import StreamTransport
from reverse.wire.transport import OutgoingRequest, Transport, read_body
from tests.reverse.official.raw_server import RawServer, always, chunked, whole

Make = Callable[[PoeConfig], Transport]
SECONDS = 20.0
TIGHT = 0.1
SECRET = "sk-" + "secret"

pytestmark = pytest.mark.usefixtures("fresh_tls")


class Clock:
    """The wall clock, which a freeze moves on."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config() -> PoeConfig:
    return PoeConfig(connect_timeout_seconds=10, request_timeout_seconds=10)


@pytest.fixture(params=[StreamTransport, HttpxTransport], ids=["streams", "httpx"])
async def make(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Make]:
    """Makes transports of one kind, and closes them."""
    made: list[Transport] = []

    def build(config: PoeConfig) -> Transport:
        made.append(request.param(config, wall_clock=clock))
        return made[-1]

    yield build
    for transport in made:
        await transport.aclose()


def question(url: str, **fields: Any) -> OutgoingRequest:
    fields = {"headers": {"Authorization": f"Bearer {SECRET}"}, "json": {"a": 1}} | fields
    return OutgoingRequest("POST", f"{url}/v1/chat", "chat", **fields)


def soon(seconds: float = SECONDS) -> float:
    return asyncio.get_running_loop().time() + seconds


async def ask(transport: Transport, request: OutgoingRequest, *, seconds: float = SECONDS) -> bytes:
    async with transport.open(request, timeout_seconds=seconds) as reply:
        return await read_body(reply, 10_000_000, soon(seconds))


async def failure(waiting: Awaitable[object]) -> PoeError:
    with pytest.raises(PoeError) as caught:
        await waiting
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


# What a request looks like on the wire.


async def test_a_question_arrives_as_it_was_asked(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(whole(b"yes"))).serve() as server:
        request = question(server.url, json={"text": "é \ud800", "n": 1})
        assert await ask(make(config), request) == b"yes"
    (heard,) = server.requests
    assert heard.head.startswith("POST /v1/chat HTTP/1.1\r\n")
    assert heard.body == '{"text":"é ?","n":1}'.encode()
    lines = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in heard.head.split("\r\n")[1:]}
    assert lines["host"] == f"127.0.0.1:{server.port}"
    assert lines["authorization"] == f"Bearer {SECRET}"
    assert (lines["content-type"], lines["user-agent"]) == ("application/json", config.user_agent)


async def test_a_large_question_arrives_whole(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(whole(b""))).serve() as server:
        await ask(make(config), question(server.url, json={"a": "x" * 6_000_000}))
    assert len(server.requests[0].body) == len('{"a":""}') + 6_000_000


async def test_an_answer_before_the_whole_question_was_read_counts(make: Make, config: PoeConfig) -> None:
    """A server that refuses a large body does not read it to its end."""
    refused = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b"too large", status="413 Content Too Large"))
        await refused.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    transport = make(replace(config, request_timeout_seconds=0.5))
    if isinstance(transport, HttpxTransport):
        # httpx sends first and reads then.
        refused.set()
        assert (await failure(ask(transport, question(url, json={"a": "x" * 6_000_000})))).delivery is Delivery.UNKNOWN
    else:
        async with transport.open(question(url, json={"a": "x" * 6_000_000}), timeout_seconds=SECONDS) as reply:
            assert reply.status == 413
        refused.set()
    server.close()


@pytest.mark.parametrize("value", ["key\r\nX-Evil: 1", "schlüssel", "key\x00", "key\n"], ids=repr)
async def test_a_key_that_fits_no_header_is_an_invalid_request(make: Make, config: PoeConfig, value: str) -> None:
    async with RawServer(always(whole(b""))).serve() as server:
        request = question(server.url, headers={"Authorization": value})
        error = await failure(ask(make(config), request))
    assert (error.code, error.delivery, server.requests) == (ErrorCode.INVALID_REQUEST, Delivery.NOT_SENT, [])
    assert value not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": object()}, {"x": {1}}], ids=["nan", "object", "set"])
async def test_what_is_no_json_is_an_invalid_request(make: Make, config: PoeConfig, body: object) -> None:
    async with RawServer(always(whole(b""))).serve() as server:
        error = await failure(ask(make(config), question(server.url, json=body)))
    assert (error.code, error.delivery, server.requests) == (ErrorCode.INVALID_REQUEST, Delivery.NOT_SENT, [])


# How responses are framed.

FRAMES = {
    "length": (whole(b"abcd"), b"abcd"),
    "nothing": (whole(b""), b""),
    "chunks": (chunked(b"ab", b"c", b"d"), b"abcd"),
    "chunk extensions": (chunked(end=b"4;name=value\r\nabcd\r\n0\r\n\r\n"), b"abcd"),
    "trailers": (chunked(b"abcd", end=b"0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"), b"abcd"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "interim": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + whole(b"abcd"), b"abcd"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nabcd", b"abcd"),
}


@pytest.mark.parametrize("step", [1, 2, 1000], ids=lambda step: f"{step} at a time")
@pytest.mark.parametrize("name", FRAMES)
async def test_a_body_is_read_however_it_is_framed_and_split(
    make: Make, config: PoeConfig, name: str, step: int
) -> None:
    sent, body = FRAMES[name]
    parts = [sent[at : at + step] for at in range(0, len(sent), step)]
    async with RawServer(always(*parts)).serve() as server:
        transport = make(config)
        assert [await ask(transport, question(server.url)) for _ in range(2)] == [body, body]
    assert [heard.connection for heard in server.requests] == [1, 1]


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\nX: y\r\n\r\n"], ids=["1.1", "1.0"])
async def test_a_body_without_a_length_ends_with_its_connection(make: Make, config: PoeConfig, head: str) -> None:
    async with RawServer(always(head.encode(), b"ab", b"cd", keep=False)).serve() as server:
        assert await ask(make(config), question(server.url)) == b"abcd"


async def test_repeated_headers_are_joined_and_names_are_small(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(whole(b"", "X-One: 1", "x-one:2 "))).serve() as server:
        async with make(config).open(question(server.url), timeout_seconds=SECONDS) as reply:
            assert reply.headers["x-one"] == "1, 2"


# Compressed replies.


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
    ids=["gzip", "deflate", "identity"],
)
async def test_a_packed_body_is_unpacked(
    make: Make, config: PoeConfig, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = b"data: abc\n\n" * 50_000
    packed = pack(body)
    chunks = [packed[at : at + 1000] for at in range(0, len(packed), 1000)]
    async with RawServer(always(chunked(*chunks, headers=(f"Content-Encoding: {coding}",)))).serve() as server:
        assert await ask(make(config), question(server.url)) == body


async def test_a_packed_body_that_is_none_is_a_protocol_error(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(whole(b"no gzip", "Content-Encoding: gzip"))).serve() as server:
        error = await failure(ask(make(config), question(server.url)))
    assert (error.code, error.delivery) == (ErrorCode.PROTOCOL, Delivery.UNKNOWN)


async def test_a_small_body_that_unpacks_to_a_huge_one_is_cut_off(make: Make, config: PoeConfig) -> None:
    packed = gzip.compress(bytes(20_000_000))
    async with RawServer(always(whole(packed, "Content-Encoding: gzip"))).serve() as server:
        error = await failure(ask(make(config), question(server.url)))
    assert error.code is ErrorCode.PROTOCOL


# Failures, and whether the question may have arrived.


async def test_nobody_listening_is_certain(make: Make, config: PoeConfig) -> None:
    error = await failure(ask(make(config), question("http://127.0.0.1:9")))
    assert (error.code, error.delivery, error.operation) == (ErrorCode.CONNECTION_FAILED, Delivery.NOT_SENT, "chat")


async def test_a_name_that_nobody_knows_is_certain(make: Make, config: PoeConfig) -> None:
    error = await failure(ask(make(config), question("http://nowhere.invalid")))
    assert (error.code, error.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.NOT_SENT)


CUT = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a length": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
    "no end of trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
}
MALFORMED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
    "no status": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "no header": b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
    "length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nabcd",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "chunk without a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabcd\r\n0\r\n\r\n",
    "negative chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\nabcd\r\n0\r\n\r\n",
    "chunk longer than its size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabcd",
    "head without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "chunk line without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;" + b"x" * 200_000,
}


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in (CUT | MALFORMED).items()])
async def test_after_the_question_has_left_nobody_knows(make: Make, config: PoeConfig, sent: bytes) -> None:
    async with RawServer(always(sent, keep=False)).serve() as server:
        transport = make(config)
        error = await failure(ask(transport, question(server.url)))
        assert (error.code, error.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.UNKNOWN)
        await failure(ask(transport, question(server.url)))
    assert [heard.connection for heard in server.requests] == [1, 2]


async def test_a_reset_in_mid_stream_comes_after_what_has_arrived(make: Make, config: PoeConfig) -> None:
    arrived = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(chunked(b"abc", end=b""))
        await arrived.wait()
        writer.transport.abort()
        return False

    async with RawServer(answer).serve() as server:
        async with make(config).open(question(server.url), timeout_seconds=SECONDS) as reply:
            assert await reply.receive(soon()) == b"abc"
            arrived.set()
            error = await failure(reply.receive(soon()))
    assert (error.code, error.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.UNKNOWN)


# Time.


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Says no more until the other end is gone."""
    await reader.read()
    return False


async def test_a_head_that_does_not_come_is_a_timeout(make: Make, config: PoeConfig) -> None:
    async with RawServer(silence).serve() as server:
        error = await failure(ask(make(config), question(server.url), seconds=TIGHT))
    assert (error.code, error.delivery) == (ErrorCode.TIMEOUT, Delivery.UNKNOWN)


async def test_a_body_that_stops_is_a_timeout_at_the_readers_deadline(make: Make, config: PoeConfig) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(chunked(b"abc", end=b""))
        return await silence(reader, writer)

    async with RawServer(answer).serve() as server:
        async with make(config).open(question(server.url), timeout_seconds=SECONDS) as reply:
            assert await reply.receive(soon()) == b"abc"
            error = await failure(reply.receive(soon(TIGHT)))
        assert error.code is ErrorCode.TIMEOUT


class Mute:
    """Accepts connections and says nothing."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        self.ended.set()


async def test_a_handshake_that_does_not_end_is_certain(make: Make, config: PoeConfig) -> None:
    mute = Mute()
    async with await asyncio.start_server(mute.converse, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        hasty = replace(config, connect_timeout_seconds=TIGHT)
        error = await failure(ask(make(hasty), question(url)))
        await mute.ended.wait()
    assert (error.code, error.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.NOT_SENT)


async def test_the_time_for_the_answer_ends_a_handshake_as_well(config: PoeConfig) -> None:
    """For streams alone: httpx leaves the socket of a cancelled handshake to the garbage collector."""
    mute, transport = Mute(), StreamTransport(config)
    async with await asyncio.start_server(mute.converse, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        error = await failure(ask(transport, question(url), seconds=TIGHT))
        await mute.ended.wait()
    assert (error.code, error.delivery) == (ErrorCode.TIMEOUT, Delivery.NOT_SENT)


async def test_a_question_that_is_not_taken_is_a_timeout(
    make: Make, config: PoeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A large question is given more time, by its size.
    monkeypatch.setattr(stream_transport, "_SLOWEST_BYTES_PER_SECOND", 1_000_000_000)
    gone = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    hasty = replace(config, request_timeout_seconds=TIGHT)
    error = await failure(ask(make(hasty), question(url, json={"a": "x" * 20_000_000})))
    gone.set()
    server.close()
    assert (error.code, error.delivery) == (ErrorCode.TIMEOUT, Delivery.UNKNOWN)


# Connections.


async def test_a_connection_is_kept_for_the_next_question(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(chunked(b"a"))).serve() as server:
        transport = make(config)
        for _ in range(3):
            await ask(transport, question(server.url))
    assert server.connections == 1


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(whole(b"a", "Connection: close"), id="the server says close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", id="HTTP/1.0"),
    ],
)
async def test_a_connection_that_is_over_is_not_used_again(make: Make, config: PoeConfig, sent: bytes) -> None:
    async with RawServer(always(sent)).serve() as server:
        transport = make(config)
        for _ in range(2):
            assert await ask(transport, question(server.url)) == b"a"
    assert server.connections == 2


async def test_an_answer_that_was_not_read_to_its_end_costs_its_connection(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(chunked(b"a", end=b""))).serve() as server:
        transport = make(config)
        for _ in range(2):
            async with transport.open(question(server.url), timeout_seconds=SECONDS) as reply:
                assert await reply.receive(soon()) == b"a"
    assert server.connections == 2


async def test_an_idle_connection_that_the_server_closed_is_not_used_again(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(whole(b"a"), keep=False)).serve() as server:
        transport = make(config)
        for number in range(1, 4):
            assert await ask(transport, question(server.url)) == b"a"
            while server.closed < number:
                server.has_closed.clear()
                await server.has_closed.wait()
    assert server.connections == 3


async def test_a_connection_that_rested_too_long_by_either_clock_is_not_trusted(
    make: Make, config: PoeConfig, clock: Clock
) -> None:
    async with RawServer(always(whole(b"a"))).serve() as server:
        transport = make(config)
        for moved in (0.0, config.channel_trust_seconds + 1, 0.0, -3600.0, config.channel_trust_seconds - 1):
            clock.now += moved
            await ask(transport, question(server.url))
    assert [heard.connection for heard in server.requests] == [1, 2, 2, 3, 3]


async def test_questions_at_the_same_time_have_connections_of_their_own(make: Make, config: PoeConfig) -> None:
    both = asyncio.Barrier(2)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await both.wait()
        writer.write(whole(b"a"))
        return True

    async with RawServer(answer).serve() as server:
        transport = make(config)
        await asyncio.gather(*(ask(transport, question(server.url)) for _ in range(2)))
    assert server.connections == 2


@pytest.mark.parametrize("sent", [b"", chunked(b"abc", end=b"")], ids=["before the head", "in the body"])
async def test_a_cancelled_reader_closes_its_connection(make: Make, config: PoeConfig, sent: bytes) -> None:
    asked = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(sent)
        asked.set()
        return await silence(reader, writer)

    async with RawServer(answer).serve() as server:
        task = asyncio.create_task(ask(make(config), question(server.url)))
        await asked.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.has_closed.wait()


async def test_a_reader_that_lags_makes_the_server_wait(make: Make, config: PoeConfig) -> None:
    sent = 0
    megabyte = bytes(1_000_000)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            writer.write(megabyte)
            await writer.drain()
            sent += 1
        return False

    async with RawServer(answer).serve() as server:
        async with make(config).open(question(server.url), timeout_seconds=SECONDS) as reply:
            for _ in range(500):
                await asyncio.sleep(0)
            assert sent < 50
            read = len(await reply.receive(soon()))
            while read < 30_000_000:
                read += len(await reply.receive(soon()))
            assert sent >= 25


async def test_closing_ends_what_is_being_read_and_closing_again_does_nothing(make: Make, config: PoeConfig) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(chunked(b"abc", end=b""))
        return await silence(reader, writer)

    async with RawServer(answer).serve() as server:
        transport = make(config)
        async with transport.open(question(server.url), timeout_seconds=SECONDS) as reply:
            assert await reply.receive(soon()) == b"abc"
            await transport.aclose()
            error = await failure(reply.receive(soon()))
        await transport.aclose()
        await server.has_closed.wait()
        assert (error.code, error.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.UNKNOWN)


async def test_after_a_close_it_connects_again(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(whole(b"a"))).serve() as server:
        transport = make(config)
        for _ in range(2):
            assert await ask(transport, question(server.url)) == b"a"
            await transport.aclose()
    assert server.connections == 2


# TLS, and the proxy.


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_counts_where_the_user_trusts_it_and_for_its_name_only(
    make: Make, config: PoeConfig, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with RawServer(always(whole(b"a"))).serve(server_context(certificate)) as server:
        transport = make(config)
        assert await ask(transport, question(server.url)) == b"a"
        assert await ask(transport, question(server.url)) == b"a"
        server.host = "localhost"
        error = await failure(ask(transport, question(server.url)))
    assert (error.code, error.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.NOT_SENT)
    assert [heard.connection for heard in server.requests] == [1, 1]


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    make: Make, config: PoeConfig, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with RawServer(always(whole(b"a"))).serve(server_context(certificate)) as server:
        error = await failure(ask(make(config), question(server.url)))
    assert (error.code, error.delivery, server.requests) == (ErrorCode.CONNECTION_FAILED, Delivery.NOT_SENT, [])


class ConnectProxy:
    """Connects whoever asks to one address, and notes with which words it was asked."""

    def __init__(self, port: int, refusal: bytes = b"") -> None:
        self.heads: list[str] = []
        self._port, self._refusal = port, refusal

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if self._refusal:
            writer.write(self._refusal)
            writer.close()
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self._pump(reader, inner_writer), self._pump(inner_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


@pytest.mark.parametrize("proxy_scheme", ["http", "https"])
async def test_the_proxy_tunnels_and_sees_neither_key_nor_question(
    make: Make, config: PoeConfig, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, proxy_scheme: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = server_context(certificate)
    async with RawServer(always(chunked(b"a", b"b"))).serve(context) as server:
        proxy = ConnectProxy(server.port)
        listening = await asyncio.start_server(
            proxy.converse, "127.0.0.1", 0, ssl=context if proxy_scheme == "https" else None
        )
        port = listening.sockets[0].getsockname()[1]
        transport = make(replace(config, proxy=f"{proxy_scheme}://user:p%40ss@127.0.0.1:{port}"))
        for _ in range(2):
            assert await ask(transport, question(server.url)) == b"ab"
        await transport.aclose()
        listening.close()
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n")
    assert base64.b64encode(b"user:p@ss").decode() in head and SECRET not in head
    assert all("roxy-" not in heard.head for heard in server.requests)


async def test_a_proxy_forwards_what_is_not_encrypted(make: Make, config: PoeConfig) -> None:
    async with RawServer(always(whole(b"a"))).serve() as proxy:
        transport = make(replace(config, proxy=f"http://user:pass@127.0.0.1:{proxy.port}"))
        assert await ask(transport, question("http://api.example.com")) == b"a"
    (heard,) = proxy.requests
    assert heard.head.startswith("POST http://api.example.com/v1/chat HTTP/1.1\r\n")
    assert f"Basic {base64.b64encode(b'user:pass').decode()}" in heard.head


async def test_a_proxy_that_refuses_is_certain_and_its_password_is_not_shown(make: Make, config: PoeConfig) -> None:
    proxy = ConnectProxy(0, b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with await asyncio.start_server(proxy.converse, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        transport = make(replace(config, proxy=f"http://user:{SECRET}@127.0.0.1:{port}"))
        error = await failure(ask(transport, question("https://api.example.com")))
    assert (error.code, error.delivery) == (ErrorCode.CONNECTION_FAILED, Delivery.NOT_SENT)


def test_streams_run_on_uvloop_as_well(
    config: PoeConfig, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another loop may do otherwise: TLS inside TLS, a body that waits to be written, a reader that lags."""
    uvloop = pytest.importorskip("uvloop", reason="a test dependency without a wheel for every machine")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context, answer = server_context(certificate), chunked(*[b"x" * 50_000] * 100)

    async def scenario() -> None:
        async with RawServer(always(answer)).serve(context) as server:
            proxy = ConnectProxy(server.port)
            listening = await asyncio.start_server(proxy.converse, "127.0.0.1", 0, ssl=context)
            address = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            for behind in (config, replace(config, proxy=address)):
                transport = StreamTransport(behind)
                for _ in range(2):
                    assert len(await ask(transport, question(server.url, json="x" * 3_000_000))) == 5_000_000
                async with transport.open(question(server.url), timeout_seconds=SECONDS) as reply:
                    await reply.receive(soon())
                    await transport.aclose()
                    assert (await failure(reply.receive(soon()))).code is ErrorCode.CONNECTION_FAILED
            listening.close()
        assert [heard.connection for heard in server.requests] == [1, 1, 1, 2, 2, 2]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


async def test_a_connection_that_was_prepared_is_the_one_that_the_question_uses(config: PoeConfig) -> None:
    async with RawServer(always(whole(b"a"))).serve() as server:
        transport = StreamTransport(config)
        for url in (server.url, server.url, "not an address", "http://127.0.0.1:9"):
            transport.prepare(url)
        assert await ask(transport, question(server.url)) == b"a"
        transport.prepare(server.url)
        assert await ask(transport, question(server.url)) == b"a"
        assert (await failure(ask(transport, question("http://127.0.0.1:9")))).delivery is Delivery.NOT_SENT
        await transport.aclose()
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_closing_ends_a_connection_that_is_being_prepared(config: PoeConfig) -> None:
    mute, transport = Mute(), StreamTransport(config)
    async with await asyncio.start_server(mute.converse, "127.0.0.1", 0) as server:
        transport.prepare(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for _ in range(20):
            await asyncio.sleep(0)
        await transport.aclose()
        await mute.ended.wait()
