"""The ASGI lifespan of the sandbox: started once at init, ended on SIGTERM."""

import asyncio
from typing import Any

from mangum.types import ASGI, LifespanMode, Message

from streaming_runtime import log
from streaming_runtime.errors import InitError
from streaming_runtime.failures import causes_of, stack_of, type_name


class Lifespan:
    """Owns the task in which the application's lifespan runs, one task from start to end.

    `mode` is Mangum's: "on" fails when the application does not support lifespan, "auto" carries on, "off"
    skips it.
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
        # What the application raised instead of saying anything.
        self._error: Exception | None = None

    async def start(self) -> None:
        """Run the startup. Raises InitError. It has no bound of its own: Lambda limits the init phase."""
        if self._mode == "off":
            return
        self._task = asyncio.create_task(self._run(), name="lifespan")
        self._events.put_nowait({"type": "lifespan.startup"})
        await self._startup_over.wait()
        if self._refusal is not None:
            raise InitError("Runtime.StartupFailed", f"the application failed to start: {self._refusal}")
        if self._is_started:
            return
        if self._mode == "on":
            raise InitError("Runtime.StartupFailed", "the application does not support lifespan") from self._error
        if self._error is not None and self._has_received:
            # Who does not support lifespan raises at the sight of the scope, which is no problem. Failing may be one.
            log.problem(
                "lifespan.unsupported",
                "WARNING",
                errorType=type_name(self._error),
                stack=stack_of(self._error),
            )

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
            log.problem("lifespan.failed", errorType=type_name(self._error), causes=causes_of(self._error))

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - the application's, whatever it is; judged by who waits for it
            self._error = error
        finally:
            self._startup_over.set()
            self._shutdown_over.set()

    async def _receive(self) -> Message:
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
