"""`python -m local.poe_official`: the simulator alone, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from local.poe_official.simulator import PoeOfficialSimulator


async def serve(host: str, port: int, api_key: str, points: int, pace_seconds: float) -> None:
    """Serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with PoeOfficialSimulator(host, port, pace_seconds=pace_seconds) as simulator:
        simulator.add_account(api_key, points)
        print(f"Poe API simulator on {simulator.base_url}, key {api_key}", flush=True)  # noqa: T201  a command's output
        await stopped.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.poe_official", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--api-key", default="simulated-key", help="of the one account it starts with")
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--pace-seconds", type=float, default=0.02)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.host, given.port, given.api_key, given.points, given.pace_seconds))


if __name__ == "__main__":
    main()
