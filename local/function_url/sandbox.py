"""One sandbox: a process with the runtime in it, frozen whenever it has nothing to do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

from local.function_url.connection import HttpConnection
from local.function_url.function import Function, InvocationOutcome, Report
from local.function_url.invocation import Invocation
from local.function_url.runtime_api import RuntimeConnection
from local.reaper import Reaper

_STOP_SECONDS = 2.0
"""How long a sandbox may take to end after SIGTERM, as on AWS."""
_DRAIN_SECONDS = 0.2
"""How long the connections of a process that has ended may stay open: a child may hold one, or a slow client."""
_PEAK_MEMORY = re.compile(rb"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class InitError(Exception):
    """The init phase failed; `code` is what the runtime reported or Lambda would log."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Sandbox:
    """Owns the process, its process group, and the port on which it is served the Runtime API."""

    connection_type: type[RuntimeConnection] = RuntimeConnection
    """What accepts the runtime's connections; a measurement puts one there that looks at the clock."""

    def __init__(
        self, function: Function, *, reaper: Reaper, log: IO[bytes] | None, on_exit: Callable[[Sandbox], None]
    ) -> None:
        self.function = function
        self.arn = function.arn
        self.init_ms: float | None = None
        """Duration of the cold start, until the first report takes it."""
        self._reaper = reaper
        self._log = log
        self._on_exit = on_exit
        self._connections: set[HttpConnection] = set()
        self._server: asyncio.Server | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._invocation: Invocation | None = None
        # The open poll of an idle runtime; `None` while it works.
        self._poll: RuntimeConnection | None = None
        # Set by the next poll, by a failed init phase, or by the end of the process.
        self._changed = asyncio.Event()
        self._init_error: str | None = None
        self._is_frozen = False

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def is_frozen(self) -> bool:
        return self._is_frozen

    @property
    def is_finishing(self) -> bool:
        """Its answer is complete; the runtime has only to poll again."""
        return self._invocation is not None and self._invocation.is_answered

    @property
    def is_ready(self) -> bool:
        """Alive, with its poll open: it can be given an invocation."""
        return self.is_alive and self._poll is not None

    # Life.

    async def start(self) -> None:
        """Run the init phase, then freeze. Raises `InitError`; then, and on cancellation, nothing is left running."""
        started = time.perf_counter()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: self.connection_type(self, self._connections), "127.0.0.1", 0
            )
            await self._spawn(self._server.sockets[0].getsockname()[1])
            async with asyncio.timeout(self.function.init_timeout_seconds):
                await self._wait_for_poll()
        except TimeoutError:
            await self.kill()
            raise InitError("Sandbox.Timedout") from None
        except BaseException:
            await self.kill()
            raise
        self.init_ms = (time.perf_counter() - started) * 1000
        self._freeze()

    async def _spawn(self, port: int) -> None:
        log_stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.function.command,
                env=self.function.sandbox_environment(f"127.0.0.1:{port}", log_stream),
                cwd=self.function.task_root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                # A group of its own: a Ctrl-C in the terminal does not reach it, and a freeze reaches its children.
                start_new_session=True,
            )
        except OSError as error:
            raise InitError("Runtime.InvalidEntrypoint") from error
        self._reaper.watch(self._process.pid)
        self._watcher = asyncio.create_task(self._watch_process(self._process))

    async def _watch_process(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        # At once: the number may soon be somebody else's.
        self._reaper.forget(process.pid)
        await self._drain_connections()
        self._close_port()
        self._changed.set()
        self._on_exit(self)

    async def _drain_connections(self) -> None:
        """Read what the process sent before it ended; its connections end behind that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._connections:  # noqa: ASYNC110 - it lasts a few turns of the loop
                    await asyncio.sleep(0.001)

    async def _wait_for_poll(self) -> None:
        while self._poll is None or not self.is_alive:
            if self._init_error is not None:
                raise InitError(self._init_error)
            if not self.is_alive:
                raise InitError("Runtime.ExitError")
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """Thaw, SIGTERM, and SIGKILL if that was not enough."""
        self._signal(signal.SIGTERM)
        self._thaw()
        if self._watcher is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await asyncio.shield(self._watcher)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL, which also ends what is frozen; returns once the process is gone and its port closed."""
        self._signal(signal.SIGKILL)
        if self._watcher is not None:
            await asyncio.shield(self._watcher)
        self._close_port()

    def _close_port(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()

    # Work.

    async def invoke(self, invocation: Invocation) -> Report:
        """Give the runtime an event and wait until it polls again, dies, or reaches the deadline.

        The answer leaves through the invocation while this waits. Cancellation ends the sandbox, as `stop` does; the
        log has END and REPORT lines then too.
        """
        started, init_ms, pid = time.perf_counter(), self.init_ms, self.pid
        # Only the first report of a sandbox has it, as on AWS.
        self.init_ms = None
        self._invocation = invocation
        self._write_log(f"START RequestId: {invocation.request_id} Version: $LATEST")
        try:
            self._thaw()
            # Thawed before: a frozen process could not read it.
            poll, self._poll = self._poll, None
            if poll is not None:
                poll.hand_out(invocation)
            async with asyncio.timeout(self.function.timeout_seconds):
                await self._wait_for_poll()
        except TimeoutError:
            invocation.fail("Sandbox.Timedout", InvocationOutcome.TIMEOUT)
        except asyncio.CancelledError:
            invocation.abandon()
            # It may clean up: a lease that is not given back would be held beyond the next start.
            memory = self._peak_memory_mb()
            await self.stop()
            self._report(invocation, started, init_ms, memory, pid)
            raise
        except InitError as error:
            invocation.fail(error.code, InvocationOutcome.CRASHED)
        finally:
            memory = self._peak_memory_mb()
            self._invocation = None
            if self.is_ready:
                self._freeze()
            else:
                await self.kill()
        # It polled again without a word about this one.
        if invocation.is_waiting:
            invocation.fail("Runtime.NoResponse")
        return self._report(invocation, started, init_ms, memory, pid)

    def _report(
        self, invocation: Invocation, started: float, init_ms: float | None, memory: int | None, pid: int
    ) -> Report:
        report = Report(
            request_id=invocation.request_id,
            outcome=invocation.outcome,
            duration_ms=(time.perf_counter() - started) * 1000,
            init_ms=init_ms,
            max_memory_mb=memory,
            pid=pid,
        )
        self._write_log(f"END RequestId: {invocation.request_id}")
        self._write_log(report.line(self.function.memory_mb))
        return report

    # The Runtime API's side.

    def runtime_polled(self, poll: RuntimeConnection) -> None:
        self._poll = poll
        self._changed.set()

    def runtime_left(self, poll: RuntimeConnection) -> None:
        if self._poll is poll:
            self._poll = None

    def init_failed(self, error_type: str) -> None:
        self._init_error = error_type
        self._changed.set()

    def find_invocation(self, request_id: str) -> Invocation | None:
        invocation = self._invocation
        return invocation if invocation is not None and invocation.request_id == request_id else None

    # The process.

    def _freeze(self) -> None:
        self._is_frozen = True
        self._signal(signal.SIGSTOP)

    def _thaw(self) -> None:
        self._is_frozen = False
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        # While the leader is not reaped its number, and so the group's, can't belong to anybody else.
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _peak_memory_mb(self) -> int | None:
        try:
            status = Path(f"/proc/{self.pid}/status").read_bytes()
        except OSError:
            return None
        # The peak and not what it takes now: that is what Lambda reports.
        match = _PEAK_MEMORY.search(status)
        return round(int(match[1]) / 1024) if match else None

    def _write_log(self, line: str) -> None:
        if self._log is not None:
            # A full disk costs lines of the log, not answers.
            with contextlib.suppress(OSError):
                self._log.write(line.encode() + b"\n")
