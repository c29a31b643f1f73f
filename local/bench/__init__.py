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
from local.bench.litellm_proxy import LiteLlm
from local.bench.proxies import measure_proxies
from local.bench.published_client import measure_published_client
from local.bench.streaming import measure_streaming
from local.bench.surroundings import surroundings
from local.bench.table import Results, check_readme, to_markdown, update_readme
from local.settings import ROOT

LIMIT_SECONDS = 180.0
PROXIES_LIMIT_SECONDS = 300.0


class BenchError(Exception):
    """Nothing was measured; the message says why."""


def run_bench(*, update: bool = False, litellm: bool = False) -> None:
    """Measure, print, and with `update` put the table into README.md; with `litellm` a LiteLLM proxy, too.

    Raises `BenchError`.
    """
    if not Path("/proc/self/schedstat").exists():
        raise BenchError("The measurements read processor time and memory from /proc, which this system has not.")
    limit_seconds = LIMIT_SECONDS + (PROXIES_LIMIT_SECONDS if litellm else 0.0)
    try:
        installed = LiteLlm.find() if litellm else None
        if update:
            # Found out before, not after, the minutes of measuring.
            check_readme(ROOT / "README.md")
        with tempfile.TemporaryDirectory(prefix="poe-gateway-bench-") as scratch:
            markdown = to_markdown(asyncio.run(_measure(Path(scratch), limit_seconds, installed)))
    except TimeoutError:
        raise BenchError(f"Not finished within {limit_seconds:.0f} s: this machine is too busy now.") from None
    except (ValueError, RuntimeError) as error:
        raise BenchError(str(error)) from error
    sys.stdout.write(markdown)
    if update:
        update_readme(ROOT / "README.md", markdown)


async def _measure(scratch: Path, limit_seconds: float, litellm: LiteLlm | None) -> Results:
    async with asyncio.timeout(limit_seconds), surroundings(scratch) as around:
        _progress("cold starts")
        cold_starts = await measure_cold_starts(around)
        _progress("streaming")
        streaming = await measure_streaming(around)
        proxies = None
        if litellm is not None:
            _progress(f"the gateway beside LiteLLM {litellm.version}")
            proxies = await measure_proxies(around, litellm)
        _progress("round trips, table work, memory")
        return Results(
            day=datetime.now(UTC).date(),
            machine=f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
            streaming=streaming,
            proxies=proxies,
            cold_starts=cold_starts,
            round_trips=await measure_round_trips(around),
            published=await measure_published_client(),
            table_work=await measure_table_work(around),
            memory=await measure_memory(around),
        )


def _progress(what: str) -> None:
    sys.stderr.write(f"Measuring {what} ...\n")
