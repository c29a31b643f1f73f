"""Runs a stand-in as a process of its own: starts it, waits for its first line, stops it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Self

from local.reaper import Reaper

_READY_SECONDS = 60.0
"""Generous: a cold disk and a busy machine can take long to import what a stand-in is made of."""
_STOP_SECONDS = 10.0


class ServiceError(Exception):
    """The stand-in did not start; the message says which one, and what it said last."""


class Service:
    """Owns one process in a process group of its own, so that a Ctrl-C in the terminal reaches it through us only."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, reaper: Reaper) -> None:
        self.name = name
        self.ready_line = ""
        """The first line it printed."""
        self._process = process
        self._reaper = reaper
        self._drain: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, name: str, command: Sequence[str], *, environment: Mapping[str, str], reaper: Reaper) -> Self:
        """Start it and wait for its first line. Raises `ServiceError`; cancellation ends the process."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        reaper.watch(process.pid)
        service = cls(name, process, reaper)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await service._wait_until_ready()
        except BaseException as error:
            await service.stop()
            if isinstance(error, TimeoutError):
                raise ServiceError(f"{name} was not ready within {_READY_SECONDS:.0f} s") from None
            raise
        return service

    @property
    def pid(self) -> int:
        return self._process.pid

    async def _wait_until_ready(self) -> None:
        if self._process.stdout is not None:
            self.ready_line = (await self._process.stdout.readline()).decode().strip()
        if not self.ready_line:
            raise ServiceError(f"{self.name} ended before it was ready (exit status {await self._process.wait()})")
        if self._process.stdout is not None:
            # Whatever it prints later must not fill the pipe.
            self._drain = asyncio.create_task(_discard(self._process.stdout))

    async def wait(self) -> int:
        """Wait for its end, whoever brings it about, and return its exit status."""
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if it takes too long. Returns when the process is gone."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        self._signal(signal.SIGKILL)
        await self._process.wait()
        if self._drain is not None:
            await self._drain
        self._reaper.forget(self._process.pid)

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass
