"""The life of one sandbox: start the application, serve invocations, stop."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

from mangum import Mangum

from streaming_runtime import log
from streaming_runtime.collector import end_start_up
from streaming_runtime.current import Current, set_for_process
from streaming_runtime.errors import AppExitedError, InitError, RuntimeApiError, SandboxSpentError
from streaming_runtime.failures import Failure, init_failure_of, stack_of, type_name
from streaming_runtime.generators import AbandonedGenerators
from streaming_runtime.invocation import Sandbox, run_invocation
from streaming_runtime.lifespan import Lifespan
from streaming_runtime.runtime_api import RuntimeApi
from streaming_runtime.settings import Address, Settings

TRACE_VARIABLE = "_X_AMZN_TRACE_ID"
INIT_ERROR_SECONDS = 5.0
# How long what is left may take to end after the application has ended the process, beyond the settings' own bounds.
GRACE_SECONDS = 5.0


class Server:
    """Serves one application until SIGTERM or SIGINT, or until something is broken for good."""

    def __init__(self, settings: Settings, mangum: Mangum) -> None:
        self._settings = settings
        self._mangum = mangum
        self._lifespan = Lifespan(mangum.app, mangum.lifespan)
        # None until the application has started.
        self._sandbox: Sandbox | None = None
        self._task: asyncio.Task[Any] | None = None
        # The application has ended the process from outside of its requests.
        self._exit: AppExitedError | None = None

    async def run(self) -> int:
        """Start the application and serve. Returns the exit status: 0 after a signal, 1 after a failure."""
        self._task = asyncio.current_task()
        _cancel_on_signals(self._task)
        if self._settings.hides_exceptions:
            asyncio.get_running_loop().set_exception_handler(log_loop_error)
        try:
            await self._lifespan.start(timeout_seconds=self._settings.lifespan_seconds)
            end_start_up()
            with AbandonedGenerators() as generators:
                self._sandbox = Sandbox(self._settings, self._mangum, generators, self._lifespan.state)
                await serve_invocations(self._sandbox)
        except asyncio.CancelledError:
            return 0 if self._exit is None else await self._report_exit(self._exit)
        except InitError as error:
            await report_init_error(self._settings.address, error, hides_text=self._settings.hides_exceptions)
        except SandboxSpentError as error:
            log.problem("runtime.stopped", errorType=error.error_type, reason=str(error))
            return error.exit_status
        except RuntimeApiError as error:
            log.problem("runtime.stopped", errorType=type_name(error), reason=str(error))
        except Exception as error:  # noqa: BLE001 - a defect here; a plain traceback might show what a user sent
            log.problem("runtime.crashed", errorType=type_name(error), stack=stack_of(error))
        finally:
            await self._lifespan.stop(timeout_seconds=self._settings.shutdown_seconds)
        return 1

    async def stop_after(self, error: BaseException) -> int:
        """End what `run` began, after `error` (SystemExit, KeyboardInterrupt) has stopped the event loop.

        It came out of a task or a callback of the application's own. Requests are told, and the process ends with the
        status that was asked for.
        """
        self._exit = AppExitedError(error)
        if self._task is None or self._task.done():
            return self._exit.exit_status
        if self._sandbox is not None:
            self._sandbox.end_reason = Failure(self._exit.error_type, str(self._exit))
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=3 * self._settings.shutdown_seconds + GRACE_SECONDS)
        if self._task.done() and not self._task.cancelled():
            return int(self._task.result())
        return self._exit.exit_status

    async def _report_exit(self, error: AppExitedError) -> int:
        if self._sandbox is None:
            await report_init_error(
                self._settings.address,
                InitError(error.error_type, str(error)),
                hides_text=self._settings.hides_exceptions,
            )
        else:
            log.problem("runtime.stopped", errorType=error.error_type, reason=str(error))
        return error.exit_status


async def serve_invocations(sandbox: Sandbox) -> None:
    """Fetch and run invocations, as many at once as Lambda hands out, until cancelled.

    Raises RuntimeApiError and SandboxSpentError, the first after the other invocations at work have ended.
    """
    if sandbox.settings.concurrency == 1:
        await _serve_one_by_one(sandbox)
    else:
        await _Crowd(sandbox).serve()


async def _serve_one_by_one(sandbox: Sandbox) -> None:
    api = RuntimeApi(sandbox.settings.address)
    try:
        while True:
            invocation = await api.next_invocation()
            set_for_process(Current(invocation.request_id, invocation.tenant_id))
            # Where the X-Ray SDK and Powertools look for it.
            if invocation.trace_id:
                os.environ[TRACE_VARIABLE] = invocation.trace_id
            else:
                os.environ.pop(TRACE_VARIABLE, None)
            await run_invocation(sandbox, api, invocation)
    finally:
        api.close()


class _Crowd:
    """Serves several invocations at once, each in a task that has fetched it itself: Lambda Managed Instances.

    One process and one event loop for all of them. The trace of an invocation is in its scope only, since the
    environment is everybody's.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        # Tasks that wait for an invocation, and so can be stopped without harm.
        self._fetching: set[asyncio.Task[Any]] = set()
        # Why no further invocation is fetched.
        self._error: Exception | None = None

    async def serve(self) -> None:
        """Until cancelled, or until one of them is broken for good and the others have ended."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._sandbox.settings.concurrency):
                tasks.create_task(self._work(), name=f"invocations-{number}")
        if self._error is not None:
            raise self._error

    async def _work(self) -> None:
        api = RuntimeApi(self._sandbox.settings.address)
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - a coroutine always runs in one
            raise RuntimeError("an invocation needs a task")
        try:
            while self._error is None:
                self._fetching.add(task)
                try:
                    invocation = await api.next_invocation()
                finally:
                    self._fetching.discard(task)
                await run_invocation(self._sandbox, api, invocation)
        except asyncio.CancelledError:
            if self._error is None:
                raise
        except (RuntimeApiError, SandboxSpentError) as error:
            self._stop(error)
        finally:
            api.close()

    def _stop(self, error: Exception) -> None:
        self._error = self._error or error
        for task in self._fetching:
            task.cancel()


async def report_init_error(address: Address, error: BaseException, *, hides_text: bool) -> None:
    """Tell the log and the Runtime API why this sandbox cannot serve. Never raises."""
    failure = init_failure_of(error)
    if hides_text:
        log.problem("init.failed", errorType=failure.error_type, reason=failure.message, stack=stack_of(error))
    else:
        log.failure(failure)
    api = RuntimeApi(address)
    with suppress(RuntimeApiError, TimeoutError):
        await api.post_init_error(failure, timeout_seconds=INIT_ERROR_SECONDS)
    api.close()


def log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio has nobody to tell, such as the failure of a task that is not awaited.

    Where exceptions are hidden it takes the place of asyncio's own handler, which writes the exception's text and the
    arguments of callbacks. An application may set another one.
    """
    error = context.get("exception")
    if isinstance(error, BaseException):
        log.app_error("loop.error", error)
    else:
        # Without an exception it is one of asyncio's constant sentences.
        log.problem("loop.error", reason=str(context.get("message")))


def _cancel_on_signals(task: asyncio.Task[Any] | None) -> None:
    """The first SIGTERM or SIGINT cancels the task; further ones change nothing."""
    loop = asyncio.get_running_loop()
    pending = [signal.SIGTERM, signal.SIGINT]

    def stop() -> None:
        if pending and task is not None:
            pending.clear()
            task.cancel()

    for number in tuple(pending):
        loop.add_signal_handler(number, stop)
