"""`python -m local …`: run the gateway on this machine, run a simulator alone, measure, or run the scheduled job."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import runpy
import sys
from collections.abc import Sequence

from local.run_file import StaleRunFileError, read_run_file
from local.server import StartError, start_server
from local.settings import RunSettings, SettingsError
from local.url import UrlError, add_arguments, serve_url


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status of the command."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="the gateway with everything around it: PORT, HOST, UPSTREAM, SANDBOXES, STATE")
    simulate = commands.add_parser("simulate", help="one of Poe's stand-ins alone", add_help=False)
    simulate.add_argument("which", choices=["web", "official"])
    commands.add_parser("refresh", help="run the scheduled job now, beside a running `run`").add_argument(
        "--event", default="{}", help="JSON; an empty one stands for the schedule's own"
    )
    commands.add_parser("preload", help="record what first chats load, for the gateway to load at init")
    add_arguments(commands.add_parser("url", help="anyone's ASGI application as a Lambda Function URL"))
    bench = commands.add_parser("bench", help="measure side by side and print the table")
    bench.add_argument(
        "--update-readme", action="store_true", help="replace the tables in docs/measuring.md and README.md"
    )
    bench.add_argument("--peers", action="store_true", help="measure LiteLLM and Portkey, too (make bench PEERS=1)")
    bench.add_argument("--only", default="", help="parts, by commas: official, first-token, web, rest")
    options, rest = parser.parse_known_args(argv)
    if rest and options.command != "simulate":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        return int(_COMMANDS[options.command](options, rest))
    except (SettingsError, StartError, UrlError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    start_server(settings=RunSettings.from_env(os.environ))
    return 0


def _simulate(options: argparse.Namespace, rest: Sequence[str]) -> int:
    # The simulators are commands of their own, with options of their own.
    sys.argv = [f"python -m local simulate {options.which}", *rest]
    runpy.run_module(f"local.poe_{options.which}", run_name="__main__")
    return 0


def _refresh(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from local.refresh import refresh_once
    from local.schedule import InvocationError

    settings = RunSettings.from_env(os.environ)
    try:
        variables = read_run_file(settings.run_file)
    except FileNotFoundError:
        raise StartError(f"No {settings.run_file}: start `make run` in another terminal first.") from None
    except StaleRunFileError as error:
        raise StartError(str(error)) from None
    try:
        result = asyncio.run(refresh_once(settings, variables, json.loads(options.event)))
    except (InvocationError, json.JSONDecodeError) as error:
        raise StartError(str(error)) from error
    print(json.dumps(result, indent=2))
    return 0


def _url(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    return serve_url(options)


def _bench(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from local.bench.run import BenchError, run_bench

    try:
        run_bench(update=options.update_readme, peers=options.peers, only=options.only)
    except BenchError as error:
        raise StartError(str(error)) from error
    return 0


def _preload(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from local.bench.imports import record_preload

    record_preload()
    return 0


_COMMANDS = {
    "run": _run,
    "simulate": _simulate,
    "refresh": _refresh,
    "preload": _preload,
    "url": _url,
    "bench": _bench,
}


if __name__ == "__main__":
    sys.exit(main())
