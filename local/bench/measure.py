"""Reading a stream with the time of every piece, and reading what a process used."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h11

_TIMEOUT_SECONDS = 60.0
_MEMORY = re.compile(rb"^Vm(RSS|HWM):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a body and when they came, in seconds of `time.monotonic`."""

    time: float
    data: bytes


@dataclass(frozen=True, slots=True)
class TextChunk:
    """One chat chunk with text in it."""

    time: float
    text: str


class _Recorder(asyncio.Protocol):
    """Notes the time of whatever arrives and looks at it later, so that measuring costs little meanwhile."""

    def __init__(self) -> None:
        self.received: list[tuple[float, bytes]] = []
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.received.append((time.monotonic(), data))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.closed.done():
            self.closed.set_result(None)


async def post(
    url: str, body: dict[str, Any], *, api_key: str = "", headers: Mapping[str, str] | None = None
) -> list[Piece]:
    """Post JSON and read the answer to its end. Raises `RuntimeError` unless the status is 200."""
    address, payload = urlsplit(url), json.dumps(body).encode()
    client = h11.Connection(h11.CLIENT)
    sent_headers = {
        "Host": address.netloc,
        "Content-Type": "application/json",
        "Authorization": f"Bearer {api_key or 'none'}",
        "Content-Length": str(len(payload)),
        "Connection": "close",
        **(headers or {}),
    }
    request = h11.Request(method="POST", target=address.path, headers=list(sent_headers.items()))
    sent = [client.send(request), client.send(h11.Data(data=payload)), client.send(h11.EndOfMessage())]
    loop = asyncio.get_running_loop()
    transport, recorder = await loop.create_connection(_Recorder, address.hostname or "", address.port or 80)
    try:
        transport.write(b"".join(part for part in sent if part))
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await recorder.closed
    finally:
        transport.close()
    return list(_body_pieces(client, recorder.received))


def _body_pieces(client: h11.Connection, received: Iterable[tuple[float, bytes]]) -> Iterable[Piece]:
    for moment, data in received:
        client.receive_data(data)
        while (event := client.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Response) and event.status_code != 200:
                raise RuntimeError(f"status {event.status_code}: {data[-300:]!r}")
            if isinstance(event, h11.Data):
                yield Piece(moment, bytes(event.data))
            if isinstance(event, h11.EndOfMessage):
                return


def text_chunks(pieces: Iterable[Piece]) -> list[TextChunk]:
    """Chat chunks with text, each with the time at which its last byte came. Raises `RuntimeError` for an error."""
    found, rest = [], b""
    for piece in pieces:
        *events, rest = (rest + piece.data).split(b"\n\n")
        for event in events:
            if not event.startswith(b"data: {"):
                continue
            chunk = json.loads(event[6:])
            if "error" in chunk:
                raise RuntimeError(str(chunk["error"]))
            text = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
            if text:
                found.append(TextChunk(piece.time, text))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time of the processes' living threads so far; unlike the usual counters, in nanoseconds."""
    tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a process now, and at its peak."""
    found = dict(_MEMORY.findall(Path(f"/proc/{pid}/status").read_bytes()))
    return int(found[b"RSS"]) / 1024, int(found[b"HWM"]) / 1024


def percentile(values: Sequence[float], part: float) -> float:
    """By the nearest rank: with few values the 99th percentile is close to the largest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def median_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of the rounds' ratios: what else the machine does in a round falls on both.

    A round that only one of them has, because time was up, is left out.
    """
    return median(value / other for value, other in zip(values, others, strict=False))
