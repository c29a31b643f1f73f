"""The figures as Markdown, and their place in the README."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from local.bench.figures import ColdStarts, Memory, RoundTrips, TableWork
from local.bench.streaming import (
    FAST_CHUNKS,
    FAST_PACE_SECONDS,
    FAST_STREAMS,
    PACE_SECONDS,
    PACED_CHUNKS,
    PACED_STREAMS,
    StreamFigures,
)

BEGIN = "<!-- bench: written by `make bench`, do not edit -->"
END = "<!-- /bench -->"


@dataclass(frozen=True, slots=True)
class Results:
    """One run."""

    day: date
    machine: str
    streaming: list[StreamFigures]
    cold_starts: ColdStarts
    round_trips: list[RoundTrips]
    table_work: list[TableWork]
    memory: Memory


def to_markdown(results: Results) -> str:
    """Tables with a line each on what they hold."""
    cold = results.cold_starts
    lines = [
        f"Measured on {results.day.isoformat()}, everything in one run on one machine ({results.machine}); "
        "compare rows, not machines.",
        "",
        "| streaming, one stream at a time | latency p50 | latency p99 | chunks per CPU second |",
        "|---|--:|--:|--:|",
        *(
            f"| {one.name} | {one.p50_ms:.2f} ms | {one.p99_ms:.2f} ms | {one.chunks_per_cpu_second:,.0f} |"
            for one in results.streaming
        ),
        "",
        f"Latency: from the moment the upstream sends a piece to its arrival as an OpenAI chunk, {PACED_STREAMS} streams "
        f"of {PACED_CHUNKS} chunks, {PACE_SECONDS * 1000:.0f} ms apart. The upstream of the gateway's rows is the Poe web "
        "simulator, over its WebSocket, with everything that the client does to it; the plain app makes its chunks "
        "itself, so its rows have no upstream in them. CPU: of the process that runs the app (not of the simulator, the "
        f"emulator or the client), {FAST_STREAMS} streams of {FAST_CHUNKS} chunks, {FAST_PACE_SECONDS * 1000:.0f} ms apart, "
        "the work at a stream's beginning and end included.",
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
        *(
            f"| DynamoDB calls per chat, {one.name}: reads + writes | {one.reads:.1f} + {one.writes:.1f} |"
            for one in results.table_work
        ),
        f"| resident memory of a sandbox: after init, after 20 chats, peak | {results.memory.after_init:.0f}, "
        f"{results.memory.after_chats:.0f}, {results.memory.peak:.0f} MB |",
        "",
    ]
    return "\n".join(lines)


def update_readme(path: Path, markdown: str) -> None:
    """Replace what stands between the two markers. Raises `ValueError` if they are not there."""
    text = path.read_text(encoding="utf-8")
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise ValueError(f"{path} has no place for the table: {BEGIN} … {END}")
    path.write_text(f"{text[: begin + len(BEGIN)]}\n{markdown}{text[end:]}", encoding="utf-8")
