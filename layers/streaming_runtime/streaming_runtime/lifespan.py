"""The ASGI lifespan of the sandbox: started once at init, ended on SIGTERM."""

import asyncio
from typing import Any

from mangum.types import ASGI, LifespanMode, Message

from streaming_runtime import log
from streaming_runtime.errors import AppExitedError, AppProtocolError, InitError


class Lifespan:
    """Owns the task in which the application's lifespan runs, one task from start to end.

    `mode` is Mangum's: "on" fails when the application does not support lifespan, "auto" carries on, "off"
    skips it. An application that takes the lifespan for a request, because it does not look at `scope["type"]`, does
    not support it: that shows in what it receives and sends, or in the end in the time that it takes.
    """

    def __init__(self, app: ASGI, mode: LifespanMode) -> None:
        self._app = app
        self._mode = mode
        # What the application put into scope["state"] at startup; each request gets a shallow copy.
        self.state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._startup_over = asyncio.Event()
        self._shutdown_over = asyncio.Event()
        self._is_started = False
        # The application has asked for its first event, so it takes part.
        self._has_received = False
        # The application's own words for why it cannot start; None when it did not say so.
        self._refusal: str | None = None
        # What the application raised instead of saying anything, or after its start.
        self._error: Exception | None = None

    async def start(self, *, timeout_seconds: float) -> None:
        """Run the startup. Raises InitError.

        What is not done in time counts as unsupported, and is left to itself: if it completes after all, its state is
        there and its shutdown will be run.
        """
        if self._mode == "off":
            return
        self._task = asyncio.create_task(self._run(), name="lifespan")
        self._events.put_nowait({"type": "lifespan.startup"})
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._startup_over.wait()
        except TimeoutError:
            self._refuse_late_start(timeout_seconds)
            return
        if isinstance(self._error, AppExitedError):
            raise InitError(self._error.error_type, str(self._error)) from self._error
        if self._refusal is not None:
            raise InitError("Runtime.StartupFailed", f"the application failed to start: {self._refusal}")
        if self._is_started:
            return
        if self._mode == "on":
            raise InitError("Runtime.StartupFailed", "the application does not support lifespan") from self._error
        if self._error is not None and self._has_received:
            # Who does not support lifespan raises at the sight of the scope, which is no problem. Failing may be one.
            log.app_error("lifespan.unsupported", self._error, "WARNING")

    def _refuse_late_start(self, timeout_seconds: float) -> None:
        reason = (
            f"the application has not started after {timeout_seconds:g} s; STREAMING_RUNTIME_LIFESPAN_MS is the bound"
        )
        if self._mode == "on":
            raise InitError("Runtime.StartupFailed", reason)
        log.problem("lifespan.timed_out", "WARNING", reason=reason)

    async def stop(self, *, timeout_seconds: float) -> None:
        """Run the shutdown within its time, then cancel the rest. Never raises an application's error."""
        if self._task is None:
            return
        if self._is_started and not self._task.done():
            self._events.put_nowait({"type": "lifespan.shutdown"})
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._shutdown_over.wait()
            except TimeoutError:
                log.problem("lifespan.shutdown_timed_out", timeoutSeconds=timeout_seconds)
        if not self._task.done():
            self._task.cancel()
            # A task that ignores even this dies with the process.
            await asyncio.wait({self._task}, timeout=timeout_seconds)
        if self._is_started and self._error is not None:
            log.app_error("lifespan.failed", self._error)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:
            # It would stop the event loop where it stands.
            self._error = AppExitedError(error)
        except Exception as error:  # noqa: BLE001 - the application's, whatever it is; judged by who waits for it
            self._error = error
        finally:
            self._startup_over.set()
            self._shutdown_over.set()

    async def _receive(self) -> Message:
        if self._has_received and not self._is_started:
            # It waits for the rest of a request, or for its end: neither comes.
            raise AppProtocolError("the lifespan has one event before its startup is complete")
        self._has_received = True
        return await self._events.get()

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._is_started = True
                self._startup_over.set()
            case "lifespan.startup.failed":
                self._refusal = str(message.get("message") or "it gave no reason")
                self._startup_over.set()
            case "lifespan.shutdown.failed":
                log.problem("lifespan.shutdown_failed")
                self._shutdown_over.set()
            case "lifespan.shutdown.complete":
                self._shutdown_over.set()
            case other:
                raise AppProtocolError(f"unexpected message {str(other)[:64]!r} in the lifespan")
