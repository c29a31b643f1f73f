"""The figures as Markdown, and their place in the README."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from local.bench.figures import ColdStarts, Memory, RoundTrips, TableWork
from local.bench.proxies import Proxies
from local.bench.proxy_table import proxy_lines
from local.bench.published_client import INSTALL
from local.bench.streaming import PACED_STREAMS, StreamFigures
from local.bench.way import BRISK_SECONDS, LONG_CHUNKS, PACE_SECONDS, PACED_CHUNKS, SHORT_CHUNKS

BEGIN = "<!-- bench: written by `make bench`, do not edit -->"
END = "<!-- /bench -->"


@dataclass(frozen=True, slots=True)
class Results:
    """One run."""

    day: date
    machine: str
    streaming: list[StreamFigures]
    proxies: Proxies | None
    """None where LiteLLM was not to be measured."""
    cold_starts: ColdStarts
    round_trips: list[RoundTrips]
    published: list[RoundTrips]
    """Of the published client; empty where it is not installed."""
    table_work: list[TableWork]
    memory: Memory


def to_markdown(results: Results) -> str:
    """Tables with a line each on what they hold."""
    cold = results.cold_starts
    lines = [
        f"Measured on {results.day.isoformat()}, everything in one run on one machine ({results.machine}); "
        "compare rows, not machines.",
        "",
        "| streaming, one at a time | what is in it | p50 | p99 | pieces per CPU s | flat out | CPU per stream |",
        "|---|---|--:|--:|--:|--:|--:|",
        *(
            f"| {one.name} | {one.includes} | {one.p50_ms:.2f} ms | {one.p99_ms:.2f} ms "
            f"| {one.brisk_per_cpu_second:,.0f} | {one.flat_out_per_cpu_second:,.0f} | {one.cpu_ms_per_stream:.0f} ms |"
            for one in results.streaming
        ),
        "",
        "p50 and p99: latency from the moment the upstream sends a piece of the answer to its arrival as an OpenAI "
        f"chunk; {PACED_STREAMS} streams of {PACED_CHUNKS} pieces, {PACE_SECONDS * 1000:.0f} ms apart, the rows taking "
        "turns. The upstream is the Poe web simulator, over its WebSocket; a row without one never waits for a socket. "
        "CPU: of the process that runs the app (not of the simulator, the emulator or the client), from streams of "
        f"{SHORT_CHUNKS} and of {LONG_CHUNKS} pieces, {BRISK_SECONDS * 1000:.0f} ms apart, or flat out, when pieces "
        "that are there already leave as one chunk; per stream is what comes on top of the pieces.",
        "",
        *proxy_lines(results.proxies),
        "",
        "| | |",
        "|---|--:|",
        f"| cold start, process start to first byte of `/healthz`: this gateway | {cold.gateway_ms:.0f} ms |",
        f"| the same runtime with a small app that imports fastapi, mangum, httpx and boto3 | {cold.stack_ms:.0f} ms |",
        *(
            f"| round trips to Poe before the first token: {one.name} (time to it with 50 ms each) "
            f"| {one.count} ({one.first_token_ms:.0f} ms) |"
            for one in results.round_trips
        ),
        *_published_rows(results.published),
        *(
            f"| DynamoDB calls per chat, {one.name}: reads + writes | {one.reads:.1f} + {one.writes:.1f} |"
            for one in results.table_work
        ),
        f"| resident memory of a sandbox: after init, after 20 chats, peak | {results.memory.after_init:.0f}, "
        f"{results.memory.after_chats:.0f}, {results.memory.peak:.0f} MB |",
        "",
    ]
    return "\n".join(lines)


def _published_rows(published: list[RoundTrips]) -> list[str]:
    name = "the same of the published `poe-api-wrapper` 1.7.1 by itself, over TLS"
    if not published:
        return [f"| {name} | not installed: `{INSTALL}` |"]
    return [f"| {name}, {one.name} | {one.count} ({one.first_token_ms:.0f} ms) |" for one in published]


def check_readme(path: Path) -> None:
    """Raises `ValueError` if the table has no place in it."""
    _find_place(path.read_text(encoding="utf-8"))


def update_readme(path: Path, markdown: str) -> None:
    """Replace what stands between the two markers. Raises `ValueError` if they are not there."""
    text = path.read_text(encoding="utf-8")
    begin, end = _find_place(text)
    path.write_text(f"{text[:begin]}\n{markdown}{text[end:]}", encoding="utf-8")


def _find_place(text: str) -> tuple[int, int]:
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise ValueError(f"there is no place for the table: {BEGIN} and {END}, each on a line of its own")
    return begin + len(BEGIN), end
