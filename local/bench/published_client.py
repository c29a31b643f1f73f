"""The published Poe client's round trips, where its environment is installed: it runs in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from local.bench.figures import RoundTrips
from local.settings import ROOT

_FOLDER = "tests/conformance/poe_api_wrapper"
INSTALL = 'make conformance ARGS="--only poe_api_wrapper"'
_LIMIT_SECONDS = 45.0
_NOT_INSTALLED = 2


async def measure_published_client() -> list[RoundTrips]:
    """A row for a new client and one for a warm one; none where it is not installed. Raises `RuntimeError`."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, str(ROOT / _FOLDER / "round_trips.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == _NOT_INSTALLED:
        return []
    if process.returncode:
        raise RuntimeError(f"the published client could not be measured: {errors.decode()[-500:]}")
    return [RoundTrips(row["way"], row["round_trips"], row["seconds"] * 1000) for row in json.loads(output)]
