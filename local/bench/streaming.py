"""Latency per streamed chunk, and chunks per second of processor time, for each way to serve a stream."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import accumulate

from local.bench.measure import Piece, cpu_seconds, percentile, post, text_chunks
from local.bench.plain_client_app import COOKIE_VARIABLE
from local.bench.runtime import BareSandbox
from local.bench.surroundings import Surroundings, uvicorn
from local.function_url import Function
from local.settings import ROOT

MODEL = "Story"
PACE_SECONDS = 0.02
PACED_CHUNKS = 100
PACED_STREAMS = 2
# Slow enough that no two pieces become one chunk; and as fast as it goes, when they may.
BRISK_SECONDS, FLAT_OUT_SECONDS = 0.002, 0.0
SHORT_CHUNKS, LONG_CHUNKS = 50, 500
CPU_STREAMS = 3

Stream = Callable[[int, float], Awaitable[list[Piece]]]
"""Asks for so many chunks at such a pace."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve, while it is up: how to ask, whose processor time counts, and what made the chunks."""

    ask: Stream
    pids: Sequence[int]
    has_upstream: bool = True


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """Of one way: milliseconds from the upstream's send to the arrival, and what the processor did."""

    name: str
    includes: str
    """What is in the figures."""
    p50_ms: float
    p99_ms: float
    brisk_per_cpu_second: float
    """Pieces of the answer per second of processor time, each a chunk of its own."""
    flat_out_per_cpu_second: float
    """The same when the upstream sends as fast as it can; several pieces may leave as one chunk."""
    cpu_ms_per_stream: float
    """What a stream costs besides its chunks."""


async def measure_streaming(around: Surroundings) -> list[StreamFigures]:
    """Every way at the same pace, with as many chunks, in turn: what else the machine does falls on all of them."""
    async with AsyncExitStack() as stack:
        ways = {}
        for name, (_, open_way) in _WAYS.items():
            await _add_account(around, name)
            ways[name] = await stack.enter_async_context(open_way(around))
        delays: dict[str, list[float]] = {name: [] for name in ways}
        await _set_pace(around, PACE_SECONDS)
        for _ in range(PACED_STREAMS):
            for name, way in ways.items():
                await around.use_accounts(name)
                # It idled meanwhile, and may have to open new connections: that is no stream's usual cost.
                await way.ask(5, PACE_SECONDS)
                delays[name] += await _delays(around, way)
        figures = [await _figures(around, name, way, delays[name]) for name, way in ways.items()]
    await _set_pace(around, PACE_SECONDS)
    return figures


async def _add_account(around: Surroundings, name: str) -> None:
    """Each way has its own: Poe tells every channel of an account everything, so one would hear the others' answers."""
    await around.web_simulator("accounts", p_b=_cookie(name), points=10_000_000)
    await around.admin("POST", "/accounts", kind="web", label=name, credentials={"p_b": _cookie(name)})
    await around.use_accounts(name)


async def _figures(around: Surroundings, name: str, way: Way, delays: list[float]) -> StreamFigures:
    await around.use_accounts(name)
    await way.ask(5, PACE_SECONDS)
    brisk, per_stream = await _cpu_costs(around, way, BRISK_SECONDS)
    flat_out, _ = await _cpu_costs(around, way, FLAT_OUT_SECONDS)
    return StreamFigures(
        name=name,
        includes=_WAYS[name][0],
        p50_ms=percentile(delays, 0.5) * 1000,
        p99_ms=percentile(delays, 0.99) * 1000,
        brisk_per_cpu_second=1 / brisk,
        flat_out_per_cpu_second=1 / flat_out,
        cpu_ms_per_stream=per_stream * 1000,
    )


async def _delays(around: Surroundings, way: Way) -> list[float]:
    since = time.monotonic()
    chunks = text_chunks(await way.ask(PACED_CHUNKS, PACE_SECONDS))
    if not way.has_upstream:
        return [chunk.time - float(chunk.text) for chunk in chunks]
    sent = await around.web_simulator(f"sent?since={since}")
    told = {record["text_length"]: record["time"] for record in reversed(sent) if record["text_length"]}
    lengths = accumulate(len(chunk.text) for chunk in chunks)
    return [chunk.time - told[length] for chunk, length in zip(chunks, lengths, strict=True) if length in told]


async def _cpu_costs(around: Surroundings, way: Way, pace: float) -> tuple[float, float]:
    """Seconds of processor time per piece and per stream, from streams of two lengths."""
    await _set_pace(around, pace)
    costs = []
    for wanted in (SHORT_CHUNKS, LONG_CHUNKS):
        before = cpu_seconds(way.pids)
        for _ in range(CPU_STREAMS):
            text = "".join(chunk.text for chunk in text_chunks(await way.ask(wanted, pace)))
            if len(text.split()) != wanted:
                raise RuntimeError(f"{len(text.split())} pieces came instead of {wanted}")
        costs.append((cpu_seconds(way.pids) - before) / CPU_STREAMS)
    cheap, dear = costs
    # Noise can make the difference vanish on a busy machine; a clock tick is the least there is to see.
    per_piece = max(dear - cheap, 1e-6) / (LONG_CHUNKS - SHORT_CHUNKS)
    return per_piece, max(0.0, cheap - SHORT_CHUNKS * per_piece)


async def _set_pace(around: Surroundings, seconds: float) -> None:
    await around.web_simulator("settings", pace_seconds=seconds)


def _prompt(count: int) -> dict[str, object]:
    return {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": f"count {count}"}]}


@asynccontextmanager
async def _gateway_runtime(around: Surroundings) -> AsyncIterator[Way]:
    sandbox = BareSandbox(around.gateway, around.reaper)
    await sandbox.start()
    try:
        yield Way(
            lambda count, _: sandbox.request("POST", "/v1/chat/completions", _prompt(count), around.api_key),
            [sandbox.pid],
        )
    finally:
        await sandbox.stop()


@asynccontextmanager
async def _gateway_emulator(around: Surroundings) -> AsyncIterator[Way]:
    async def ask(count: int, _: float) -> list[Piece]:
        return await post(around.chat_url, _prompt(count), api_key=around.api_key)

    await ask(1, 0)
    # The sandbox alone: on AWS the rest of the way is Amazon's, and is not billed.
    yield Way(ask, around.sandbox_pids)


@asynccontextmanager
async def _gateway_uvicorn(around: Surroundings) -> AsyncIterator[Way]:
    async with uvicorn(around, "gateway.asgi:app") as (url, pid):
        yield Way(
            lambda count, _: post(f"{url}/v1/chat/completions", _prompt(count), api_key=around.api_key),
            [pid],
        )


@asynccontextmanager
async def _plain_client(around: Surroundings) -> AsyncIterator[Way]:
    cookie = _cookie(PLAIN_CLIENT)
    async with uvicorn(around, "local.bench.plain_client_app:app", **{COOKIE_VARIABLE: cookie}) as (url, pid):
        yield Way(lambda count, _: post(f"{url}/v1/chat/completions", _prompt(count)), [pid])


@asynccontextmanager
async def _plain_uvicorn(around: Surroundings) -> AsyncIterator[Way]:
    async with uvicorn(around, "local.bench.plain_app:app") as (url, pid):
        yield Way(
            lambda count, pace: post(f"{url}/v1/chat/completions", _order(count, pace)), [pid], has_upstream=False
        )


@asynccontextmanager
async def _plain_runtime(around: Surroundings) -> AsyncIterator[Way]:
    sandbox = BareSandbox(plain_function(around, "local.bench.plain_app.app"), around.reaper)
    await sandbox.start()
    try:
        yield Way(
            lambda count, pace: sandbox.request("POST", "/v1/chat/completions", _order(count, pace)),
            [sandbox.pid],
            has_upstream=False,
        )
    finally:
        await sandbox.stop()


def plain_function(around: Surroundings, handler: str) -> Function:
    """Another application in the gateway's place, with the same runtime, variables and limits."""
    return replace(around.gateway, handler=handler, task_root=ROOT)


def _order(count: int, pace: float) -> dict[str, object]:
    return {"count": count, "pace_seconds": pace}


PLAIN_CLIENT = "plain FastAPI, a pydantic model per chunk, under uvicorn, same Poe client and upstream"
_GATEWAY = "upstream, Poe client, API key, lease, booking, usage, keep-alive"
_WAYS = {
    "this gateway, as its runtime hands the chunks to Lambda": (_GATEWAY, _gateway_runtime),
    "this gateway, through runtime and Function URL emulator": (
        f"{_GATEWAY}; CPU without the emulator",
        _gateway_emulator,
    ),
    "this gateway under uvicorn": (_GATEWAY, _gateway_uvicorn),
    PLAIN_CLIENT: ("upstream, Poe client, one fixed account, nothing else", _plain_client),
    "the same under uvicorn without an upstream": ("chunks made on the spot", _plain_uvicorn),
    "the same on this gateway's runtime without an upstream": ("chunks made on the spot", _plain_runtime),
}


def _cookie(name: str) -> str:
    return "bench-" + "".join(letter for letter in name if letter.isalnum())
