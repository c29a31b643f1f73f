"""Files of the local state: replaced at once or not at all, and readable by their owner only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def replace_privately(path: Path, data: bytes) -> None:
    """Replace a file, or make it. Raises `OSError`: then it is as it was, and nothing is left beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            # A disk that is full may say so only now.
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
