"""The runtime's share of a cold start."""

import subprocess
import sys
from pathlib import Path

LAYER = Path(__file__).parents[2] / "layers" / "streaming_runtime"
# What is not ours: the application needs them too.
ELSEWHERE = "import asyncio, json, mangum"
# Of the processor time that importing those takes on the same machine at the same time.
SHARE = 0.8


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that finds the layer."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": str(LAYER)},
    )


def own_cost() -> float:
    """Processor time that the runtime adds, as a share of what the application needs anyway."""
    code = f"""import time
started = time.process_time()
{ELSEWHERE}
libraries = time.process_time()
import streaming_runtime.__main__
print((time.process_time() - libraries) / (libraries - started))"""
    return float(run("-c", code).stdout)


def test_its_own_modules_and_what_they_alone_need_are_cheap():
    """The best of a few: the first may compile."""
    costs: list[float] = []
    while len(costs) < 5 and min(costs, default=SHARE) >= SHARE:
        costs.append(own_cost())
    assert min(costs) < SHARE


def test_nothing_heavy_is_imported():
    heavy = {
        "boto3",
        "fastapi",
        "starlette",
        "httpx",
        "pydantic",
        "unittest",
        "http.client",
        "urllib.request",
    }
    assert not heavy & set(run("-c", "import sys, streaming_runtime.__main__; print(*sys.modules)").stdout.split())
