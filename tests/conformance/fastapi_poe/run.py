"""Runs the published fastapi_poe client against the simulator of Poe's documented API.

The client lives in a virtual environment of its own and is not changed in any way. Prints one row per call; the exit
code is 0 only if every call did what the client's documentation says, and 2 if the client can't be installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
sys.path.insert(0, str(REPOSITORY))

from local.poe_official import PoeOfficialSimulator  # noqa: E402  the repository is not installed

API_KEY = "conformance-key"
TIMEOUT_SECONDS = 120


def prepare(folder: Path) -> Path:
    """The Python of the client's environment, made on first use. Raises `CalledProcessError`."""
    python = folder / "bin" / "python"
    requirements = HERE / "requirements.txt"
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        installed.write_bytes(requirements.read_bytes())
    return python


async def check(python: Path) -> int:
    """Start the simulator, run the calls, hand on their exit code."""
    async with PoeOfficialSimulator(pace_seconds=0.001) as simulator:
        simulator.add_account(API_KEY)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        process = await asyncio.create_subprocess_exec(
            python, "-W", "ignore", HERE / "calls.py", simulator.base_url, API_KEY, cwd=HERE, env=environment
        )
        try:
            return await asyncio.wait_for(process.wait(), TIMEOUT_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def main() -> int:
    """Read the command line, prepare, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=REPOSITORY / "build" / "conformance" / "fastapi_poe")
    try:
        python = prepare(parser.parse_args().venv)
    except subprocess.CalledProcessError as error:
        print(f"The client can't be installed here: {error}")
        return 2
    return asyncio.run(check(python))


if __name__ == "__main__":
    sys.exit(main())
