"""The runtime's share of a cold start."""

import re
import subprocess
import sys
from pathlib import Path

LAYER = Path(__file__).parents[2] / "layers" / "streaming_runtime"
# What is not ours: the application needs them too.
ELSEWHERE = "import asyncio, json, mangum"
CEILING_MICROSECONDS = 60_000


def imported(statement: str) -> dict[str, int]:
    """Modules imported by a statement, with the microseconds that each took by itself."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
        env={"PYTHONPATH": str(LAYER)},
    )
    rows = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", result.stderr)
    return {name: int(microseconds) for microseconds, name in rows}


def own_cost() -> int:
    """Microseconds that the runtime adds to what the application needs anyway."""
    elsewhere = imported(ELSEWHERE)
    own = {name: cost for name, cost in imported("import streaming_runtime.__main__").items() if name not in elsewhere}
    assert any(name.startswith("streaming_runtime") for name in own)
    return sum(own.values())


def test_its_own_modules_and_what_they_alone_need_are_cheap():
    """The best of a few: the first may compile, and the machine may be busy."""
    assert any(own_cost() < CEILING_MICROSECONDS for _ in range(5))


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
    assert not heavy & imported("import streaming_runtime.__main__").keys()
