"""The published `poe-api-wrapper` 1.7.1, unmodified, against the web simulator through a CONNECT proxy.

    make conformance ARGS="--only poe_api_wrapper"

makes a virtual environment under `build/` (once), starts the simulator as poe.com with a certificate of a test
authority, points the client at it from outside by proxy variables alone, and prints a table of its calls. Nothing but
loopback is reached, apart from the package index while the environment is made.

Exit code 0: all calls worked; 1: one did not; 2: the client cannot be installed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from certificates import make_certificates
from proxy import ConnectProxy

from local.poe_web import PoeWebSimulator
from local.poe_web.accounts import KnowledgeSource

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build" / "conformance" / "poe_api_wrapper"
PHASE_SECONDS = 240


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class NotInstalled(Exception):
    """The client's environment could not be made."""


def prepare_environment(python: str) -> Path:
    """The Python of a virtual environment with the client, made if it is not there or not of these requirements."""
    requirements = HERE / "requirements.txt"
    stamp = BUILD / "installed"
    wanted = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()
    interpreter = BUILD / "venv" / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    say("Installing poe-api-wrapper 1.7.1 ...")
    for command in ([python, "-m", "venv", str(BUILD / "venv")], [*pip, "-r", str(requirements)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(f"{command[2:4]} failed:\n{done.stderr[-2000:]}")
    stamp.write_text(wanted)
    return interpreter


def usual_python() -> str:
    """A Python for which the client's compiled dependency has wheels, or else this one."""
    found = (shutil.which(name) for name in ("python3.11", "python3.12", "python3.10"))
    return next((path for path in found if path), sys.executable)


async def exercise(interpreter: Path, simulator: PoeWebSimulator, proxy: ConnectProxy, authority: Path) -> list[Any]:
    """Run both phases of the client; returns the rows that it reported."""
    proxy_url = f"http://127.0.0.1:{proxy.port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(BUILD),
        "SSL_CERT_FILE": str(authority),
        "http_proxy": proxy_url,
        "https_proxy": proxy_url,
    }
    rows: list[Any] = []

    def add(row: dict[str, Any]) -> None:
        print_row(row)
        rows.append(row)

    with (BUILD / "client.log").open("wb") as log:
        for phase in ("async", "sync"):
            command = (str(interpreter), str(HERE / "exercise.py"), phase, simulator.base_url)
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment, cwd=BUILD
            )
            try:
                await asyncio.wait_for(_read_rows(process, add), PHASE_SECONDS)
            except TimeoutError:
                add({"check": f"{phase} phase", "ok": False, "seconds": PHASE_SECONDS, "error": "too slow"})
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
            if process.returncode:
                add({"check": f"{phase} phase", "ok": False, "seconds": 0.0, "error": f"exit {process.returncode}"})
    return rows


async def _read_rows(process: asyncio.subprocess.Process, add: Callable[[dict[str, Any]], None]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        try:
            add(json.loads(line))
        except ValueError:
            continue  # the client prints, too
    await process.wait()


def print_row(row: dict[str, Any]) -> None:
    """One line of the table."""
    say(f"{'ok' if row['ok'] else 'FAILED':7}{row['seconds']:6.2f} s  {row['check']}")
    if row["error"]:
        say(f"{'':17}{row['error']}")


async def conform(interpreter: Path) -> int:
    """The whole check; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate = make_certificates(Path(folder), ["poe.com", "*.tch.poe.com"])
        simulator = PoeWebSimulator(
            base_host="poe.com", public_url="https://poe.com", certificate=certificate, answer_delay_seconds=0.3
        )
        async with simulator, ConnectProxy({443: simulator.tls_port, 80: simulator.port}) as proxy:
            main = simulator.add_account("cookie-1", points=100_000)
            main.knowledge |= {n: KnowledgeSource(n, "old notes", "facts") for n in range(1000, 1007)}
            simulator.add_account("cookie-2", handle="maker")
            simulator.add_account("cookie-3")
            rows = await exercise(interpreter, simulator, proxy, authority)
            through = {target.split(":")[0].removeprefix("tch").lstrip("0123456789") for target in proxy.targets}
            rows.append(
                {
                    "check": "every connection went through the proxy, by its real name",
                    "ok": through == {"poe.com", ".tch.poe.com"},
                    "seconds": 0.0,
                    "error": None if through == {"poe.com", ".tch.poe.com"} else str(sorted(through)),
                }
            )
            print_row(rows[-1])
    failed = [row for row in rows if not row["ok"]]
    say(f"{len(rows) - len(failed)} of {len(rows)} checks passed; the client's log is {BUILD / 'client.log'}")
    return 1 if failed or len(rows) < 2 else 0


def main() -> int:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=usual_python(), help="for the client's environment (default: %(default)s)")
    options = parser.parse_args()
    try:
        interpreter = prepare_environment(options.python)
    except NotInstalled as error:
        say(str(error))
        return 2
    return asyncio.run(conform(interpreter))


if __name__ == "__main__":
    sys.exit(main())
