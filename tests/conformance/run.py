"""Runs independent clients, unmodified, against one local gateway, and prints one table.

    python tests/conformance/run.py [--only NAME ...] [--update-docs]

Each client lives in an environment of its own below `build/conformance/`, made once from its lock file. The gateway is
the whole local stack on loopback: Function URL emulator, sandboxes, simulators of both sides of Poe. A client that
can't be installed here is skipped with the reason; a check that fails makes the exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATHS = [ROOT, ROOT / "functions", ROOT / "layers" / "accounts", ROOT / "layers" / "streaming_runtime"]
sys.path[:0] = map(str, PATHS)

from documentation import update_table  # noqa: E402  the repository is not installed
from environments import BUILD, NotInstalled, WrongPackage  # noqa: E402
from suites import SUITES, Row, Suite  # noqa: E402

from local.run_file import read_run_file  # noqa: E402
from local.settings import RunSettings  # noqa: E402
from local.stack import Stack  # noqa: E402

# Short, so that what a client leaves behind is not waited for.
SETTINGS = {"GATEWAY_ACCOUNT_WAIT_SECONDS": "0.3", "GATEWAY_LEASE_TTL_SECONDS": "10"}
EXAMPLES = "10"


@dataclass
class Result:
    """How a client fared."""

    suite: Suite
    rows: list[Row] = field(default_factory=list)
    skipped: str | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> list[Row]:
        return [row for row in self.rows if not row.ok]

    @property
    def is_failure(self) -> bool:
        return self.skipped is None and (bool(self.failed) or not self.rows)

    @property
    def text(self) -> str:
        """For the table."""
        if self.skipped is not None:
            return f"skipped: {self.skipped}"
        return f"{len(self.rows) - len(self.failed)} of {len(self.rows)} checks"


async def run_suites(suites: Sequence[Suite]) -> list[Result]:
    """One after the other: their environments first, then the stack, then the clients."""
    results, commands = [], {}
    for suite in suites:
        result = Result(suite)
        results.append(result)
        try:
            commands[suite.name] = await asyncio.to_thread(suite.command)
        except NotInstalled as reason:
            result.skipped = str(reason)
        except WrongPackage as reason:
            result.rows.append(Row("installation", False, str(reason)))
    async with AsyncExitStack() as stack:
        variables: Mapping[str, str] = {}
        if any(result.suite.needs_stack and result.suite.name in commands for result in results):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = RunSettings(port=0, state=folder, sandboxes=6, function_variables=SETTINGS)
            await stack.enter_async_context(Stack(settings))
            variables = read_run_file(settings.run_file)
        for result in results:
            if result.suite.name in commands:
                await run_suite(result, commands[result.suite.name], variables)
                print_result(result)
    return results


async def run_suite(result: Result, command: list[str], variables: Mapping[str, str]) -> None:
    """Run one client's checks; what it prints is kept in its folder."""
    suite, started = result.suite, time.monotonic()
    folder = BUILD / suite.name
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(path) for path in ([HERE] if suite.needs_stack else PATHS)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "OPENAI_", "AWS_"))},
        **(variables if suite.needs_stack else {}),
        "PYTHONPATH": os.pathsep.join(paths),
        "DESCRIPTION_EXAMPLES": EXAMPLES,
    }
    with (folder / "client.log").open("w+") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder if suite.needs_stack else ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            status = await asyncio.wait_for(process.wait(), suite.seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            status = None
        log.seek(0)
        result.rows += suite.read(log.read())
    result.seconds = time.monotonic() - started
    if status == NOT_INSTALLED and not suite.needs_stack:
        result.skipped = f"see {(folder / 'client.log').relative_to(ROOT)}"
    elif status is None:
        result.rows.append(Row("in time", False, f"not done after {suite.seconds:.0f} s"))
    elif status and not result.failed:
        result.rows.append(Row("exit status", False, f"{status}; see {folder / 'client.log'}"))


NOT_INSTALLED = 2
"""Exit status of the suites that make their environment themselves."""


def print_result(result: Result) -> None:
    """Progress: one line, and one per failure."""
    print(f"{result.suite.client:20} {result.seconds:6.1f} s  {result.text}", flush=True)
    for row in result.failed:
        print(f"    FAILED {row.name}\n           {(row.error or '').strip()[:500]}", flush=True)


def print_table(results: Sequence[Result]) -> None:
    """The whole at a glance."""
    print(f"\n{'client':20} | {'version':10} | {'what was tried':60} | result")
    print("-" * 120)
    for result in results:
        suite = result.suite
        print(f"{suite.client:20} | {suite.version:10} | {suite.tried[:60]:60} | {result.text}")


def main() -> int:
    """Read the command line, run, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[suite.name for suite in SUITES], help="these clients")
    parser.add_argument("--update-docs", action="store_true", help="write the table into docs/clients.md")
    options = parser.parse_args()
    if options.update_docs:
        os.environ["CONFORMANCE_UPDATE_DOCS"] = "1"  # for suites with a table of their own
    results = asyncio.run(run_suites([suite for suite in SUITES if not options.only or suite.name in options.only]))
    print_table(results)
    if options.update_docs:
        update_table([(result.suite, result.text) for result in results if result.skipped is None])
    return 1 if any(result.is_failure for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
