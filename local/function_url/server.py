"""The URL itself: accepts HTTP, starts sandboxes as they are needed, and gives each request one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
import uuid
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Self

import h11

from local.function_url.connection import HttpConnection
from local.function_url.cors import Headers
from local.function_url.event import HttpRequest, build_event, build_rest_event, join_headers
from local.function_url.function import MAX_EVENT_BYTES, Door, Function, Report
from local.function_url.invocation import Invocation
from local.function_url.response import BadResponseError, ResponseHead
from local.function_url.sandbox import InitError, Sandbox
from local.reaper import Reaper

logger = logging.getLogger(__name__)

_MAX_DISCARDED_BYTES = 64 * 1024 * 1024
"""A body over the limit is read this far, so that its sender gets to see the 413, and cut after it."""
_KEPT_REPORTS = 10_000
_FINISHING_SECONDS = 0.25
"""A runtime that has answered polls again at once: a request waits this long for it before another sandbox starts."""


class FunctionUrl:
    """A function behind a URL. An async context manager: `async with FunctionUrl(function, port=0) as url:`.

    Raises `OSError` (`EADDRINUSE`) on entry when the port is taken.
    """

    def __init__(self, function: Function, *, host: str = "127.0.0.1", port: int = 0, sandboxes: int = 4) -> None:
        self.function = function
        self.reports: deque[Report] = deque(maxlen=_KEPT_REPORTS)
        """What REPORT lines say of the latest invocations, oldest first."""
        self._host, self._port = host, port
        self._max_sandboxes = sandboxes
        self._sandboxes: list[Sandbox] = []
        # Ready sandboxes, the most recently used last: it is taken first, so that the others can be reaped.
        self._idle: list[Sandbox] = []
        self._connections: set[HttpConnection] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._log: IO[bytes] | None = None
        self._reaper: Reaper | None = None
        # Set whenever a sandbox becomes idle or ends.
        self._freed = asyncio.Event()

    async def __aenter__(self) -> Self:
        # The port first: a caller whose port is taken has nothing to clean up.
        self._server = await asyncio.get_running_loop().create_server(
            lambda: ClientConnection(self, self._connections), self._host, self._port, backlog=512
        )
        self._reaper = Reaper()
        if self.function.log is not None:
            self.function.log.parent.mkdir(parents=True, exist_ok=True)
            self._log = self.function.log.open("ab", buffering=0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening, cut what is running, end every sandbox. Returns when no process is left."""
        if self._server is not None:
            self._server.close()
        # Requests first: each ends its own sandbox by SIGTERM, which lets the function give its lease back.
        for request in list(self._requests):
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)
        await asyncio.gather(*(sandbox.stop() for sandbox in list(self._sandboxes)))
        for connection in list(self._connections):
            connection.abort()
        if self._reaper is not None:
            await asyncio.to_thread(self._reaper.close)
            self._reaper = None
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the URL is not being served")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def sandboxes(self) -> Sequence[Sandbox]:
        """Those that are starting, working or frozen."""
        return tuple(self._sandboxes)

    def start_request(self, request: HttpRequest, client: ClientConnection) -> None:
        task = asyncio.create_task(self._serve(request, client))
        self._requests.add(task)
        task.add_done_callback(lambda done: self._end_request(done, client))

    def _end_request(self, task: asyncio.Task[None], client: ClientConnection) -> None:
        self._requests.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("request.failed", exc_info=error)
            client.fail()

    async def _serve(self, request: HttpRequest, client: ClientConnection) -> None:
        request_id, now = str(uuid.uuid4()), time.time()
        trace_id = f"Root=1-{int(now):08x}-{secrets.token_hex(12)}"
        client.set_ids(request_id, trace_id)
        build = build_rest_event if self.function.door is Door.REST_API else build_event
        event = build(request, domain=self.function.domain, request_id=request_id, trace_id=trace_id, epoch_seconds=now)
        # Of the event and not of the body: base64 makes a body a third larger, and Lambda counts that.
        if len(event) > MAX_EVENT_BYTES:
            client.refuse(413, "Request Entity Too Large")
            return
        try:
            sandbox = await self._take_sandbox()
        except InitError as error:
            logger.warning("sandbox.init_failed function=%s code=%s", self.function.name, error.code)
            client.fail()
            return
        if sandbox is None:
            client.refuse(429, "Rate Exceeded.")
            return
        deadline_ms = int((time.time() + self.function.timeout_seconds) * 1000)
        invocation = Invocation(
            request_id=request_id, trace_id=trace_id, event=event, deadline_epoch_ms=deadline_ms, answer=client
        )
        client.follow(invocation)
        # Until the runtime polls again, which may be some time after the answer's end.
        self.reports.append(await sandbox.invoke(invocation))
        if sandbox.is_ready:
            self._idle.append(sandbox)
            self._freed.set()

    async def _take_sandbox(self) -> Sandbox | None:
        """A ready sandbox, a fresh one, or `None` if all are busy. Raises `InitError`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FINISHING_SECONDS):
                while (sandbox := self._take_idle()) is None and any(one.is_finishing for one in self._sandboxes):
                    self._freed.clear()
                    await self._freed.wait()
                if sandbox is not None:
                    return sandbox
        if len(self._sandboxes) >= self._max_sandboxes or self._reaper is None:
            return None
        sandbox = Sandbox(self.function, reaper=self._reaper, log=self._log, on_exit=self._forget)
        self._sandboxes.append(sandbox)
        try:
            await sandbox.start()
        except BaseException:
            self._forget(sandbox)
            raise
        return sandbox

    def _take_idle(self) -> Sandbox | None:
        while self._idle:
            sandbox = self._idle.pop()
            if sandbox.is_ready:
                return sandbox
        return None

    def _forget(self, sandbox: Sandbox) -> None:
        for sandboxes in (self._sandboxes, self._idle):
            with contextlib.suppress(ValueError):
                sandboxes.remove(sandbox)
        self._freed.set()


class ClientConnection(HttpConnection):
    """One connection of a client: reads a request in full, then is where the invocation's answer goes."""

    def __init__(self, url: FunctionUrl, connections: set[HttpConnection]) -> None:
        super().__init__(connections)
        self._url = url
        self._invocation: Invocation | None = None
        self._is_answering = False
        # Of the request being read or answered:
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._body_bytes = 0
        self._extra_headers: Headers = []

    # Request.

    def request_started(self, request: h11.Request) -> None:
        self._request = request
        self._body.clear()
        self._body_bytes = 0
        self._extra_headers = []
        self._is_answering = False

    def body_received(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes <= MAX_EVENT_BYTES:
            self._body += data
        elif self._body_bytes > _MAX_DISCARDED_BYTES:
            self.refuse(413, "Request Entity Too Large")
            self.close()

    def request_ended(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        del trailers
        if self._request is None or self._is_answering:
            return
        headers = join_headers(self._request.headers)
        method = self._request.method.decode("ascii")
        cors = self._url.function.cors
        if cors is not None:
            # Lambda answers these itself: the function never sees them.
            preflight = cors.preflight(method, headers)
            if preflight is not None:
                self.respond(200, preflight, b"")
                return
            self._extra_headers += cors.response_headers(headers)
        if self._body_bytes > MAX_EVENT_BYTES:
            self.refuse(413, "Request Entity Too Large")
            return
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        request = HttpRequest(
            method=method,
            target=self._request.target.decode("ascii"),
            headers=headers,
            body=bytes(self._body),
            source_ip=peer[0] if peer else "127.0.0.1",
            http_version=self._request.http_version.decode("ascii"),
            header_list=tuple(
                (name.decode("ascii"), value.decode("latin-1")) for name, value in self._request.headers.raw_items()
            ),
        )
        self._body.clear()
        self._url.start_request(request, self)

    # Answer.

    def set_ids(self, request_id: str, trace_id: str) -> None:
        self._extra_headers += [("x-amzn-RequestId", request_id), ("X-Amzn-Trace-Id", trace_id)]

    def follow(self, invocation: Invocation) -> None:
        """From now on this invocation is told when the client can't take more."""
        self._invocation = invocation

    def start(self, head: ResponseHead) -> None:
        try:
            self.start_response(head.status, [*_date(), *head.headers, *self._extra_headers])
        except (h11.LocalProtocolError, UnicodeError):
            raise BadResponseError("Runtime.InvalidResponse") from None
        self._is_answering = True

    def write(self, data: bytes) -> None:
        self.send_body(data)

    def end(self) -> None:
        self._invocation = None
        self.end_response()

    def fail(self) -> None:
        self._invocation = None
        # The client has a status already: only a cut connection can tell it that the rest is missing.
        if self._is_answering:
            self.abort()
        else:
            self.refuse(502, "Internal Server Error")

    def refuse(self, status: int, message: str) -> None:
        """An answer of Lambda's own."""
        self._is_answering = True
        body = f'{{"message":"{message}"}}'.encode()
        self.respond(status, [*_date(), ("Content-Type", "application/json"), *self._extra_headers], body)

    # Backpressure, and a client that leaves.

    def pause_writing(self) -> None:
        if self._invocation is not None:
            self._invocation.set_paused(True)

    def resume_writing(self) -> None:
        if self._invocation is not None:
            self._invocation.set_paused(False)

    def disconnected(self) -> None:
        # The function is not stopped: what it still says is read and dropped.
        if self._invocation is not None:
            self._invocation.set_paused(False)


def _date() -> Headers:
    return [("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()))]
