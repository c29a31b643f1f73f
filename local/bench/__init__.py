"""`make bench`: the gateway beside its alternatives, in one run on one machine, as Markdown."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from local.bench.figures import measure_cold_starts, measure_memory, measure_round_trips, measure_table_work
from local.bench.streaming import measure_streaming
from local.bench.surroundings import surroundings
from local.bench.table import Results, check_readme, to_markdown, update_readme
from local.settings import ROOT

LIMIT_SECONDS = 180.0


def run_bench(*, update: bool = False) -> int:
    """Measure, print, and with `update` put the table into README.md. Returns an exit status."""
    if not Path("/proc/self/stat").exists():
        sys.stderr.write("The measurements read processor time and memory from /proc, which this system has not.\n")
        return 1
    if update:
        # Found out before, not after, the minutes of measuring.
        check_readme(ROOT / "README.md")
    with tempfile.TemporaryDirectory(prefix="poe-gateway-bench-") as scratch:
        try:
            results = asyncio.run(_measure(Path(scratch)))
        except TimeoutError:
            sys.stderr.write(f"Not finished within {LIMIT_SECONDS:.0f} s: the machine is too busy to measure on.\n")
            return 1
    markdown = to_markdown(results)
    sys.stdout.write(markdown)
    if update:
        update_readme(ROOT / "README.md", markdown)
    return 0


async def _measure(scratch: Path) -> Results:
    async with asyncio.timeout(LIMIT_SECONDS), surroundings(scratch) as around:
        _progress("cold starts")
        cold_starts = await measure_cold_starts(around)
        _progress("streaming")
        streaming = await measure_streaming(around)
        _progress("round trips, table work, memory")
        return Results(
            day=datetime.now(UTC).date(),
            machine=f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
            streaming=streaming,
            cold_starts=cold_starts,
            round_trips=await measure_round_trips(around),
            table_work=await measure_table_work(around),
            memory=await measure_memory(around),
        )


def _progress(what: str) -> None:
    sys.stderr.write(f"Measuring {what} ...\n")
