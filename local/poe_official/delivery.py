"""Streams frames at a pace, with the faults of the stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from local.poe_official.faults import (
    CutSocket,
    ErrorEvent,
    Fault,
    PingOnly,
    PointsRunOut,
    StallStream,
    StreamFault,
)
from local.poe_official.frames import Frame
from local.poe_official.journal import Journal, RequestRecord, SentRecord

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-poe-feature-active", b"chat-completions-strict"),
]


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Cut(Exception):
    """The connection is to be reset."""


@dataclass(slots=True)
class Delivery:
    """One streamed answer on its way. `on_complete` is called before the last frame leaves."""

    frames: list[Frame]
    faults: Sequence[Fault]
    pace_seconds: float
    journal: Journal
    record: RequestRecord
    error_frame: Callable[[str, int | str | None, str], Frame]
    on_complete: Callable[[], None]
    on_points_gone: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; stop when the client goes."""
        gone = asyncio.ensure_future(disconnected(receive))
        sending = asyncio.ensure_future(self._send(send))
        try:
            await asyncio.wait([gone, sending], return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and isinstance(sending.exception(), _Cut):
                scope["state"]["transport"].abort()
        finally:
            for task in (gone, sending):
                task.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        frames = self.frames
        for fault in self.faults:
            if isinstance(fault, StreamFault):
                frames = fault.shape(frames)
        self.record.status = 200
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        for position, frame in enumerate(frames):
            if await self._strike(position, send):
                return
            if position:
                await asyncio.sleep(self.pace_seconds)
            if position == len(frames) - 1:
                self.on_complete()
            await self._write(frame, send)
        if not await self._strike(len(frames), send):
            self.record.completed = True
            await send({"type": "http.response.body", "body": b""})

    async def _strike(self, position: int, send: Send) -> bool:
        """Let the faults whose turn it is happen; whether the answer ends here."""
        for fault in self.faults:
            if getattr(fault, "at", None) != position:
                continue
            match fault:
                case CutSocket():
                    raise _Cut
                case StallStream(seconds=seconds):
                    await asyncio.sleep(seconds)
                case PingOnly(interval_seconds=interval):
                    while True:
                        await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})
                        await asyncio.sleep(interval)
                case ErrorEvent(kind=kind, code=code, message=message):
                    return await self._end_with(self.error_frame(kind, code, message), send)
                case PointsRunOut():
                    self.on_points_gone()
                    frame = self.error_frame("insufficient_quota", "insufficient_points", "No points left")
                    return await self._end_with(frame, send)
        return False

    async def _end_with(self, frame: Frame, send: Send) -> bool:
        await self._write(frame, send)
        await send({"type": "http.response.body", "body": b""})
        return True

    async def _write(self, frame: Frame, send: Send) -> None:
        self.journal.add_sent(SentRecord(time.monotonic(), self.record.path, frame.part.value, len(frame.data)))
        await send({"type": "http.response.body", "body": frame.data, "more_body": True})
