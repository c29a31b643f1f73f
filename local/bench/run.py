"""`make bench`: the gateway beside its alternatives, in one run on one machine, as Markdown."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from local.bench.console_pages import measure_console_pages
from local.bench.figures import measure_memory, measure_round_trips, measure_table_work
from local.bench.first_token import measure_first_tokens
from local.bench.litellm_proxy import LiteLlm
from local.bench.load import measure_many, measure_prompts
from local.bench.portkey import Portkey
from local.bench.published_client import measure_published_client
from local.bench.report import Report, check_readme, shortened, to_markdown, update_readme
from local.bench.streaming import Peers, measure_official, measure_web
from local.bench.surroundings import Surroundings, surroundings
from local.settings import ROOT

PAGE = ROOT / "docs/measuring.md"
README = ROOT / "README.md"
LIMIT_SECONDS = 480.0
PEERS_LIMIT_SECONDS = 240.0


class BenchError(Exception):
    """Nothing was measured; the message says why."""


def run_bench(*, update: bool = False, peers: bool = False, only: str = "") -> None:
    """Measure and print; with `peers` other gateways, too.

    With `update` the tables go into docs/measuring.md, and the first rows into README.md.

    `only` names the parts to measure, by commas. When time is up, or a part fails, what there is is printed, and what
    is missing named. Raises `BenchError`.
    """
    if not Path("/proc/self/schedstat").exists():
        raise BenchError("The measurements read processor time and memory from /proc, which this system has not.")
    report = Report(
        day=datetime.now(UTC).date(),
        machine=f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
    )
    try:
        installed = Peers(LiteLlm.find(), Portkey.find()) if peers else Peers()
        if update:
            # Found out before, not after, the minutes of measuring.
            for page in (PAGE, README):
                check_readme(page)
        with tempfile.TemporaryDirectory(prefix="poe-gateway-bench-") as scratch:
            limit_seconds = LIMIT_SECONDS + (PEERS_LIMIT_SECONDS if peers else 0.0)
            asyncio.run(_measure(report, Path(scratch), limit_seconds, installed, only))
    except (ValueError, RuntimeError) as error:
        raise BenchError(str(error)) from error
    markdown = to_markdown(report)
    sys.stdout.write(markdown)
    if update and not report.missing:
        update_readme(PAGE, markdown)
        update_readme(README, shortened(markdown))


async def _measure(report: Report, scratch: Path, limit_seconds: float, peers: Peers, only: str) -> None:
    deadline = asyncio.get_running_loop().time() + limit_seconds
    async with surroundings(scratch) as around:
        parts = _parts(report, around, peers)
        for name, measure in parts.items():
            if only and name not in only.split(","):
                continue
            sys.stderr.write(f"Measuring: {name}\n")
            try:
                async with asyncio.timeout_at(deadline):
                    await measure()
            except TimeoutError:
                report.missing.append(name)
            except RuntimeError as error:
                sys.stderr.write(f"{name}: {error}\n")
                report.missing.append(name)


def _parts(report: Report, around: Surroundings, peers: Peers) -> dict[str, Callable[[], Awaitable[None]]]:
    async def rest() -> None:
        report.round_trips = await measure_round_trips(around)
        report.table_work = await measure_table_work(around)
        report.memory = await measure_memory(around)
        report.published = await measure_published_client()

    async def console() -> None:
        report.pages = await measure_console_pages()

    return {
        "official": lambda: measure_official(around, report.official, peers),
        "first-token": lambda: measure_first_tokens(report.first_tokens),
        "web": lambda: measure_web(around, report.web),
        "many": lambda: measure_many(around, report.many),
        "prompts": lambda: measure_prompts(around, report.prompts),
        "rest": rest,
        "console": console,
    }
