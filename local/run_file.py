"""Writes `.local/run.env`, which lets another terminal talk to a running stack; removed when the stack ends."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

_HEADER = """\
# Written by `python -m local run`, removed when it ends. In another terminal: . {path}
# The AWS variables name the local stand-in, so that no tool takes your own account in their place.
"""


def write_run_file(path: Path, variables: Mapping[str, str]) -> None:
    """A shell file that only its owner can read."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(_HEADER.format(path=shlex.quote(str(path))) + "".join(lines))


def read_run_file(path: Path) -> dict[str, str]:
    """The variables. Raises `FileNotFoundError` when nothing runs."""
    words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)
