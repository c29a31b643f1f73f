"""The gateway beside a LiteLLM proxy: one upstream and account of Poe's documented API, same pieces, same client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from local.bench.figures import sandbox_cold_start
from local.bench.litellm_proxy import MASTER_KEY, LiteLlm
from local.bench.measure import Piece, median, memory_mb, percentile, post
from local.bench.served import Server, uvicorn
from local.bench.streaming import (
    GATEWAY_APPLICATION,
    GATEWAY_INCLUDES,
    MODEL,
    ON_RUNTIME,
    UNDER_UVICORN,
    gateway_runtime,
    gateway_uvicorn,
    prompt,
)
from local.bench.surroundings import Surroundings
from local.bench.upstreams import OfficialUpstream
from local.bench.way import (
    BRISK_SECONDS,
    FLAT_OUT_SECONDS,
    PACE_SECONDS,
    Costs,
    Way,
    cpu_costs,
    flood_rate,
    paced_delays,
    warm_up,
)

STREAMS = 5
ROUNDS = 3
COLD_STARTS = 3
_ACCOUNT, _ACCOUNT_KEY = "bench-proxies", "bench-proxies-key"
_DIRECT, _LITELLM = "no proxy: the client at the upstream", "LiteLLM proxy"
_INCLUDES = {
    _DIRECT: "what is in every row",
    ON_RUNTIME: GATEWAY_INCLUDES,
    UNDER_UVICORN: GATEWAY_INCLUDES,
    _LITELLM: "upstream, OpenAI client, master key, routing; one worker, no database, nothing booked",
}


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """What a process did and needed."""

    brisk_per_cpu_second: float
    """Pieces per second of processor time, each a chunk of its own."""
    flat_out_per_cpu_second: float
    """The same when the upstream sends as fast as it can."""
    cpu_ms_per_stream: float
    """What a stream costs besides its pieces."""
    cold_start_ms: float
    """Process start to the first byte of an answer."""
    memory_mb: float
    """Resident after all streams."""
    peak_mb: float


@dataclass(frozen=True, slots=True)
class ProxyFigures:
    """Of one way to the upstream; `server` is None if nothing is between."""

    name: str
    includes: str
    p50_ms: float
    p99_ms: float
    flat_out_per_second: float
    """Pieces per second by the clock, of one long stream."""
    server: ServerFigures | None = None


@dataclass(frozen=True, slots=True)
class Proxies:
    """The comparison."""

    direct: ProxyFigures
    gateways: list[ProxyFigures]
    litellm: ProxyFigures


async def measure_proxies(around: Surroundings, litellm: LiteLlm) -> Proxies:
    """The ways take turns, so that what else the machine does falls on all of them. Raises `RuntimeError`."""
    await around.add_official_account(_ACCOUNT, _ACCOUNT_KEY)
    await around.use_accounts(_ACCOUNT)
    cold_starts = await _cold_starts(around, litellm)
    upstream = OfficialUpstream(around)
    async with AsyncExitStack() as stack:
        ways = {
            _DIRECT: _direct(around),
            ON_RUNTIME: await stack.enter_async_context(gateway_runtime(around, upstream)),
            UNDER_UVICORN: await stack.enter_async_context(gateway_uvicorn(around, upstream)),
            _LITELLM: await stack.enter_async_context(_litellm(around, litellm)),
        }
        samples = {name: _Samples() for name in ways}
        for measure, rounds in ((_add_delays, STREAMS), (_add_costs, ROUNDS)):
            for _ in range(rounds):
                for name, way in ways.items():
                    await warm_up(way)
                    await measure(samples[name], way)
        found = {name: _figures(name, way, samples[name], cold_starts) for name, way in ways.items()}
        await upstream.set_pace(PACE_SECONDS)
    return Proxies(
        direct=found[_DIRECT],
        gateways=[found[ON_RUNTIME], found[UNDER_UVICORN]],
        litellm=replace(found[_LITELLM], name=f"{_LITELLM} {litellm.version}"),
    )


async def _cold_starts(around: Surroundings, litellm: LiteLlm) -> dict[str, float]:
    """Milliseconds; these take turns, too."""
    seconds: dict[str, list[float]] = {ON_RUNTIME: [], UNDER_UVICORN: [], _LITELLM: []}
    for _ in range(COLD_STARTS):
        seconds[ON_RUNTIME].append(await sandbox_cold_start(around, around.gateway))
        async with uvicorn(around, GATEWAY_APPLICATION) as server:
            seconds[UNDER_UVICORN].append(server.cold_start_seconds)
        async with _serve(around, litellm) as server:
            seconds[_LITELLM].append(server.cold_start_seconds)
    return {name: median(values) * 1000 for name, values in seconds.items()}


@dataclass(slots=True)
class _Samples:
    """What was measured of one way so far; times in seconds."""

    delays: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    brisk: list[Costs] = field(default_factory=list)
    flat_out: list[Costs] = field(default_factory=list)


async def _add_delays(samples: _Samples, way: Way) -> None:
    samples.delays += await paced_delays(way)


async def _add_costs(samples: _Samples, way: Way) -> None:
    samples.rates.append(await flood_rate(way))
    if way.pids:
        samples.brisk.append(await cpu_costs(way, BRISK_SECONDS, streams=1))
        samples.flat_out.append(await cpu_costs(way, FLAT_OUT_SECONDS, streams=1))


def _figures(name: str, way: Way, samples: _Samples, cold_starts: Mapping[str, float]) -> ProxyFigures:
    server = None
    if way.pids:
        resident, peak = memory_mb(way.pids[0])
        server = ServerFigures(
            brisk_per_cpu_second=1 / median(costs.per_piece for costs in samples.brisk),
            flat_out_per_cpu_second=1 / median(costs.per_piece for costs in samples.flat_out),
            cpu_ms_per_stream=median(costs.per_stream for costs in samples.brisk) * 1000,
            cold_start_ms=cold_starts[name],
            memory_mb=resident,
            peak_mb=peak,
        )
    return ProxyFigures(
        name=name,
        includes=_INCLUDES[name],
        p50_ms=percentile(samples.delays, 0.5) * 1000,
        p99_ms=percentile(samples.delays, 0.99) * 1000,
        flat_out_per_second=median(samples.rates),
        server=server,
    )


def _direct(around: Surroundings) -> Way:
    async def ask(count: int, _: float) -> list[Piece]:
        return await post(f"{_upstream_url(around)}/chat/completions", prompt(count), api_key=_ACCOUNT_KEY)

    return Way(ask, [], OfficialUpstream(around))


@asynccontextmanager
async def _litellm(around: Surroundings, litellm: LiteLlm) -> AsyncIterator[Way]:
    async with _serve(around, litellm) as server:

        async def ask(count: int, _: float) -> list[Piece]:
            return await post(f"{server.url}/v1/chat/completions", prompt(count), api_key=MASTER_KEY)

        yield Way(ask, [server.pid], OfficialUpstream(around))


def _serve(around: Surroundings, litellm: LiteLlm) -> AbstractAsyncContextManager[Server]:
    return litellm.serve(
        upstream=_upstream_url(around),
        api_key=_ACCOUNT_KEY,
        models=[MODEL],
        reaper=around.reaper,
        folder=around.scratch / "litellm",
    )


def _upstream_url(around: Surroundings) -> str:
    return f"{around.variables['GATEWAY_POE_OFFICIAL_BASE_URL']}/v1"
