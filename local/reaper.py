"""Ends child processes, frozen ones included, when their parent has died. Standard library only.

A `Reaper` is a tiny process at the other end of a pipe. It is told which process groups exist; when the pipe closes,
the parent is gone, however it went, and what is still on the list gets SIGTERM and, if that is not enough, SIGKILL. It
also removes the files that are of use only while the parent lives.
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

# As long as a stand-in may take to write its state.
GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.05


class Reaper:
    """The parent's end. `watch` a group after starting it, `forget` it after its leader was reaped.

    `grace_seconds` is between SIGTERM and SIGKILL.
    """

    def __init__(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (this interpreter, this file)
            [sys.executable, "-I", "-S", str(Path(__file__)), str(grace_seconds)],
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

    def remove_at_end(self, path: Path) -> None:
        """Remove a file, as it is now, when the parent has gone."""
        self._tell(f"f{_identity(path)} {path}\n")

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


def reap_at_end(lines: Iterable[str], grace_seconds: float = GRACE_SECONDS) -> None:
    """Keep the list until `lines` ends, then remove the files on it, and end every group."""
    groups: set[int] = set()
    files: list[str] = []
    for line in lines:
        if line[0] == "f":
            files.append(line[1:].rstrip("\n"))
        else:
            (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for file in files:
        _remove(file)
    for number in (signal.SIGTERM, signal.SIGCONT):
        groups = {group for group in groups if _signal(group, number)}
    pause = threading.Event()
    for _ in range(int(grace_seconds / _POLL_SECONDS)):
        groups = {group for group in groups if _signal(group, 0)}
        if not groups:
            return
        pause.wait(_POLL_SECONDS)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _remove(file: str) -> None:
    """Remove a file, unless another one has taken its place."""
    identity, _, name = file.partition(" ")
    with contextlib.suppress(OSError):
        if _identity(Path(name)) == identity:
            Path(name).unlink()


def _identity(path: Path) -> str:
    """The number of a file that is gone may be given to another one."""
    status = path.stat()
    return f"{status.st_ino}/{status.st_mtime_ns}"


def _signal(group: int, number: int) -> bool:
    """Whether the group still exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _main(stream: TextIO, grace_seconds: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reap_at_end(stream, grace_seconds)


if __name__ == "__main__":
    _main(sys.stdin, float(sys.argv[1]))
