"""Ends child processes, frozen ones included, when their parent has died. Standard library only.

A `Reaper` is a tiny process at the other end of a pipe. It is told which process groups exist; when the pipe closes,
the parent is gone, however it went, and what is still on the list gets SIGTERM and soon SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

_GRACE_SECONDS = 3.0
_POLL_SECONDS = 0.05


class Reaper:
    """The parent's end. `watch` a group after starting it, `forget` it after its leader was reaped."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (this interpreter, this file)
            [sys.executable, "-I", "-S", str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the reaper, and whatever it still has on its list."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        # Somebody who kills the reaper gives up the protection, not the service.
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


def reap_at_end(lines: Iterable[str]) -> None:
    """Keep the list until `lines` ends, then end every group on it."""
    groups: set[int] = set()
    for line in lines:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for number in (signal.SIGTERM, signal.SIGCONT):
        groups = {group for group in groups if _signal(group, number)}
    pause = threading.Event()
    for _ in range(int(_GRACE_SECONDS / _POLL_SECONDS)):
        groups = {group for group in groups if _signal(group, 0)}
        if not groups:
            return
        pause.wait(_POLL_SECONDS)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Whether the group still exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _main(stream: TextIO) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reap_at_end(stream)


if __name__ == "__main__":
    _main(sys.stdin)
