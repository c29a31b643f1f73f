"""What the sample applications share: the same routes in every framework."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

LARGE = bytes(range(256)) * 4096
"""1 MB that is no text."""
DIGEST = hashlib.sha256(LARGE).hexdigest()
EVENT_STREAM = "text/event-stream"
MOST_SECONDS = 20.0

seen_by_middleware: contextvars.ContextVar[str] = contextvars.ContextVar("seen_by_middleware", default="nothing")


def _gate(name: str) -> Path:
    """Exists once the reader has the first part."""
    return Path(os.environ["GATES"]) / name


async def events(gate: str) -> AsyncIterator[bytes]:
    """The first event, and the rest once the reader says that it has it."""
    yield b"data: 0\n\n"
    until = time.monotonic() + MOST_SECONDS
    while not _gate(gate).exists() and time.monotonic() < until:  # noqa: ASYNC110 - another process's condition
        await asyncio.sleep(0.01)
    yield b"data: 1\n\n"
    yield b"data: 2\n\n"


def blocking_events(gate: str) -> Iterator[bytes]:
    """The same for an application that blocks."""
    yield b"data: 0\n\n"
    until = time.monotonic() + MOST_SECONDS
    while not _gate(gate).exists() and time.monotonic() < until:
        time.sleep(0.01)  # noqa: TID251 - it blocks, in a thread of its own
    yield b"data: 1\n\n"
    yield b"data: 2\n\n"
