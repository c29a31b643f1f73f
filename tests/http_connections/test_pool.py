"""What is kept between exchanges, and when nothing is; `test_stream_transport.py` has what requests see of it."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from http_connections.connection import MAX_UNREAD_BYTES, Connection, ConnectionLostError
from http_connections.dialing import Origin
from http_connections.http1 import encode_request_head
from http_connections.pool import ConnectionPool, UnreachableError
from local.ports import free_port
from tests.reverse.official.raw_server import RawServer, always, whole

SECONDS = 30.0


def make_pool(**options: object) -> ConnectionPool:
    settings = {"connect_seconds": SECONDS, "trust_seconds": 60.0, "tls_context": ssl.create_default_context, **options}
    return ConnectionPool(**settings)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(always(whole(b"fine"))).serve() as running:
        yield running


def later() -> float:
    return asyncio.get_running_loop().time() + SECONDS


async def until(has_come: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not has_come():  # noqa: ASYNC110 - the condition is of both ends
            await asyncio.sleep(0)


async def ask(connection: Connection) -> None:
    await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
    await connection.receive_head(later())
    while await connection.receive(later()):
        pass


async def test_more_connections_than_may_rest_are_closed_after_their_exchange(server: RawServer) -> None:
    pool = make_pool(max_idle=2)
    origin, _ = Origin.of(server.url)
    all_asked = asyncio.Barrier(4)

    async def exchange() -> None:
        async with pool.connection(origin, None, later()) as connection:
            await ask(connection)
            await all_asked.wait()

    for connections in (4, 6):
        await asyncio.gather(*(exchange() for _ in range(4)))
        # The second round finds two of the first, and opens two more.
        assert server.connections == connections
    await pool.aclose()


async def test_connections_that_are_opened_early_are_used(server: RawServer) -> None:
    pool = make_pool()
    origin, _ = Origin.of(server.url)
    await asyncio.gather(pool.open_early(origin), pool.open_early(origin))
    async with pool.connection(origin, None, later()) as one, pool.connection(origin, None, later()) as other:
        await asyncio.gather(ask(one), ask(other))
    assert server.connections == 2
    await pool.aclose()


async def test_an_exchange_that_was_left_early_takes_its_connection_along(server: RawServer) -> None:
    pool = make_pool()
    origin, _ = Origin.of(server.url)
    for _ in range(2):
        with pytest.raises(ValueError, match="enough"):
            async with pool.connection(origin, None, later()) as connection:
                await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
                raise ValueError("enough")
    assert server.connections == 2
    await pool.aclose()


@pytest.mark.parametrize("is_late", [True, False])
async def test_who_ran_out_of_time_is_told(is_late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> Connection:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("http_connections.pool.dial", never)
    pool = make_pool(connect_seconds=1.0)
    deadline = asyncio.get_running_loop().time() + (0.5 if is_late else SECONDS)
    with pytest.raises(UnreachableError) as caught:
        async with pool.connection(Origin("http", "127.0.0.1", 1), None, deadline):
            pytest.fail("there is nobody")
    assert caught.value.is_late is is_late


async def test_what_could_not_be_opened_is_not_told_in_detail() -> None:
    port = free_port()
    pool = make_pool()
    origin = Origin("http", "127.0.0.1", port)
    await pool.open_early(origin)
    with pytest.raises(UnreachableError) as caught:
        async with pool.connection(origin, None, later()):
            pytest.fail("there is nobody")
    assert str(port) not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_who_leaves_after_the_end_of_an_answer_leaves_a_connection_that_is_used_again(server: RawServer) -> None:
    """As a reader of a stream does that stops at its last event."""
    pool = make_pool()
    origin, _ = Origin.of(server.url)

    async def answers() -> AsyncIterator[bytes]:
        async with pool.connection(origin, None, later()) as connection:
            await ask(connection)
            yield b"the last event"

    for _ in range(3):
        async with aclosing(answers()) as events:
            assert await anext(events)
    assert server.connections == 1
    await pool.aclose()


async def test_a_cancellation_before_anything_was_sent_costs_no_connection(server: RawServer) -> None:
    pool = make_pool()
    origin, _ = Origin.of(server.url)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with pool.connection(origin, None, later()):
                raise TimeoutError
    assert server.connections == 1
    await pool.aclose()


UPLOAD_BYTES = 20_000_000
UPLOAD = encode_request_head("POST", "/", [("Host", "x"), ("Content-Length", str(UPLOAD_BYTES))])


@asynccontextmanager
async def answering_without_reading(answer: bytes) -> AsyncIterator[tuple[Origin, list[asyncio.StreamWriter]]]:
    """A server that answers the head of a request; and its connections."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024) as running:
        yield Origin("http", "127.0.0.1", running.sockets[0].getsockname()[1]), writers
        for writer in writers:
            writer.transport.abort()


async def test_an_answer_that_came_before_its_request_was_sent_ends_the_connection() -> None:
    """What follows on it would be read as the rest of the request."""
    async with answering_without_reading(whole(b"")) as (origin, writers):
        pool = make_pool()
        for number in (1, 2):
            async with pool.connection(origin, None, later()) as connection:
                sending = asyncio.create_task(connection.send([UPLOAD, bytes(UPLOAD_BYTES)], later()))
                await connection.receive_head(later())
                sending.cancel()
                await asyncio.wait({sending})
            assert len(writers) == number
        await pool.aclose()


async def test_no_request_waits_behind_one_whose_answer_came_before_it_was_sent() -> None:
    """Its connection goes on sending: the other end may read it."""
    async with answering_without_reading(whole(b"fine")) as (origin, writers):
        pool = make_pool()
        for number in (1, 2):
            async with pool.connection(origin, None, later()) as connection:
                await connection.send([UPLOAD, bytes(UPLOAD_BYTES)], later())
                assert await connection.receive(later()) == b"fine"
                assert not await connection.receive(later())
            assert len(writers) == number
        await pool.aclose()


def secure(certificate: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server and its client need."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    return server, ssl.create_default_context(cafile=certificate[0])


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
async def test_what_comes_behind_an_answer_that_is_not_read_yet_is_no_answer(
    certificate: tuple[Path, Path], is_secure: bool
) -> None:
    """Whether or not reading was paused, because so much of the answer was unread."""
    server_context, client_context = secure(certificate)
    may_go_on = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if running.connections > 1:
            writer.write(whole(b"the second"))
            return True
        writer.write(whole(bytes(MAX_UNREAD_BYTES + 1)))
        await may_go_on.wait()
        writer.write(whole(b"what nobody asked for"))
        return False

    async with RawServer(answer).serve(server_context if is_secure else None) as running:
        pool = make_pool(tls_context=lambda: client_context)
        origin, _ = Origin.of(running.url)
        async with pool.connection(origin, None, later()) as connection:
            await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
            await until(lambda: connection._unread > MAX_UNREAD_BYTES)
            may_go_on.set()
            await running.has_closed.wait()
            # Now the rest is in the socket, or in what TLS has read of it.
            for _ in range(10):
                await asyncio.sleep(0)
            while await connection.receive(later()):
                pass
        async with pool.connection(origin, None, later()) as connection:
            await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
            assert await connection.receive(later()) == b"the second"
        await pool.aclose()


async def test_session_tickets_that_wait_unread_cost_no_connection(certificate: tuple[Path, Path]) -> None:
    """They come after the handshake, unasked; the loop may have had no time to read them."""
    server_context, client_context = secure(certificate)
    async with RawServer(always(whole(b"fine"))).serve(server_context) as running:
        pool = make_pool(tls_context=lambda: client_context)
        origin, _ = Origin.of(running.url)
        await pool.open_early(origin)
        [early] = pool._idle[origin]
        await until(lambda: running.connections > 0 or not early.is_quiet())
        async with pool.connection(origin, None, later()) as connection:
            await ask(connection)
        assert running.connections == 1
        await pool.aclose()


async def test_a_connection_is_prepared_in_the_place_of_one_that_the_other_end_has_closed() -> None:
    has_answered = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(whole(b"fine"))
        await has_answered.wait()
        return running.connections > 1

    async with RawServer(answer).serve() as running:
        pool = make_pool()
        origin, _ = Origin.of(running.url)
        async with pool.connection(origin, None, later()) as connection:
            await ask(connection)
        pool.prepare(origin)
        assert running.connections == 1
        has_answered.set()
        await running.has_closed.wait()
        pool.prepare(origin)
        await until(lambda: running.connections == 2)
        async with pool.connection(origin, None, later()) as connection:
            await ask(connection)
        assert running.connections == 2
        await pool.aclose()


@pytest.mark.parametrize("is_cut", [False, True], ids=["ended", "cut"])
async def test_only_a_notice_ends_a_secure_body_without_a_length(certificate: tuple[Path, Path], is_cut: bool) -> None:
    """Anybody on the way can close a connection."""
    server_context, client_context = secure(certificate)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\na part")
        if is_cut:
            writer.transport.abort()
        return False

    async with RawServer(answer).serve(server_context) as running:
        pool = make_pool(tls_context=lambda: client_context)
        async with pool.connection(Origin.of(running.url)[0], None, later()) as connection:
            await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
            assert await connection.receive(later()) == b"a part"
            if is_cut:
                with pytest.raises(ConnectionLostError):
                    await connection.receive(later())
            else:
                assert await connection.receive(later()) == b""
        await pool.aclose()


async def test_who_came_too_late_leaves_no_connection(server: RawServer) -> None:
    pool = make_pool()
    origin, _ = Origin.of(server.url)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with pool.connection(origin, None, later()) as connection:
                await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
                await connection.receive_head(asyncio.get_running_loop().time() - 1)
    assert server.connections == 2
    await pool.aclose()


async def test_an_answer_that_came_after_its_time_leaves_no_connection() -> None:
    """The next exchange would be late from the start."""
    may_answer = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await may_answer.wait()
        writer.write(whole(b""))
        return True

    async with RawServer(answer).serve() as server:
        pool = make_pool()
        origin, _ = Origin.of(server.url)
        async with pool.connection(origin, None, later()) as connection:
            await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
            with pytest.raises(TimeoutError):
                await connection.receive_head(asyncio.get_running_loop().time() + 0.01)
            may_answer.set()
            await until(lambda: connection.head is not None)
        async with pool.connection(origin, None, later()) as connection:
            await ask(connection)
        assert server.connections == 2
        await pool.aclose()


async def test_the_errors_that_an_owner_wants_end_with_the_exchange(server: RawServer) -> None:
    pool = make_pool()
    origin, _ = Origin.of(server.url)
    async with pool.connection(origin, None, later()) as connection:
        connection.timeout_error = connection.lost_error = KeyError
        await ask(connection)
        with pytest.raises(KeyError):
            await connection.receive(asyncio.get_running_loop().time() - 1)
    async with pool.connection(origin, None, later()) as again:
        assert again is connection
        await again.send([encode_request_head("GET", "/", [("Host", "x")])], later())
        with pytest.raises(TimeoutError):
            await again.receive(asyncio.get_running_loop().time() - 1)
        again.abort()
        with pytest.raises(ConnectionLostError):
            await again.receive(later())
        again.lost_error = KeyError
        with pytest.raises(KeyError):
            await again.receive(later())
    await pool.aclose()


async def test_what_nobody_waits_for_any_more_is_not_reported_as_forgotten(server: RawServer) -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    pool = make_pool()
    async with pool.connection(Origin.of(server.url)[0], None, later()) as connection:
        await ask(connection)
        await connection.send([encode_request_head("GET", "/", [("Host", "x")])], later())
        waiting = connection.receive(later())
        connection.abort()
        assert waiting.done()
        del waiting
        with pytest.raises(ConnectionLostError):
            await connection.receive(later())
    gc.collect()
    assert reported == []
    await pool.aclose()
