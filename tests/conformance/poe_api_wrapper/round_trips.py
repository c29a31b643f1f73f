"""Sequential round trips of the published `poe-api-wrapper` 1.7.1 before the first token, new and warm, as JSON.

    python tests/conformance/poe_api_wrapper/round_trips.py

Needs the environment that `run.py` makes; without it the exit code is 2 and nothing is started. Every response and
socket handshake is 50 ms late, as where `make bench` measures this project's client.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from certificates import make_certificates
from proxy import ConnectProxy
from run import BUILD, HERE

from local.poe_web import PoeWebSimulator

LATENCY_SECONDS = 0.05
LIMIT_SECONDS = 30


async def measure(interpreter: Path) -> list[dict[str, Any]]:
    """A row for each way: its name, how many round trips, seconds to the first text."""
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate = make_certificates(Path(folder), ["poe.com", "*.tch.poe.com"])
        simulator = PoeWebSimulator(
            base_host="poe.com",
            public_url="https://poe.com",
            certificate=certificate,
            answer_delay_seconds=0.05,
            latency_seconds=LATENCY_SECONDS,
        )
        async with simulator, ConnectProxy({443: simulator.tls_port, 80: simulator.port}) as proxy:
            simulator.add_account("cookie-1", points=100_000)
            output = await _run_client(interpreter, f"http://127.0.0.1:{proxy.port}", authority)
            told = [json.loads(line) for line in output.splitlines() if line.startswith(b'{"way"')]
            return [
                {
                    "way": row["way"],
                    "round_trips": simulator.round_trips(row["since"], row["until"]),
                    "seconds": row["until"] - row["since"],
                }
                for row in told
            ]


async def _run_client(interpreter: Path, proxy_url: str, authority: Path) -> bytes:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(BUILD),
        "SSL_CERT_FILE": str(authority),
        "http_proxy": proxy_url,
        "https_proxy": proxy_url,
    }
    command = (str(interpreter), str(HERE / "first_token.py"))
    with (BUILD / "first_token.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment, cwd=BUILD
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return output


def main() -> int:
    """Measure and print."""
    if not (BUILD / "installed").exists():
        sys.stderr.write("The published client is not installed: run.py beside this file does that.\n")
        return 2
    rows = asyncio.run(measure(BUILD / "venv" / "bin" / "python"))
    sys.stdout.write(json.dumps(rows) + "\n")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
