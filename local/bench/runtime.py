"""Runs a sandbox without a Function URL: the measurement plays the Lambda service and receives the answer."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local.bench.measure import Piece
from local.function_url import Function
from local.function_url.connection import HttpConnection
from local.function_url.event import HttpRequest, build_event
from local.function_url.invocation import Invocation
from local.function_url.response import ResponseHead
from local.function_url.runtime_api import RuntimeConnection, RuntimeHost
from local.function_url.sandbox import Sandbox
from local.reaper import Reaper


class TimedConnection(RuntimeConnection):
    """Notes when bytes arrive, before anything is done with them, as the other ways' client does."""

    arrived_at: ClassVar[float] = 0.0

    def data_received(self, data: bytes) -> None:
        TimedConnection.arrived_at = time.monotonic()
        super().data_received(data)


class _TimedSandbox(Sandbox):
    connection_type = TimedConnection


class RecordingConnection(TimedConnection):
    """Reads a streamed response at its end, as the other ways' client does: reading takes the processor meanwhile."""

    def __init__(self, host: RuntimeHost, connections: set[HttpConnection]) -> None:
        super().__init__(host, connections)
        self._recorded: list[tuple[float, bytes]] = []
        self._last = b""

    def data_received(self, data: bytes) -> None:
        self._recorded.append((time.monotonic(), data))
        self._last = (self._last + data)[-4:]
        # So ends a body in chunks, whatever it is cut into on its way.
        if not self._is_streaming_in or self._last == b"\r\n\r\n":
            self._read()

    def eof_received(self) -> bool:
        self._read()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._read()
        super().connection_lost(exc)

    def _read(self) -> None:
        recorded, self._recorded = self._recorded, []
        for moment, data in recorded:
            TimedConnection.arrived_at = moment
            RuntimeConnection.data_received(self, data)


class _RecordingSandbox(Sandbox):
    connection_type = RecordingConnection


@dataclass(slots=True)
class RecordingAnswer:
    """Takes an answer and notes when its pieces came."""

    pieces: list[Piece] = field(default_factory=list)
    on_piece: Callable[[bytes], None] = lambda _: None
    head: ResponseHead | None = None

    def start(self, head: ResponseHead) -> None:
        self.head = head

    def write(self, data: bytes) -> None:
        self.pieces.append(Piece(TimedConnection.arrived_at, data))
        self.on_piece(data)

    def end(self) -> None:
        """Nothing follows."""

    def fail(self) -> None:
        self.head = None


class BareSandbox:
    """One sandbox of a function, started and invoked by hand. `reads_late` streamed responses, at their end."""

    def __init__(self, function: Function, reaper: Reaper, *, reads_late: bool = False) -> None:
        self._function = function
        self._log = function.log.open("ab", buffering=0) if function.log is not None else None
        kind = _RecordingSandbox if reads_late else _TimedSandbox
        self._sandbox = kind(function, reaper=reaper, log=self._log, on_exit=lambda _: None)
        self.started_at = 0.0
        """When its process was started, in seconds of `time.monotonic`."""

    @property
    def pid(self) -> int:
        return self._sandbox.pid

    async def start(self) -> None:
        self.started_at = time.monotonic()
        await self._sandbox.start()

    async def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        api_key: str = "",
        *,
        on_piece: Callable[[bytes], None] = lambda _: None,
    ) -> list[Piece]:
        """The pieces of the answer's body, each also given to `on_piece` as it comes.

        Raises `RuntimeError` unless the status is 200.
        """
        answer, now = RecordingAnswer(on_piece=on_piece), time.time()
        headers = {"content-type": "application/json", "authorization": f"Bearer {api_key}"}
        request = HttpRequest(
            method=method,
            target=path,
            headers=headers,
            body=json.dumps(body).encode() if body else b"",
            source_ip="127.0.0.1",
        )
        request_id, trace_id = str(uuid.uuid4()), "Root=1-00000000-000000000000000000000000"
        domain = self._function.domain
        event = build_event(request, domain=domain, request_id=request_id, trace_id=trace_id, epoch_seconds=now)
        invocation = Invocation(
            request_id=request_id,
            trace_id=trace_id,
            event=event,
            deadline_epoch_ms=int((now + self._function.timeout_seconds) * 1000),
            answer=answer,
        )
        await self._sandbox.invoke(invocation)
        if answer.head is None or answer.head.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.head}, {b''.join(p.data for p in answer.pieces)[-300:]!r}")
        return answer.pieces

    async def stop(self) -> None:
        await self._sandbox.stop()
        if self._log is not None:
            self._log.close()
