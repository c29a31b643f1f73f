"""One streamed response on its connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from streaming_runtime.errors import (
    ResponseConnectionLostError,
    RuntimeApiMalformedResponseError,
    RuntimeApiRefusedError,
)
from streaming_runtime.failures import DEADLINE
from streaming_runtime.response_head import ResponseHead
from streaming_runtime.response_stream import ResponseStream
from streaming_runtime.runtime_api import Invocation, RuntimeApi
from streaming_runtime.settings import Address

HEAD = ResponseHead(200, ((b"content-type", b"text/plain"),))
INVOCATION = Invocation("id-1", None, b"")
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class Peer:
    """The other end of the connection, worked by hand."""

    def __init__(self) -> None:
        self.connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected.set_result((reader, writer))

    async def read_until(self, end: bytes) -> bytes:
        reader, _ = await self.connected
        return await asyncio.wait_for(reader.readuntil(end), 30)

    async def answer(self, data: bytes, *, close: bool = False) -> None:
        _, writer = await self.connected
        writer.write(data)
        if close:
            writer.close()


@pytest.fixture
async def peer() -> Peer:
    return Peer()


@pytest.fixture
def disconnected() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def stream(peer: Peer, disconnected: asyncio.Event) -> AsyncIterator[ResponseStream]:
    """Not yet open."""
    server = await asyncio.start_server(peer.accept, "127.0.0.1", 0)
    address = Address(*server.sockets[0].getsockname()[:2])
    api = RuntimeApi(address)
    yield ResponseStream(api, INVOCATION, disconnected)
    api.close()
    if peer.connected.done():
        peer.connected.result()[1].transport.abort()
    server.close()


async def fill(stream: ResponseStream) -> None:
    """Write until the reader lags."""
    for _ in range(10_000):
        stream.write(b"x" * 65_536)
        if stream.is_full:
            return
    raise AssertionError("the stream never filled up")


def transport_of(stream: ResponseStream) -> asyncio.Transport:
    return stream._connected()


async def test_everything_has_a_chunk_of_its_own(stream, peer):
    await stream.open(HEAD, b"first")
    stream.write(b"second")
    stream.finish(b"")
    wire = await peer.read_until(b"\r\n0\r\n\r\n")
    head, _, chunks = wire.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\nHost: 127.0.0.1:")
    prelude = b'{"statusCode":200,"headers":{"content-type":"text/plain"},"cookies":[]}'
    assert chunks == b"%x\r\n%b\r\n8\r\n%b\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n" % (
        len(prelude),
        prelude,
        bytes(8),
    )
    await peer.answer(ACCEPTED)
    await stream.settle(timeout_seconds=5)


async def test_small_chunks_are_not_held_back_by_the_kernel(stream):
    await stream.open(HEAD, b"")
    assert transport_of(stream).get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    transport_of(stream).abort()


async def test_a_lagging_reader_is_waited_for(stream, peer):
    await stream.open(HEAD, b"")
    await fill(stream)
    waiting = asyncio.ensure_future(stream.drain())
    await asyncio.sleep(0)
    assert not waiting.done()
    reader, _ = await peer.connected
    while not waiting.done():
        await reader.read(1_000_000)
    assert not stream.is_full
    transport_of(stream).abort()


async def break_off(stream: ResponseStream, peer: Peer) -> None:
    await peer.connected
    peer.connected.result()[1].transport.abort()


async def refuse(stream: ResponseStream, peer: Peer) -> None:
    await peer.answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")


async def babble(stream: ResponseStream, peer: Peer) -> None:
    await peer.answer(b"\x00\x01\x02\r\n\r\n")


async def refuse_and_close(stream: ResponseStream, peer: Peer) -> None:
    await peer.answer(b"HTTP/1.0 500 Broken\r\n\r\n", close=True)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (break_off, ResponseConnectionLostError),
        (refuse, RuntimeApiRefusedError),
        (babble, RuntimeApiMalformedResponseError),
        (refuse_and_close, RuntimeApiRefusedError),
    ],
)
async def test_what_ends_a_response_early_is_told_everywhere(
    stream, peer, disconnected, event: Callable[..., object], error: type[Exception]
):
    await stream.open(HEAD, b"")
    await fill(stream)
    waiting = asyncio.ensure_future(stream.drain())
    await event(stream, peer)
    await asyncio.wait_for(disconnected.wait(), 30)
    assert stream.is_lost
    with pytest.raises(OSError, match=r"."):
        await waiting
    for write in (stream.write, stream.finish):
        with pytest.raises(ResponseConnectionLostError):
            write(b"more")
    # Nothing left to do, and no error: the failure is known already.
    stream.fail(b"", DEADLINE)
    with pytest.raises(error):
        await stream.settle(timeout_seconds=5)


async def test_an_early_success_does_not_end_the_response(stream, peer, disconnected):
    await stream.open(HEAD, b"")
    await peer.answer(ACCEPTED)
    await asyncio.sleep(0.01)
    stream.write(b"still")
    stream.finish(b"here")
    await stream.settle(timeout_seconds=5)
    assert not disconnected.is_set()
    assert b"still\r\n4\r\nhere" in await peer.read_until(b"0\r\n\r\n")


async def test_an_answer_that_ends_with_the_connection_is_read(stream, peer):
    await stream.open(HEAD, b"")
    stream.finish(b"")
    await peer.read_until(b"0\r\n\r\n")
    await peer.answer(b"HTTP/1.0 202 Accepted\r\n\r\n{}", close=True)
    await stream.settle(timeout_seconds=5)


async def test_a_missing_answer_is_a_typed_error(stream, peer):
    await stream.open(HEAD, b"")
    stream.finish(b"")
    await peer.read_until(b"0\r\n\r\n")
    await break_off(stream, peer)
    with pytest.raises(ResponseConnectionLostError):
        await stream.settle(timeout_seconds=5)


async def test_a_silent_reader_costs_no_more_than_the_time_allowed(stream):
    await stream.open(HEAD, b"")
    transport = transport_of(stream)
    stream.finish(b"")
    with pytest.raises(TimeoutError):
        await stream.settle(timeout_seconds=0.01)
    assert transport.is_closing()


async def test_no_connection_is_a_typed_error(disconnected, unused_tcp_port: int):
    stream = ResponseStream(RuntimeApi(Address("127.0.0.1", unused_tcp_port)), INVOCATION, disconnected)
    with pytest.raises(ResponseConnectionLostError):
        await stream.open(HEAD, b"")
    with pytest.raises(ResponseConnectionLostError):
        stream.write(b"x")
    with pytest.raises(ResponseConnectionLostError):
        await stream.settle(timeout_seconds=1)


@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        (ACCEPTED, True),
        (ACCEPTED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
        (ACCEPTED + b"unasked", False),
    ],
    ids=["as it should be", "closing", "with more than was asked"],
)
async def test_the_connection_is_given_back_if_it_can_be_used_again(stream, peer, answer, is_kept):
    await stream.open(HEAD, b"first")
    stream.finish(b"")
    await peer.read_until(b"0\r\n\r\n")
    await peer.answer(answer)
    transport = transport_of(stream)
    await stream.settle(timeout_seconds=30)
    assert (stream._api._connection is not None) == is_kept
    assert transport.is_closing() is not is_kept


async def test_an_acceptance_before_the_end_of_the_body_does_not_give_the_connection_back_early(stream, peer):
    await stream.open(HEAD, b"first")
    await peer.answer(ACCEPTED)
    await asyncio.wait_for(stream._settled.wait(), 30)
    assert stream._api._connection is None
    stream.finish(b"last")
    assert (await peer.read_until(b"0\r\n\r\n")).endswith(b"4\r\nlast\r\n0\r\n\r\n")
    await stream.settle(timeout_seconds=30)
