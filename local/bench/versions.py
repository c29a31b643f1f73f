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
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.bench.measure import median
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
class Version:
    """A checkout's gateway, and what was measured of it: one entry per round, in µs per piece."""

    sandbox: BareSandbox
    log: Path
    under_way: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    async def add_round(self, api_key: str) -> None:
        """Ask for one answer. Raises `RuntimeError`."""
        before, read = await settled_cpu_seconds([self.sandbox.pid]), self.log.stat().st_size
        await self.sandbox.request("POST", "/v1/chat/completions", prompt(PIECES), api_key)
        self.cpu.append((await settled_cpu_seconds([self.sandbox.pid]) - before) / PIECES * 1e6)
        [times] = _TIMES.findall(self.log.read_bytes()[read:])
        self.under_way.append(median(map(int, times.split())) / 1000)


def gateway_of(checkout: Path, function: Function, log: Path) -> Function:
    """The function as another checkout has it, its pieces timed."""
    paths = [checkout / path.relative_to(ROOT) for path in PYTHON_PATH]
    # Last, so that all else is the checkout's own.
    python_path = os.pathsep.join(map(str, [*paths, Path(__file__).parent]))
    environment = {**function.environment, "PYTHONPATH": python_path}
    task_root = checkout / function.task_root.relative_to(ROOT)
    return replace(function, handler="timed_pieces.handler", task_root=task_root, environment=environment, log=log)


async def measure_versions(around: Surroundings, checkouts: list[Path], rounds: int = ROUNDS) -> dict[str, Version]:
    """Raises `RuntimeError` if a stream fails."""
    await around.add_official_account("versions", "versions-key")
    await around.use_accounts("versions")
    await OfficialUpstream(around).set_pace(PACE_SECONDS)
    versions: dict[str, Version] = {}
    async with AsyncExitStack() as stack:
        for number, checkout in enumerate(checkouts):
            log = around.scratch / f"version-{number}.log"
            sandbox = BareSandbox(gateway_of(checkout, around.gateway, log), around.reaper, reads_late=True)
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            versions[str(checkout)] = Version(sandbox, log)
        for _ in range(rounds):
            for version in versions.values():
                await version.add_round(around.api_key)
    return versions


def to_text(versions: dict[str, Version]) -> str:
    """A line each: medians, and the ratios to the first."""
    first, *_ = versions.values()
    lines = []
    for name, version in versions.items():
        figures = []
        for values, others in ((version.under_way, first.under_way), (version.cpu, first.cpu)):
            ratio = median(value / other for value, other in zip(values, others, strict=True))
            figures.append(f"{median(values):6.0f} µs ({ratio:.3f})")
        lines.append(f"{figures[0]} under way, {figures[1]} of processor time per piece: {name}\n")
    return "".join(lines)


async def _run(checkouts: list[Path]) -> None:
    with tempfile.TemporaryDirectory(prefix="poe-gateway-versions-") as scratch:
        async with surroundings(Path(scratch)) as around:
            sys.stdout.write(to_text(await measure_versions(around, checkouts)))


if __name__ == "__main__":
    asyncio.run(_run([ROOT, *(Path(name).resolve() for name in sys.argv[1:])]))
