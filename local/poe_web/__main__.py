"""`python -m local.poe_web`: the simulator alone, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from local.poe_web.simulator import PoeWebSimulator
from local.poe_web.state import UnreadableState


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.poe_web", description="A stand-in for poe.com's web side.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8100, help="port, 0 for any free one (default: %(default)s)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep accounts and chats in this file")
    parser.add_argument("--pace", type=float, default=0.02, metavar="SECONDS", help="time between two events")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="added to every response")
    parser.add_argument(
        "--account", action="append", default=[], metavar="P_B", help="put in an account with this cookie; repeatable"
    )
    return parser.parse_args(argv)


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    simulator = PoeWebSimulator(
        options.host,
        options.port,
        pace_seconds=options.pace,
        latency_seconds=options.latency,
        state_path=options.state,
    )
    async with simulator:
        known = {account.p_b for account in simulator.accounts}
        for p_b in options.account:
            if p_b not in known:
                simulator.add_account(p_b)
        sys.stdout.write(f"Poe web simulator at {simulator.base_url} (look at {simulator.base_url}/_sim/)\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM. Returns 1 if the port is taken, or the state file can't be used."""
    options = _arguments(argv)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options))
    except UnreadableState as error:
        sys.stderr.write(f"{options.state} can't be used: {error}. Move it away to start afresh.\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
