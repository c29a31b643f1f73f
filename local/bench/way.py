"""Measures one way of serving a stream, whatever it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from local.bench.measure import Piece, TextChunk, cpu_seconds, memory_mb, text_chunks
from local.bench.upstreams import Upstream

# Slow enough that no two pieces become one chunk, as models write; and as fast as it goes, when they may.
PACE_SECONDS, FLAT_OUT_SECONDS = 0.005, 0.0
PACED_PIECES, FLAT_OUT_PIECES = (20, 420), (100, 2_100)
_QUIET_CHECK_SECONDS, _QUIET_CHECKS = 0.05, 20
_QUIET_LOAD = 0.02

Stream = Callable[[int, float], Awaitable[list[Piece]]]
"""Asks for so many pieces at such a pace."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve, while it is up: how to ask, whose processor time counts, and what made the pieces."""

    ask: Stream
    pids: Sequence[int]
    upstream: Upstream


@dataclass(slots=True)
class Samples:
    """What was measured of one way so far; times in seconds, one entry per round (of delays, per piece)."""

    delays: list[float] = field(default_factory=list)
    paced: list[float] = field(default_factory=list)
    """Processor time per piece."""
    flat_out: list[float] = field(default_factory=list)
    per_stream: list[float] = field(default_factory=list)
    """What a stream costs besides its pieces."""
    memory_mb: float = 0.0


async def warm_up(way: Way) -> None:
    """It idled meanwhile, and may have to open new connections: that is no stream's usual cost."""
    await way.upstream.set_pace(FLAT_OUT_SECONDS)
    await way.ask(5, FLAT_OUT_SECONDS)


async def add_round(way: Way, samples: Samples) -> None:
    """Ask for a short and a long answer at each pace, and add what they cost. Raises `RuntimeError`."""
    await warm_up(way)
    short, long = [await _used(way, count, PACE_SECONDS, samples) for count in PACED_PIECES]
    per_piece = (long - short) / (PACED_PIECES[1] - PACED_PIECES[0])
    samples.paced.append(per_piece)
    samples.per_stream.append(max(0.0, short - PACED_PIECES[0] * per_piece))
    short, long = [await _used(way, count, FLAT_OUT_SECONDS) for count in FLAT_OUT_PIECES]
    samples.flat_out.append((long - short) / (FLAT_OUT_PIECES[1] - FLAT_OUT_PIECES[0]))
    if way.pids:
        samples.memory_mb, _ = memory_mb(way.pids[0])


async def _used(way: Way, wanted: int, pace: float, samples: Samples | None = None) -> float:
    """Processor time of one stream, from before the request until all that it leaves behind is done."""
    await way.upstream.set_pace(pace)
    before = await settled_cpu_seconds(way.pids)
    since = time.monotonic()
    chunks = await _ask(way, wanted, pace)
    used = await settled_cpu_seconds(way.pids) - before
    if samples is not None:
        samples.delays += await way.upstream.delays(chunks, since)
    return used


async def _ask(way: Way, wanted: int, pace: float) -> list[TextChunk]:
    """The chunks of an answer. Raises `RuntimeError` unless as many pieces came as were wanted."""
    chunks = text_chunks(await way.ask(wanted, pace))
    came = len("".join(chunk.text for chunk in chunks).split())
    if came != wanted:
        raise RuntimeError(f"{came} pieces came instead of {wanted}")
    return chunks


async def settled_cpu_seconds(pids: Iterable[int]) -> float:
    """Once what a stream leaves behind (booking, logging) is done too, which is waited for a second at most."""
    used = cpu_seconds(pids)
    for _ in range(_QUIET_CHECKS if used else 0):
        await asyncio.sleep(_QUIET_CHECK_SECONDS)
        before, used = used, cpu_seconds(pids)
        if used - before < _QUIET_LOAD * _QUIET_CHECK_SECONDS:
            break
    return used
