"""The comparison with a LiteLLM proxy as Markdown: what was measured, and how many times the gateway's it is."""

from __future__ import annotations

from local.bench.proxies import COLD_STARTS, ROUNDS, STREAMS, Proxies, ProxyFigures
from local.bench.way import FLOOD_CHUNKS, PACED_CHUNKS

_NAMES = (
    "p50",
    "p99",
    "pieces per CPU s",
    "flat out",
    "CPU per stream",
    "flat out, by the clock",
    "cold start",
    "memory",
)


def proxy_lines(proxies: Proxies | None) -> list[str]:
    """A table with what it holds, or how to get one."""
    if proxies is None:
        return ["Beside a LiteLLM proxy: not measured in this run, `make bench LITELLM=1` does."]
    rows = [proxies.direct, *proxies.gateways, proxies.litellm]
    return [
        f"| beside {proxies.litellm.name}, one at a time | what is in it | {' | '.join(_NAMES)} |",
        f"|---|---|{'--:|' * len(_NAMES)}",
        *(f"| {row.name} | {row.includes} | {' | '.join(_cells(row))} |" for row in rows),
        *(_ratio_row(gateway, proxies) for gateway in proxies.gateways),
        "",
        "One upstream for all, the simulator of Poe's documented API, with one account, the same pieces and the same "
        f"client; {STREAMS} streams of {PACED_CHUNKS} pieces for the latency, medians of {ROUNDS} rounds for the rest, "
        "the rows taking turns. Columns as above; by the clock: pieces per second from the request to the last piece "
        f"of a stream of {FLOOD_CHUNKS:,}, which the upstream and the client have their part in; cold start: to the "
        f"first byte of a health route, median of {COLD_STARTS}; memory: resident after all streams, and its peak. "
        "Ratios are the gateway's advantage: LiteLLM's time or memory by the gateway's, the gateway's pieces by "
        "LiteLLM's; in brackets for the latency that is added to the row without a proxy.",
    ]


def _cells(row: ProxyFigures) -> list[str]:
    latency, by_the_clock = [f"{row.p50_ms:.2f} ms", f"{row.p99_ms:.2f} ms"], f"{row.flat_out_per_second:,.0f}/s"
    if row.server is None:
        return [*latency, "", "", "", by_the_clock, "", ""]
    server = row.server
    return [
        *latency,
        f"{server.brisk_per_cpu_second:,.0f}",
        f"{server.flat_out_per_cpu_second:,.0f}",
        f"{server.cpu_ms_per_stream:.0f} ms",
        by_the_clock,
        f"{server.cold_start_ms:,.0f} ms",
        f"{server.memory_mb:.0f}, {server.peak_mb:.0f} MB",
    ]


def _ratio_row(gateway: ProxyFigures, proxies: Proxies) -> str:
    other, direct = proxies.litellm, proxies.direct
    if gateway.server is None or other.server is None:
        raise ValueError("only what has a process can be compared")
    cells = [
        _latency_ratio(other.p50_ms, gateway.p50_ms, direct.p50_ms),
        _latency_ratio(other.p99_ms, gateway.p99_ms, direct.p99_ms),
        _ratio(gateway.server.brisk_per_cpu_second, other.server.brisk_per_cpu_second),
        _ratio(gateway.server.flat_out_per_cpu_second, other.server.flat_out_per_cpu_second),
        _ratio(other.server.cpu_ms_per_stream, gateway.server.cpu_ms_per_stream),
        _ratio(gateway.flat_out_per_second, other.flat_out_per_second),
        _ratio(other.server.cold_start_ms, gateway.server.cold_start_ms),
        f"{_ratio(other.server.memory_mb, gateway.server.memory_mb)}, "
        f"{_ratio(other.server.peak_mb, gateway.server.peak_mb)}",
    ]
    return f"| **LiteLLM to {gateway.name}** | | {' | '.join(cells)} |"


def _latency_ratio(other: float, own: float, direct: float) -> str:
    return f"{_ratio(other, own)} ({_ratio(other - direct, own - direct)})"


def _ratio(more: float, less: float) -> str:
    """Nothing that can be divided by, or less than nothing added, has no ratio."""
    return f"{more / less:.1f} x" if more > 0 and less > 0 else "none"
