"""Servers beside the stack, each in a process of its own on a free loopback port."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from local.bench.surroundings import Surroundings
from local.ports import free_port
from local.reaper import Reaper

_START_SECONDS = 60.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers."""

    url: str
    pid: int
    cold_start_seconds: float
    """From the start of the process to the first byte of an answer."""


@asynccontextmanager
async def served(
    command: Sequence[str],
    *,
    health: str,
    environment: Mapping[str, str],
    reaper: Reaper,
    log: Path,
    options: Callable[[int], list[str]] = lambda port: ["--host", "127.0.0.1", "--port", str(port)],
) -> AsyncIterator[Server]:
    """Run a command with the `options` for its port, and wait for an answer at the path `health`, of any status.

    Its process group is killed in the end. Raises `RuntimeError` with what it logged last if it ends before it
    answers, `TimeoutError` if it takes longer than a minute.
    """
    port = free_port()
    with log.open("ab") as output:
        started_at = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *[*command, *options(port)],
            env=environment,
            cwd=log.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    reaper.watch(process.pid)
    try:
        answered_at = await _first_answer(port, health, process, log)
        yield Server(f"http://127.0.0.1:{port}", process.pid, answered_at - started_at)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        reaper.forget(process.pid)


async def _first_answer(port: int, path: str, process: asyncio.subprocess.Process, log: Path) -> float:
    async with asyncio.timeout(_START_SECONDS):
        while process.returncode is None:
            try:
                return await _first_byte(port, path)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(_POLL_SECONDS)
    raise RuntimeError(f"it ended before it answered: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-1000:]


async def _first_byte(port: int, path: str) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        await reader.readexactly(1)
        return time.monotonic()
    finally:
        writer.close()


@asynccontextmanager
async def uvicorn(
    around: Surroundings, application: str, *, loop: str = "asyncio", **variables: str
) -> AsyncIterator[Server]:
    """Serve an application with uvicorn, with these variables besides. Raises as `served` does.

    `pip install uvicorn` brings asyncio's event loop and h11, so they are named: uvicorn takes uvloop where it is
    installed.
    """
    command = [sys.executable, "-m", "uvicorn", application, "--no-access-log", "--loop", loop, "--http", "h11"]
    environment = {**around.gateway.environment, **around.variables, **variables, "PATH": os.environ["PATH"]}
    log = around.scratch / "uvicorn.log"
    async with served(command, health="/healthz", environment=environment, reaper=around.reaper, log=log) as server:
        yield server
