"""Watches the event loop of every sandbox: no callback may keep it for long.

Sandboxes import a module named `sitecustomize` that this writes, because its folder is on their path. It measures each
callback in processor time of its thread, which a busy machine stretches by half at most, and notes those that take
too much.
Callbacks that load modules are left out: what a cold start costs is measured elsewhere.
"""

from __future__ import annotations

from pathlib import Path

LONGEST_SECONDS = 0.1
"""Nearly twice what the longest takes: giving back the million lists that a body of 4 MB can hold."""

_MODULE = """
import asyncio.events
import os
import sys
import time

# uvloop's callbacks can't be looked into; what they call is the same.
os.environ["STREAMING_RUNTIME_LOOP"] = "asyncio"
_run = asyncio.events.Handle._run


def run(handle):
    modules, started = len(sys.modules), time.thread_time()
    try:
        _run(handle)
    finally:
        spent = time.thread_time() - started
        if spent > {longest} and len(sys.modules) == modules:
            task = getattr(handle._callback, "__self__", None)
            name = task.get_coro().__qualname__ if hasattr(task, "get_coro") else repr(handle._callback)[:200]
            with open({report!r}, "a") as file:
                file.write(f"{{spent:.3f}} s of processor time in {{name}} (process {{os.getpid()}})\\n")


asyncio.events.Handle._run = run
"""

# What runs instead of `python -m local run`: the same, with one more folder on the sandboxes' path.
_COMMAND = """
import runpy, sys
from local import functions
functions.PYTHON_PATH = [*functions.PYTHON_PATH, {folder!r}]
sys.argv = ["local", "run"]
runpy.run_module("local", run_name="__main__", alter_sys=True)
"""


class Watchdog:
    """A folder for the sandboxes' path, and what they note in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._report = folder / "report"
        self.command = _COMMAND.format(folder=str(folder))
        module = _MODULE.format(longest=LONGEST_SECONDS, report=str(self._report))
        (folder / "sitecustomize.py").write_text(module, encoding="utf-8")

    def take(self) -> list[str]:
        """What was noted since the last time."""
        noted = self._report.read_text(encoding="utf-8").splitlines() if self._report.exists() else []
        self._report.unlink(missing_ok=True)
        return noted
