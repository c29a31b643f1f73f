"""Versions of the gateway beside each other: how long a piece of a paced stream is under way in each, and its cost.

`python -m local.bench.versions CHECKOUT...` compares other checkouts with this one, which comes first. They take turns
with every stream: a machine that is slow for a while is so for all. Two sandboxes of one version differ by as much as
5 %, so each has several, one after the other; ± is the standard error of their mean. Ten minutes for four versions.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from statistics import fmean, stdev

from local.bench.measure import median, median_ratio
from local.bench.runtime import BareSandbox
from local.bench.streaming import prompt
from local.bench.surroundings import Surroundings, surroundings
from local.bench.upstreams import OfficialUpstream
from local.bench.way import PACE_SECONDS, settled_cpu_seconds
from local.function_url import Function
from local.functions import PYTHON_PATH
from local.settings import ROOT

SANDBOXES, ROUNDS, PIECES = 10, 10, 150
_TIMES = re.compile(rb"^pieces: ([\d ]+)$", re.MULTILINE)


@dataclass(slots=True)
class Figures:
    """What was measured of a version, in µs per piece: for each of its sandboxes, one entry per round."""

    under_way: list[list[float]] = field(default_factory=list)
    cpu: list[list[float]] = field(default_factory=list)


def gateway_of(checkout: Path, function: Function, log: Path) -> Function:
    """The function as another checkout has it, its pieces timed."""
    paths = [checkout / path.relative_to(ROOT) for path in PYTHON_PATH]
    # Last, so that all else is the checkout's own.
    python_path = os.pathsep.join(map(str, [*paths, Path(__file__).parent]))
    environment = {**function.environment, "PYTHONPATH": python_path}
    task_root = checkout / function.task_root.relative_to(ROOT)
    return replace(function, handler="timed_pieces.handler", task_root=task_root, environment=environment, log=log)


async def measure_versions(
    around: Surroundings, checkouts: list[Path], *, sandboxes: int = SANDBOXES, rounds: int = ROUNDS
) -> dict[str, Figures]:
    """The figures by checkout. Raises `RuntimeError` if a stream fails."""
    await around.add_official_account("versions", "versions-key")
    await around.use_accounts("versions")
    await OfficialUpstream(around).set_pace(PACE_SECONDS)
    found = {str(checkout): Figures() for checkout in checkouts}
    for number in range(sandboxes):
        # The other way round every second time: whose turn it is must not matter.
        await _add_sandboxes(around, checkouts[:: -1 if number % 2 else 1], found, rounds)
    return found


async def _add_sandboxes(
    around: Surroundings, checkouts: list[Path], found: Mapping[str, Figures], rounds: int
) -> None:
    async with AsyncExitStack() as stack:
        running: list[tuple[Figures, BareSandbox, Path]] = []
        for number, checkout in enumerate(checkouts):
            log = around.scratch / f"version-{number}.log"
            sandbox = BareSandbox(gateway_of(checkout, around.gateway, log), around.reaper, reads_late=True)
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            figures = found[str(checkout)]
            figures.under_way.append([])
            figures.cpu.append([])
            running.append((figures, sandbox, log))
        for _ in range(rounds):
            for figures, sandbox, log in running:
                await _add_round(figures, sandbox, log, around.api_key)


async def _add_round(figures: Figures, sandbox: BareSandbox, log: Path, api_key: str) -> None:
    before = await settled_cpu_seconds([sandbox.pid])
    await sandbox.request("POST", "/v1/chat/completions", prompt(PIECES), api_key)
    figures.cpu[-1].append((await settled_cpu_seconds([sandbox.pid]) - before) / PIECES * 1e6)
    figures.under_way[-1].append(_last_median(log))


def _last_median(log: Path) -> float:
    """Of the times of the last response, in µs."""
    *_, times = _TIMES.findall(log.read_bytes())
    return median(map(int, times.split())) / 1000


def to_text(found: Mapping[str, Figures]) -> str:
    """A line each: medians, and the ratios to the first."""
    under_way = _beside_the_first([figures.under_way for figures in found.values()])
    cpu = _beside_the_first([figures.cpu for figures in found.values()])
    return "".join(
        f"{time} under way, {cost} of processor time per piece: {name}\n"
        for name, time, cost in zip(found, under_way, cpu, strict=True)
    )


def _beside_the_first(versions: list[list[list[float]]]) -> list[str]:
    first, *_ = versions
    told = []
    for version in versions:
        # Both sandboxes of a pair ran at the same time.
        ratios = [median_ratio(values, others) for values, others in zip(version, first, strict=True)]
        error = stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else 0.0
        told.append(f"{median(chain.from_iterable(version)):6.0f} µs ({fmean(ratios):.3f} ± {error:.3f})")
    return told


async def _run(checkouts: list[Path]) -> None:
    with tempfile.TemporaryDirectory(prefix="poe-gateway-versions-") as scratch:
        async with surroundings(Path(scratch)) as around:
            sys.stdout.write(to_text(await measure_versions(around, checkouts)))


if __name__ == "__main__":
    asyncio.run(_run([ROOT, *(Path(name).resolve() for name in sys.argv[1:])]))
