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
    """One streamed answer on its way.

    `charge` is called with the share of the answer that was made: all of it before the last frame leaves; less when
    the client goes, or the connection is cut, before. An answer that ends with an error is not charged.
    """

    frames: list[Frame]
    faults: Sequence[Fault]
    pace_seconds: float
    journal: Journal
    record: RequestRecord
    error_frame: Callable[[str, int | str | None, str], Frame]
    charge: Callable[[float], None]
    on_points_gone: Callable[[], None]
    _left: int = 0  # frames that left
    _is_settled: bool = False

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
            self._settle(self._left / len(self.frames))

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
                self._settle(1.0)
            await self._write(frame, send)
            self._left += 1
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
                    self._is_settled = True
                    self.on_points_gone()
                    frame = self.error_frame("insufficient_quota", "insufficient_points", "No points left")
                    return await self._end_with(frame, send)
        return False

    def _settle(self, share: float) -> None:
        if not self._is_settled:
            self._is_settled = True
            self.charge(min(share, 1.0))

    async def _end_with(self, frame: Frame, send: Send) -> bool:
        self._is_settled = True
        await self._write(frame, send)
        await send({"type": "http.response.body", "body": b""})
        return True

    async def _write(self, frame: Frame, send: Send) -> None:
        self.journal.add_sent(SentRecord(time.monotonic(), self.record.path, frame.part.value, len(frame.data)))
        await send({"type": "http.response.body", "body": frame.data, "more_body": True})
