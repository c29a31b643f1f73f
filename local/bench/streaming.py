"""Latency per streamed chunk, and chunks per second of processor time, for each way to serve a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from local.bench.measure import Piece, percentile, post
from local.bench.plain_client_app import COOKIE_VARIABLE
from local.bench.runtime import BareSandbox
from local.bench.served import uvicorn
from local.bench.surroundings import Surroundings
from local.bench.upstreams import OnTheSpot, Upstream, WebUpstream
from local.bench.way import BRISK_SECONDS, FLAT_OUT_SECONDS, PACE_SECONDS, Way, cpu_costs, paced_delays, warm_up
from local.function_url import Function
from local.settings import ROOT

MODEL = "Story"
PACED_STREAMS = 2
GATEWAY_APPLICATION = "gateway.asgi:app"


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
        for _ in range(PACED_STREAMS):
            for name, way in ways.items():
                await around.use_accounts(name)
                await warm_up(way)
                delays[name] += await paced_delays(way)
        return [await _figures(around, name, way, delays[name]) for name, way in ways.items()]


async def _add_account(around: Surroundings, name: str) -> None:
    """Each way has its own: Poe tells every channel of an account everything, so one would hear the others' answers."""
    await around.web_simulator("accounts", p_b=_cookie(name), points=10_000_000)
    await around.admin("POST", "/accounts", kind="web", label=name, credentials={"p_b": _cookie(name)})
    await around.use_accounts(name)


async def _figures(around: Surroundings, name: str, way: Way, delays: list[float]) -> StreamFigures:
    await around.use_accounts(name)
    await warm_up(way)
    brisk, flat_out = await cpu_costs(way, BRISK_SECONDS), await cpu_costs(way, FLAT_OUT_SECONDS)
    await way.upstream.set_pace(PACE_SECONDS)
    return StreamFigures(
        name=name,
        includes=_WAYS[name][0],
        p50_ms=percentile(delays, 0.5) * 1000,
        p99_ms=percentile(delays, 0.99) * 1000,
        brisk_per_cpu_second=1 / brisk.per_piece,
        flat_out_per_cpu_second=1 / flat_out.per_piece,
        cpu_ms_per_stream=brisk.per_stream * 1000,
    )


def prompt(count: int) -> dict[str, object]:
    """A chat whose answer has so many pieces."""
    return {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": f"count {count}"}]}


@asynccontextmanager
async def gateway_runtime(around: Surroundings, upstream: Upstream) -> AsyncIterator[Way]:
    """The gateway in a sandbox, the measurement being the Lambda service."""
    sandbox = BareSandbox(around.gateway, around.reaper)
    await sandbox.start()
    try:
        yield Way(
            lambda count, _: sandbox.request("POST", "/v1/chat/completions", prompt(count), around.api_key),
            [sandbox.pid],
            upstream,
        )
    finally:
        await sandbox.stop()


@asynccontextmanager
async def _gateway_emulator(around: Surroundings) -> AsyncIterator[Way]:
    async def ask(count: int, _: float) -> list[Piece]:
        return await post(around.chat_url, prompt(count), api_key=around.api_key)

    await ask(1, 0)
    # The sandbox alone: on AWS the rest of the way is Amazon's, and is not billed.
    yield Way(ask, around.sandbox_pids, WebUpstream(around))


@asynccontextmanager
async def gateway_uvicorn(around: Surroundings, upstream: Upstream) -> AsyncIterator[Way]:
    """The gateway's application under uvicorn, as it comes."""
    async with uvicorn(around, GATEWAY_APPLICATION) as server:
        yield Way(
            lambda count, _: post(f"{server.url}/v1/chat/completions", prompt(count), api_key=around.api_key),
            [server.pid],
            upstream,
        )


@asynccontextmanager
async def _plain_client(around: Surroundings) -> AsyncIterator[Way]:
    cookie = _cookie(PLAIN_CLIENT)
    async with uvicorn(around, "local.bench.plain_client_app:app", **{COOKIE_VARIABLE: cookie}) as server:
        yield Way(
            lambda count, _: post(f"{server.url}/v1/chat/completions", prompt(count)), [server.pid], WebUpstream(around)
        )


@asynccontextmanager
async def _plain_uvicorn(around: Surroundings) -> AsyncIterator[Way]:
    async with uvicorn(around, "local.bench.plain_app:app") as server:
        yield Way(
            lambda count, pace: post(f"{server.url}/v1/chat/completions", _order(count, pace)),
            [server.pid],
            OnTheSpot(),
        )


@asynccontextmanager
async def _plain_runtime(around: Surroundings) -> AsyncIterator[Way]:
    sandbox = BareSandbox(plain_function(around, "local.bench.plain_app.app"), around.reaper)
    await sandbox.start()
    try:
        yield Way(
            lambda count, pace: sandbox.request("POST", "/v1/chat/completions", _order(count, pace)),
            [sandbox.pid],
            OnTheSpot(),
        )
    finally:
        await sandbox.stop()


def plain_function(around: Surroundings, handler: str) -> Function:
    """Another application in the gateway's place, with the same runtime, variables and limits."""
    return replace(around.gateway, handler=handler, task_root=ROOT)


def _order(count: int, pace: float) -> dict[str, object]:
    return {"count": count, "pace_seconds": pace}


PLAIN_CLIENT = "plain FastAPI, a pydantic model per chunk, under uvicorn, same Poe client and upstream"
ON_RUNTIME = "this gateway, as its runtime hands the chunks to Lambda"
UNDER_UVICORN = "this gateway under uvicorn"
GATEWAY_INCLUDES = "upstream, Poe client, API key, lease, booking, usage, keep-alive"
_WAYS: dict[str, tuple[str, Callable[[Surroundings], AbstractAsyncContextManager[Way]]]] = {
    ON_RUNTIME: (GATEWAY_INCLUDES, lambda around: gateway_runtime(around, WebUpstream(around))),
    "this gateway, through runtime and Function URL emulator": (
        f"{GATEWAY_INCLUDES}; CPU without the emulator",
        _gateway_emulator,
    ),
    UNDER_UVICORN: (GATEWAY_INCLUDES, lambda around: gateway_uvicorn(around, WebUpstream(around))),
    PLAIN_CLIENT: ("upstream, Poe client, one fixed account, nothing else", _plain_client),
    "the same under uvicorn without an upstream": ("chunks made on the spot", _plain_uvicorn),
    "the same on this gateway's runtime without an upstream": ("chunks made on the spot", _plain_runtime),
}


def _cookie(name: str) -> str:
    return "bench-" + "".join(letter for letter in name if letter.isalnum())
