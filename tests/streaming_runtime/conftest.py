"""A Runtime API server that sees the chunks on the wire, with their times, and can misbehave on request."""

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mangum import Mangum

from streaming_runtime import log
from streaming_runtime.current import Current, set_for_process
from streaming_runtime.generators import AbandonedGenerators
from streaming_runtime.invocation import Sandbox
from streaming_runtime.loop import serve_invocations
from streaming_runtime.settings import Address, Exceptions, FunctionIdentity, ResponseForm, Settings

VERSION_PATH = "/2018-06-01/runtime"
EXTENSIONS_PATH = "/2020-01-01/extension/"
PATIENCE_SECONDS = 60.0


def function_url_event(path: str = "/", method: str = "GET", **changes: Any) -> dict[str, Any]:
    """An event as a Function URL sends it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "abc123.lambda-url.eu-central-1.on.aws", "x-forwarded-proto": "https"},
        "requestContext": {
            "domainName": "abc123.lambda-url.eu-central-1.on.aws",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
        },
        "isBase64Encoded": False,
        **changes,
    }


@dataclass
class Exchange:
    """One invocation as the server sees it: what it hands out, and what comes back."""

    payload: bytes
    request_id: str
    deadline_ms: int
    headers: dict[str, str] = field(default_factory=dict)
    # Misbehaviour: stop reading after so many chunks, break the connection after so many, this status.
    stall_after: int | None = None
    break_after: int | None = None
    answer_status: int = 202
    # Answer with `answer_status` after so many chunks, before the response has ended.
    answer_after: int | None = None

    path: str = ""
    request_headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    # Monotonic times, one per chunk.
    times: list[float] = field(default_factory=list)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    is_complete: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    chunk_arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def prelude(self) -> dict[str, Any]:
        """The streamed head."""
        assert self.chunks[1] == bytes(8)
        return json.loads(self.chunks[0])

    @property
    def streamed_body(self) -> bytes:
        """The streamed body."""
        return b"".join(self.chunks[2:])

    async def end(self) -> "Exchange":
        """Wait for the end of the response, proper or not."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.ended.wait()
        return self

    async def chunk(self, number: int) -> float:
        """Wait for the chunk with this number (0 is the prelude); its time of arrival."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.chunk_arrived:
            await self.chunk_arrived.wait_for(lambda: len(self.chunks) > number)
        return self.times[number]


class FakeRuntimeApi:
    """Speaks the Runtime API (version 2018-06-01) on a loopback port."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._queue: asyncio.Queue[Exchange | bytes | None] = asyncio.Queue()
        self._exchanges: dict[str, Exchange] = {}
        self._ids = count(1)
        self._handlers: set[asyncio.Task[None]] = set()
        # Every request: number of its connection, method, path.
        self.requests: list[tuple[int, str, str]] = []
        # Names of extensions that have registered, and their identifiers when they ask for events.
        self.extensions: list[str] = []
        self.init_errors: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.connections = 0
        self._was_asked = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @property
    def address(self) -> Address:
        assert self._server is not None
        return Address(*self._server.sockets[0].getsockname()[:2])

    def enqueue(
        self,
        event: Any,
        *,
        deadline_in: float | None = 30.0,
        headers: dict[str, str] | None = None,
        request_id: str | None = None,
        **faults: Any,
    ) -> Exchange:
        """Hand out an event (bytes are sent as they are) to the next who asks."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        request_id = request_id or f"8476a536-e9f4-11e8-9739-2dfe598c{next(self._ids):04x}"
        # None is an emulator that sends 0.
        deadline_ms = 0 if deadline_in is None else int((time.time() + deadline_in) * 1000)
        exchange = Exchange(payload, request_id, deadline_ms, headers or {}, **faults)
        self._exchanges[request_id] = exchange
        self._queue.put_nowait(exchange)
        return exchange

    def enqueue_raw(self, answer: bytes | None) -> None:
        """Answer the next `next` with these bytes and close, or just close."""
        self._queue.put_nowait(answer)

    async def asked(self) -> None:
        """Wait until somebody has asked for an invocation."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._was_asked.wait()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for handler in tuple(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            while await self._serve_one(number, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._handlers.discard(task)
            writer.transport.abort()

    async def _serve_one(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        request_line, *lines = head.rstrip("\r\n").split("\r\n")
        method, path, _ = request_line.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.requests.append((number, method, path))
        if path.startswith(EXTENSIONS_PATH):
            return await self._serve_extension(path, headers, reader, writer)
        # An emulator may have a path of its own before that.
        path = path[path.index(VERSION_PATH) :]
        if path == f"{VERSION_PATH}/invocation/next":
            return await self._hand_out(writer)
        if path == f"{VERSION_PATH}/init/error":
            body = await reader.readexactly(int(headers["content-length"]))
            self.init_errors.append((headers, json.loads(body)))
            writer.write(answer(202))
            return True
        _, request_id, _kind = path.rsplit("/", 2)
        exchange = self._exchanges[request_id]
        exchange.path, exchange.request_headers = path, headers
        try:
            await self._take(exchange, headers, reader, writer)
        finally:
            exchange.ended.set()
        return True

    async def _serve_extension(
        self, path: str, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """The Extensions API: an extension registers, and waits for events, of which there are none."""
        if path.endswith("/register"):
            await reader.readexactly(int(headers["content-length"]))
            self.extensions.append(headers["lambda-extension-name"])
            writer.write(answer(200, b"{}", {"Lambda-Extension-Identifier": "id-of-the-extension"}))
            return True
        self.extensions.append(headers["lambda-extension-identifier"])
        await asyncio.Event().wait()
        return False

    async def _hand_out(self, writer: asyncio.StreamWriter) -> bool:
        self._was_asked.set()
        item = await self._queue.get()
        if not isinstance(item, Exchange):
            writer.write(item or b"")
            with suppress(ConnectionError):
                await writer.drain()
            writer.close()
            return False
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": item.request_id,
            "Lambda-Runtime-Deadline-Ms": str(item.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:sample",
            **item.headers,
        }
        writer.write(answer(200, item.payload, headers))
        return True

    async def _take(
        self,
        exchange: Exchange,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if "transfer-encoding" not in headers:
            exchange.body = await reader.readexactly(int(headers["content-length"]))
        else:
            while await self._take_chunk(exchange, reader):
                if exchange.stall_after == len(exchange.chunks):
                    await asyncio.Event().wait()
                if exchange.break_after == len(exchange.chunks):
                    raise ConnectionAbortedError
                if exchange.answer_after == len(exchange.chunks):
                    writer.write(answer(exchange.answer_status))
                    await asyncio.Event().wait()
        exchange.is_complete = True
        writer.write(answer(exchange.answer_status))

    async def _take_chunk(self, exchange: Exchange, reader: asyncio.StreamReader) -> bool:
        size = int((await reader.readuntil(b"\r\n")).strip(), 16)
        if not size:
            while line := (await reader.readuntil(b"\r\n")).strip().decode("ascii"):
                name, value = line.split(": ", 1)
                exchange.trailers[name.lower()] = value
            return False
        data = await reader.readexactly(size + 2)
        assert data.endswith(b"\r\n")
        async with exchange.chunk_arrived:
            exchange.chunks.append(data[:-2])
            exchange.times.append(time.monotonic())
            exchange.chunk_arrived.notify_all()
        return True


def answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """An HTTP/1.1 answer with a length."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


NewRuntimeApi = Callable[[], Awaitable[FakeRuntimeApi]]


@pytest.fixture
async def new_runtime_api() -> AsyncIterator[NewRuntimeApi]:
    """Starts servers."""
    servers: list[FakeRuntimeApi] = []

    async def start() -> FakeRuntimeApi:
        servers.append(FakeRuntimeApi())
        await servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def runtime_api(new_runtime_api: NewRuntimeApi) -> FakeRuntimeApi:
    """The server, started."""
    return await new_runtime_api()


StartLoop = Callable[..., asyncio.Task[None]]


@pytest.fixture(autouse=True)
def process_settings() -> Iterator[None]:
    """What a test sets for the whole process is undone: how it logs, and for which invocation."""
    yield
    log.hide_exceptions(False)
    set_for_process(Current())


@pytest.fixture
async def start_loop(runtime_api: FakeRuntimeApi) -> AsyncIterator[StartLoop]:
    """Serve an application's invocations in this process; gives the task of the loop."""
    tasks: list[asyncio.Task[None]] = []
    # As `serve` does it: the collection after a failure has a deadline, and must not visit all that tests import.
    gc.freeze()

    async def serve(settings: Settings, mangum: Mangum, state: dict[str, Any]) -> None:
        with AbandonedGenerators() as generators:
            await serve_invocations(Sandbox(settings, mangum, generators, state))

    def start(
        app: Any,
        *,
        form: ResponseForm = ResponseForm.AUTO,
        margin: float = 1.5,
        shutdown: float = 1.5,
        state: dict[str, Any] | None = None,
        function_timeout: float | None = None,
        **more: Any,
    ) -> asyncio.Task[None]:
        log.hide_exceptions(more.setdefault("exceptions", Exceptions.HIDE) is Exceptions.HIDE)
        settings = Settings(
            address=runtime_api.address,
            handler="",
            task_root=Path(),
            response_form=form,
            deadline_margin_seconds=margin,
            shutdown_seconds=shutdown,
            function=FunctionIdentity(timeout_seconds=function_timeout),
            **more,
        )
        mangum = app if isinstance(app, Mangum) else Mangum(app)
        tasks.append(asyncio.ensure_future(serve(settings, mangum, state or {})))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE_SECONDS)


@pytest.fixture
def function_url() -> Callable[..., dict[str, Any]]:
    """Builds events as a Function URL sends them."""
    return function_url_event


@pytest.fixture
def current_loop() -> Iterator[None]:
    """An event loop for synchronous tests that create a Mangum instance, which would leave one behind."""
    with asyncio.Runner() as runner:
        runner.get_loop()
        yield
