"""Versions of the gateway beside each other: how long a piece of a paced stream is under way in each, and its cost.

`python -m local.bench.versions CHECKOUT...` compares other checkouts with this one, which comes first. They take turns
with every stream, and the ratios are medians of those of the rounds: a machine that is slow for a while is so for all.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.bench.measure import median, median_ratio
from local.bench.runtime import BareSandbox
from local.bench.streaming import prompt
from local.bench.surroundings import Surroundings, surroundings
from local.bench.upstreams import OfficialUpstream
from local.bench.way import PACE_SECONDS, settled_cpu_seconds
from local.function_url import Function
from local.functions import PYTHON_PATH
from local.settings import ROOT

ROUNDS, PIECES = 40, 150
_TIMES = re.compile(rb"^pieces: ([\d ]+)$", re.MULTILINE)


@dataclass(slots=True)
class Figures:
    """What was measured of a version: one entry per round, in µs per piece."""

    under_way: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


async def _add_round(figures: Figures, sandbox: BareSandbox, log: Path, api_key: str) -> None:
    before = await settled_cpu_seconds([sandbox.pid])
    await sandbox.request("POST", "/v1/chat/completions", prompt(PIECES), api_key)
    figures.cpu.append((await settled_cpu_seconds([sandbox.pid]) - before) / PIECES * 1e6)
    figures.under_way.append(_last_median(log))


def _last_median(log: Path) -> float:
    """Of the times of the last response, in µs."""
    *_, times = _TIMES.findall(log.read_bytes())
    return median(map(int, times.split())) / 1000


def gateway_of(checkout: Path, function: Function, log: Path) -> Function:
    """The function as another checkout has it, its pieces timed."""
    paths = [checkout / path.relative_to(ROOT) for path in PYTHON_PATH]
    # Last, so that all else is the checkout's own.
    python_path = os.pathsep.join(map(str, [*paths, Path(__file__).parent]))
    environment = {**function.environment, "PYTHONPATH": python_path}
    task_root = checkout / function.task_root.relative_to(ROOT)
    return replace(function, handler="timed_pieces.handler", task_root=task_root, environment=environment, log=log)


async def measure_versions(around: Surroundings, checkouts: list[Path], rounds: int = ROUNDS) -> dict[str, Figures]:
    """The figures by checkout. Raises `RuntimeError` if a stream fails."""
    await around.add_official_account("versions", "versions-key")
    await around.use_accounts("versions")
    await OfficialUpstream(around).set_pace(PACE_SECONDS)
    found = {str(checkout): Figures() for checkout in checkouts}
    running: list[tuple[Figures, BareSandbox, Path]] = []
    async with AsyncExitStack() as stack:
        for number, checkout in enumerate(checkouts):
            log = around.scratch / f"version-{number}.log"
            sandbox = BareSandbox(gateway_of(checkout, around.gateway, log), around.reaper, reads_late=True)
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            running.append((found[str(checkout)], sandbox, log))
        for _ in range(rounds):
            for figures, sandbox, log in running:
                await _add_round(figures, sandbox, log, around.api_key)
    return found


def to_text(found: Mapping[str, Figures]) -> str:
    """A line each: medians, and the ratios to the first."""
    first, *_ = found.values()
    return "".join(
        f"{_beside(figures.under_way, first.under_way)} under way, "
        f"{_beside(figures.cpu, first.cpu)} of processor time per piece: {name}\n"
        for name, figures in found.items()
    )


def _beside(values: list[float], others: list[float]) -> str:
    return f"{median(values):6.0f} µs ({median_ratio(values, others):.3f})"


async def _run(checkouts: list[Path]) -> None:
    with tempfile.TemporaryDirectory(prefix="poe-gateway-versions-") as scratch:
        async with surroundings(Path(scratch)) as around:
            sys.stdout.write(to_text(await measure_versions(around, checkouts)))


if __name__ == "__main__":
    asyncio.run(_run([ROOT, *(Path(name).resolve() for name in sys.argv[1:])]))
