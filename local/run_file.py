"""Writes `.local/run.env`, which lets another terminal talk to a running stack; removed when the stack ends.

A run that is killed leaves that to its reaper. Where the reaper was killed too, the file says itself that it is stale:
to a shell that reads it, by the process id, and to programs by the lock of the state folder, which nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from local.files import replace_privately

LOCK = "lock"
"""Of a state folder; held as long as a run uses it."""

_HEADER = """\
# Written by `python -m local run`, removed when it ends. In another terminal: . {path}
# The AWS variables name the local stand-in, so that no tool takes your own account in their place.
if ! kill -0 {pid} 2>/dev/null; then
  echo "This file is left over from a run that was killed. Start 'make run' again." >&2
  return 1 2>/dev/null || exit 1
fi
"""


class StaleRunFileError(Exception):
    """The run that wrote the file has ended."""


def write_run_file(path: Path, variables: Mapping[str, str]) -> None:
    """A shell file that only its owner can read. Raises `OSError`."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    text = _HEADER.format(path=shlex.quote(str(path)), pid=os.getpid()) + "".join(lines)
    replace_privately(path, text.encode())


def read_run_file(path: Path) -> dict[str, str]:
    """The variables. Raises `FileNotFoundError` when nothing runs, `StaleRunFileError` for what a killed run left."""
    check_run(path)
    words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def check_run(path: Path) -> None:
    """Raise `StaleRunFileError` if nobody holds the lock beside the file. Without a lock nothing is known."""
    try:
        lock = path.with_name(LOCK).open("rb")
    except FileNotFoundError:
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return
    raise StaleRunFileError(f"{path} is left over from a run that was killed: start `make run` again.")
