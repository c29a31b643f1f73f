"""One invocation from event to delivered response, within its deadline."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from mangum import Mangum

from streaming_runtime import current, log
from streaming_runtime.buffered_response import BufferedResponse
from streaming_runtime.context import LambdaContext
from streaming_runtime.errors import (
    AppExitedError,
    AppStuckError,
    MemoryExhaustedError,
    RuntimeApiError,
    RuntimeApiRefusedError,
    SandboxSpentError,
    UnsupportedEventError,
)
from streaming_runtime.events import HttpRequest, build_request, parse_event
from streaming_runtime.failures import DEADLINE, INCOMPLETE, SHUTDOWN, Failure, describe, type_name
from streaming_runtime.generators import AbandonedGenerators
from streaming_runtime.http_cycle import HttpCycle, Phase
from streaming_runtime.response_stream import ResponseStream
from streaming_runtime.runtime_api import Invocation, RuntimeApi
from streaming_runtime.schedule import Schedule, find_deadline
from streaming_runtime.settings import Failures, Settings

# The extension's name in scope["extensions"]. Its content is described in the README of this layer.
EXTENSION = "aws.lambda"
# Even when the time is over, the Runtime API, which is on this machine, gets this long to answer.
MIN_DELIVERY_SECONDS = 0.2
# Where no deadline is known, what the application left behind gets this long.
CLEANUP_SECONDS = 30.0


class Sandbox:
    """What all invocations of one process share. `state` is the application's lifespan state."""

    def __init__(
        self, settings: Settings, mangum: Mangum, generators: AbandonedGenerators, state: dict[str, Any]
    ) -> None:
        self.settings = settings
        self.mangum = mangum
        self.generators = generators
        self.state = state
        # What a request is told that is cancelled.
        self.end_reason = SHUTDOWN


class _Run:
    """An application at work on one request."""

    def __init__(
        self, sandbox: Sandbox, api: RuntimeApi, invocation: Invocation, request: HttpRequest, schedule: Schedule
    ) -> None:
        self._sandbox = sandbox
        self._api = api
        self._invocation = invocation
        self._request = request
        self.schedule = schedule
        disconnected = asyncio.Event()
        self._sink = self._build_sink(disconnected)
        scope = request.scope
        extension = _extension(invocation, schedule)
        scope["state"] = dict(sandbox.state)
        scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: extension}
        self._cycle = HttpCycle(
            request.body,
            self._sink,
            disconnected,
            is_head_request=scope["method"] == "HEAD",
            extension=extension,
        )
        # Why this process must not serve another invocation.
        self._spent: SandboxSpentError | None = None
        # The application's task, if it would not end; kept until the process does.
        self._stuck: asyncio.Task[None] | None = None
        self._app = asyncio.create_task(self._call_app())

    async def _call_app(self) -> None:
        # In a coroutine of its own: an application may be a plain function that raises before it is awaited.
        current.set_for_task(current.Current(self._invocation.request_id, self._invocation.tenant_id))
        try:
            await self._sandbox.mangum.app(self._request.scope, self._cycle.receive, self._cycle.send)
        except (SystemExit, KeyboardInterrupt) as error:
            # It would stop the event loop where it stands, with the caller unanswered.
            raise AppExitedError(error) from error

    def _build_sink(self, disconnected: asyncio.Event) -> ResponseStream | BufferedResponse:
        if not self._request.is_streamed:
            return BufferedResponse()
        excluded = self._sandbox.mangum.config["exclude_headers"]
        return ResponseStream(self._api, self._invocation, disconnected, excluded=excluded)

    async def wait(self) -> None:
        """Until the application has ended, or its time is over."""
        await asyncio.wait({self._app}, timeout=_until(self.schedule.cancel_at))

    async def end(self, reason: Failure) -> None:
        """Make sure that the application has ended, and the response with it.

        `reason` is why, if it still runs. Raises SandboxSpentError when nothing else can be served afterwards;
        RuntimeApiError and TimeoutError when the response cannot be delivered. To be called once.
        """
        failure = await self._end_app(reason)
        if not self._app.done():
            self._spent = AppStuckError("the application did not end when cancelled")
            self._stuck = self._app
        # The task holds the exception, the exception its frames, and these what the application left open.
        del self._app
        generators = self._sandbox.generators
        try:
            if failure is not None:
                seconds = _until(self.schedule.abandon_at)
                await generators.close(collect=True, timeout_seconds=CLEANUP_SECONDS if seconds is None else seconds)
            await self._finish_response(failure)
        finally:
            seconds = _until(self.schedule.end_at)
            await generators.close(collect=False, timeout_seconds=CLEANUP_SECONDS if seconds is None else seconds)
            if self._spent is not None:
                raise self._spent

    async def _finish_response(self, failure: Failure | None) -> None:
        """Complete what the application did not complete, and deliver."""
        if self._cycle.phase is not Phase.OVER:
            failure = failure or INCOMPLETE
            if self._is_reported():
                self._cycle.close()
                timeout_seconds = _until(self.schedule.end_at, MIN_DELIVERY_SECONDS)
                await self._api.post_invocation_error(self._invocation, failure, timeout_seconds=timeout_seconds)
                return
            async with asyncio.timeout(_until(self.schedule.end_at, MIN_DELIVERY_SECONDS)):
                await self._cycle.fail(failure)
        await self._deliver(_until(self.schedule.end_at, MIN_DELIVERY_SECONDS))

    def _is_reported(self) -> bool:
        """Whether a failure becomes an error of the invocation: by the setting, or because the process ends with it."""
        if self._cycle.has_started and isinstance(self._sink, ResponseStream):
            return False
        is_exit = isinstance(self._spent, AppExitedError)
        return is_exit or self._sandbox.settings.failures is Failures.REPORT

    async def _end_app(self, reason: Failure) -> Failure | None:
        """Why the application ended, None when it returned."""
        if not self._app.done():
            request_id = self._invocation.request_id
            log.problem("app.cancelled", "WARNING", requestId=request_id, errorType=reason.error_type)
            self._app.cancel()
            seconds = _until(self.schedule.abandon_at)
            await asyncio.wait({self._app}, timeout=CLEANUP_SECONDS if seconds is None else seconds)
            if self._app.done() and not self._app.cancelled():
                self._take_error(self._app.exception())
            return reason
        if self._app.cancelled():
            return INCOMPLETE
        return self._take_error(self._app.exception())

    def _take_error(self, error: BaseException | None) -> Failure | None:
        """Log what the application raised, and see what it means for the process."""
        if error is None:
            return None
        if isinstance(error, AppExitedError):
            self._spent = error
            failure = Failure(error.error_type, str(error))
            log.problem("app.exited", requestId=self._invocation.request_id, reason=str(error))
            return failure
        if _holds_memory_error(error):
            self._spent = MemoryExhaustedError("the application ran out of memory")
        is_lost = isinstance(self._sink, ResponseStream) and self._sink.is_lost
        log.app_error(
            "response.connection_lost" if is_lost else "app.failed",
            error,
            "WARNING" if is_lost else "ERROR",
            request_id=self._invocation.request_id,
        )
        return describe(error, hides_text=self._sandbox.settings.hides_exceptions)

    async def _deliver(self, timeout_seconds: float | None) -> None:
        if isinstance(self._sink, ResponseStream):
            await self._sink.settle(timeout_seconds=timeout_seconds)
            return
        try:
            document = self._sink.encode(self._request.adapter)
        except Exception as error:  # noqa: BLE001 - adapters may be the application's own
            failure = self._take_error(error) or INCOMPLETE
            await self._api.post_invocation_error(self._invocation, failure, timeout_seconds=timeout_seconds)
        else:
            await self._api.post_response(self._invocation, document, timeout_seconds=timeout_seconds)


async def run_invocation(sandbox: Sandbox, api: RuntimeApi, invocation: Invocation) -> None:
    """Run the application for one invocation and deliver its response.

    A response that cannot be delivered is logged, and the loop may go on. Raises SandboxSpentError, or
    RuntimeApiRefusedError when the Runtime API declares the sandbox broken. Cancelled, it cancels the
    application, gives it `shutdown_seconds` and ends the response before it re-raises.
    """
    settings = sandbox.settings
    loop = asyncio.get_running_loop()
    now_ms = time.time() * 1000
    deadline_ms = find_deadline(invocation.deadline_ms, int(now_ms), settings.function.timeout_seconds)
    if deadline_ms != invocation.deadline_ms:
        invocation = invocation._replace(deadline_ms=deadline_ms)
    schedule = Schedule()
    if deadline_ms is not None:
        remaining = max(0.0, (deadline_ms - now_ms) / 1000)
        schedule = Schedule.plan(loop.time(), remaining, settings.deadline_margin_seconds)
    context = LambdaContext(invocation, settings.function)
    try:
        event = parse_event(invocation.payload)
        request = build_request(event, context, sandbox.mangum, settings)
    except UnsupportedEventError as error:
        with _undelivered_is_logged(invocation.request_id):
            await _refuse(api, invocation, error, _until(schedule.end_at, MIN_DELIVERY_SECONDS))
        return
    run = _Run(sandbox, api, invocation, request, schedule)
    try:
        await run.wait()
    except asyncio.CancelledError:
        run.schedule = Schedule.plan(loop.time(), settings.shutdown_seconds, settings.shutdown_seconds)
        with _undelivered_is_logged(invocation.request_id):
            await run.end(sandbox.end_reason)
        raise
    with _undelivered_is_logged(invocation.request_id):
        await run.end(DEADLINE)


def _extension(invocation: Invocation, schedule: Schedule) -> dict[str, Any]:
    """What the application finds in `scope["extensions"]["aws.lambda"]`."""
    cancel_at_ms = None
    if invocation.deadline_ms is not None and schedule.end_at is not None and schedule.cancel_at is not None:
        cancel_at_ms = invocation.deadline_ms - round((schedule.end_at - schedule.cancel_at) * 1000)
    return {
        "deadline_ms": invocation.deadline_ms,
        "cancel_at_ms": cancel_at_ms,
        "trace_id": invocation.trace_id or None,
        "abort_body": b"",
    }


def _holds_memory_error(error: BaseException) -> bool:
    """Whether memory ran out, in a member of a group perhaps."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(MemoryError) is not None
    return isinstance(error, MemoryError)


@contextmanager
def _undelivered_is_logged(request_id: str) -> Iterator[None]:
    """One response that did not get through is no reason to stop, unless the Runtime API says so."""
    try:
        yield
    except (RuntimeApiError, TimeoutError) as error:
        status = error.status if isinstance(error, RuntimeApiRefusedError) else None
        log.problem("response.not_delivered", requestId=request_id, errorType=type_name(error), status=status)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            raise


async def _refuse(
    api: RuntimeApi, invocation: Invocation, error: UnsupportedEventError, timeout_seconds: float | None
) -> None:
    """Whoever sends something else than HTTP does not read HTTP either: report an error of the invocation."""
    log.problem("event.unsupported", requestId=invocation.request_id, reason=str(error))
    failure = Failure(error.error_type, str(error))
    await api.post_invocation_error(invocation, failure, timeout_seconds=timeout_seconds)


def _until(time_: float | None, at_least: float = 0.0) -> float | None:
    """Seconds from now to a point in the event loop's time; None where there is none."""
    return None if time_ is None else max(at_least, time_ - asyncio.get_running_loop().time())
