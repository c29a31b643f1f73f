"""Measures one way of serving a stream, whatever it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from local.bench.measure import Piece, cpu_seconds, text_chunks
from local.bench.upstreams import Upstream

PACE_SECONDS = 0.02
PACED_CHUNKS = 100
# Slow enough that no two pieces become one chunk; and as fast as it goes, when they may.
BRISK_SECONDS, FLAT_OUT_SECONDS = 0.002, 0.0
SHORT_CHUNKS, LONG_CHUNKS = 50, 500
FLOOD_CHUNKS = 2_000
CPU_STREAMS = 3
_QUIET_CHECK_SECONDS, _QUIET_CHECKS = 0.05, 20
_QUIET_LOAD = 0.02

Stream = Callable[[int, float], Awaitable[list[Piece]]]
"""Asks for so many chunks at such a pace."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve, while it is up: how to ask, whose processor time counts, and what made the chunks."""

    ask: Stream
    pids: Sequence[int]
    upstream: Upstream


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of processor time."""

    per_piece: float
    per_stream: float
    """What a stream costs besides its pieces."""


async def warm_up(way: Way) -> None:
    """It idled meanwhile, and may have to open new connections: that is no stream's usual cost."""
    await way.upstream.set_pace(PACE_SECONDS)
    await way.ask(5, PACE_SECONDS)


async def paced_delays(way: Way) -> list[float]:
    """Of the pieces of one stream, in seconds."""
    await way.upstream.set_pace(PACE_SECONDS)
    since = time.monotonic()
    chunks = text_chunks(await way.ask(PACED_CHUNKS, PACE_SECONDS))
    return await way.upstream.delays(chunks, since)


async def cpu_costs(way: Way, pace: float, *, streams: int = CPU_STREAMS) -> Costs:
    """From so many streams of each of two lengths."""
    await way.upstream.set_pace(pace)
    costs = []
    for wanted in (SHORT_CHUNKS, LONG_CHUNKS):
        before = await _settled_cpu_seconds(way.pids)
        for _ in range(streams):
            await _ask(way, wanted, pace)
        costs.append((await _settled_cpu_seconds(way.pids) - before) / streams)
    cheap, dear = costs
    # Noise can make the difference vanish on a busy machine; a clock tick is the least there is to see.
    per_piece = max(dear - cheap, 1e-6) / (LONG_CHUNKS - SHORT_CHUNKS)
    return Costs(per_piece, max(0.0, cheap - SHORT_CHUNKS * per_piece))


async def flood_rate(way: Way) -> float:
    """Pieces per second by the clock, from the request to the last piece of a long stream sent flat out."""
    await way.upstream.set_pace(FLAT_OUT_SECONDS)
    since = time.monotonic()
    return FLOOD_CHUNKS / (await _ask(way, FLOOD_CHUNKS, FLAT_OUT_SECONDS) - since)


async def _ask(way: Way, wanted: int, pace: float) -> float:
    """When the last piece came. Raises `RuntimeError` unless as many came as were wanted."""
    chunks = text_chunks(await way.ask(wanted, pace))
    came = len("".join(chunk.text for chunk in chunks).split())
    if came != wanted:
        raise RuntimeError(f"{came} pieces came instead of {wanted}")
    return chunks[-1].time


async def _settled_cpu_seconds(pids: Iterable[int]) -> float:
    """Once what a stream leaves behind (booking, logging) is done too, which is waited for a second at most."""
    used = cpu_seconds(pids)
    for _ in range(_QUIET_CHECKS):
        await asyncio.sleep(_QUIET_CHECK_SECONDS)
        before, used = used, cpu_seconds(pids)
        if used - before < _QUIET_LOAD * _QUIET_CHECK_SECONDS:
            break
    return used
