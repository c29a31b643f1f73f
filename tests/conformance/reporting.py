"""For the clients in Python: one line of JSON per check on standard output, which the runner reads."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

BASE = os.environ["OPENAI_BASE_URL"]
API_KEY = os.environ["OPENAI_API_KEY"]
# One red pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def announce(client: str) -> None:
    """Name the client that is checked."""
    say(client=client, version=importlib.metadata.version(client))


def check(name: str) -> Callable[[Callable[[], None]], None]:
    """Run the decorated function at once, as the check of this name."""

    def run(body: Callable[[], None]) -> None:
        started = time.monotonic()
        error = None
        try:
            body()
        except Exception as failure:  # noqa: BLE001 - every failure is a row
            error = f"{type(failure).__name__}: {failure}"[:600]
        say(check=name, ok=error is None, seconds=time.monotonic() - started, error=error)

    return run
