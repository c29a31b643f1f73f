"""One invocation from event to delivered response, within its deadline."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from mangum import Mangum

from streaming_runtime import log
from streaming_runtime.buffered_response import BufferedResponse
from streaming_runtime.context import build_context
from streaming_runtime.errors import (
    AppStuckError,
    RuntimeApiError,
    RuntimeApiRefusedError,
    UnsupportedEventError,
)
from streaming_runtime.events import HttpRequest, build_request, parse_event
from streaming_runtime.failures import (
    DEADLINE,
    INCOMPLETE,
    SHUTDOWN,
    Failure,
    causes_of,
    failure_of,
    stack_of,
    type_name,
)
from streaming_runtime.generators import AbandonedGenerators
from streaming_runtime.http_cycle import HttpCycle, Phase
from streaming_runtime.response_stream import ResponseStream
from streaming_runtime.runtime_api import Invocation, RuntimeApi
from streaming_runtime.settings import Settings

# The extension's name in scope["extensions"]. Its content is described in the README of this layer.
EXTENSION = "aws.lambda"
# Even when the time is over, the Runtime API, which is on this machine, gets this long to answer.
MIN_DELIVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an invocation is pressed to end, in the event loop's time."""

    # The application is cancelled.
    cancel_at: float
    # Its cleanup is waited for no longer.
    abandon_at: float
    # The response must have been delivered.
    end_at: float

    @classmethod
    def plan(cls, now: float, remaining_seconds: float, margin_seconds: float) -> "Schedule":
        """Two thirds of the margin for cleanup, the last third for the end of the response.

        The margin takes a third of the remaining time at most, so that a short timeout leaves time to work.
        """
        margin = min(margin_seconds, remaining_seconds / 3)
        end = now + remaining_seconds
        return cls(end - margin, end - margin / 3, end)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What all invocations of one process share."""

    api: RuntimeApi
    settings: Settings
    mangum: Mangum
    generators: AbandonedGenerators
    # The application's lifespan state.
    state: dict[str, Any] = field(default_factory=dict, repr=False)


class _Run:
    """An application at work on one request."""

    def __init__(self, sandbox: Sandbox, invocation: Invocation, request: HttpRequest, schedule: Schedule) -> None:
        self._sandbox = sandbox
        self._request_id = invocation.request_id
        self._request = request
        self.schedule = schedule
        disconnected = asyncio.Event()
        self._sink = self._build_sink(disconnected)
        margin_ms = round((schedule.end_at - schedule.cancel_at) * 1000)
        extension = {
            "deadline_ms": invocation.deadline_ms,
            "cancel_at_ms": invocation.deadline_ms - margin_ms,
            "abort_body": b"",
        }
        scope = request.scope
        scope["state"] = dict(sandbox.state)
        scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: extension}
        self._cycle = HttpCycle(
            request.body,
            self._sink,
            disconnected,
            is_head_request=scope["method"] == "HEAD",
            extension=extension,
        )
        self._app = asyncio.create_task(self._call_app())

    async def _call_app(self) -> None:
        # In a coroutine of its own: an application may be a plain function that raises before it is awaited.
        await self._sandbox.mangum.app(self._request.scope, self._cycle.receive, self._cycle.send)

    def _build_sink(self, disconnected: asyncio.Event) -> ResponseStream | BufferedResponse:
        if not self._request.is_streamed:
            return BufferedResponse()
        excluded = self._sandbox.mangum.config["exclude_headers"]
        return ResponseStream(self._sandbox.api.address, self._request_id, disconnected, excluded=excluded)

    async def wait(self) -> None:
        """Until the application has ended, or its time is over."""
        await asyncio.wait({self._app}, timeout=_until(self.schedule.cancel_at))

    async def end(self, reason: Failure) -> None:
        """Make sure that the application has ended, and the response with it.

        `reason` is why, if it still runs. Raises AppStuckError when it does not end; RuntimeApiError and
        TimeoutError when the response cannot be delivered. To be called once.
        """
        failure = await self._end_app(reason)
        stuck = None if self._app.done() else self._app
        # The task holds the exception, the exception its frames, and these what the application left open.
        del self._app
        generators = self._sandbox.generators
        try:
            if failure is not None:
                await generators.close(collect=True, timeout_seconds=_until(self.schedule.abandon_at))
            if self._cycle.phase is not Phase.OVER:
                async with asyncio.timeout(_until(self.schedule.end_at, MIN_DELIVERY_SECONDS)):
                    await self._cycle.fail(failure or INCOMPLETE)
            await self._deliver(_until(self.schedule.end_at, MIN_DELIVERY_SECONDS))
        finally:
            await generators.close(collect=False, timeout_seconds=_until(self.schedule.end_at))
            if stuck is not None:
                raise AppStuckError("the application did not end when cancelled")

    async def _end_app(self, reason: Failure) -> Failure | None:
        """Why the application ended, None when it returned."""
        if not self._app.done():
            log.problem("app.cancelled", "WARNING", requestId=self._request_id, errorType=reason.error_type)
            self._app.cancel()
            await asyncio.wait({self._app}, timeout=_until(self.schedule.abandon_at))
            if self._app.done() and not self._app.cancelled():
                self._log_error(self._app.exception())
            return reason
        if self._app.cancelled():
            return INCOMPLETE
        error = self._app.exception()
        self._log_error(error)
        return None if error is None else failure_of(error)

    def _log_error(self, error: BaseException | None) -> None:
        if error is None:
            return
        is_lost = isinstance(self._sink, ResponseStream) and self._sink.is_lost
        log.problem(
            "response.connection_lost" if is_lost else "app.failed",
            "WARNING" if is_lost else "ERROR",
            requestId=self._request_id,
            errorType=type_name(error),
            causes=causes_of(error),
            stack=stack_of(error),
        )

    async def _deliver(self, timeout_seconds: float) -> None:
        if isinstance(self._sink, ResponseStream):
            await self._sink.settle(timeout_seconds=timeout_seconds)
            return
        api = self._sandbox.api
        try:
            document = self._sink.encode(self._request.adapter)
        except Exception as error:  # noqa: BLE001 - adapters may be the application's own
            self._log_error(error)
            await api.post_invocation_error(self._request_id, failure_of(error), timeout_seconds=timeout_seconds)
        else:
            await api.post_response(self._request_id, document, timeout_seconds=timeout_seconds)


async def run_invocation(sandbox: Sandbox, invocation: Invocation) -> None:
    """Run the application for one invocation and deliver its response.

    A response that cannot be delivered is logged, and the loop may go on. Raises AppStuckError, or
    RuntimeApiRefusedError when the Runtime API declares the sandbox broken. Cancelled, it cancels the
    application, gives it `shutdown_seconds` and ends the response before it re-raises.
    """
    settings = sandbox.settings
    loop = asyncio.get_running_loop()
    remaining = max(0.0, invocation.deadline_ms / 1000 - time.time())
    schedule = Schedule.plan(loop.time(), remaining, settings.deadline_margin_seconds)
    context = build_context(invocation, settings.function)
    try:
        event = parse_event(invocation.payload)
        request = build_request(event, context, sandbox.mangum, settings.response_form)
    except UnsupportedEventError as error:
        with _undelivered_is_logged(invocation.request_id):
            await _refuse(sandbox, invocation, error, max(remaining, MIN_DELIVERY_SECONDS))
        return
    run = _Run(sandbox, invocation, request, schedule)
    try:
        await run.wait()
    except asyncio.CancelledError:
        run.schedule = Schedule.plan(loop.time(), settings.shutdown_seconds, settings.shutdown_seconds)
        with _undelivered_is_logged(invocation.request_id):
            await run.end(SHUTDOWN)
        raise
    with _undelivered_is_logged(invocation.request_id):
        await run.end(DEADLINE)


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
    sandbox: Sandbox, invocation: Invocation, error: UnsupportedEventError, timeout_seconds: float
) -> None:
    """Whoever sends something else than HTTP does not read HTTP either: report an error of the invocation."""
    log.problem("event.unsupported", requestId=invocation.request_id, reason=str(error))
    failure = Failure(error.error_type, str(error))
    await sandbox.api.post_invocation_error(invocation.request_id, failure, timeout_seconds=timeout_seconds)


def _until(time_: float, at_least: float = 0.0) -> float:
    """Seconds from now to a point in the event loop's time."""
    return max(at_least, time_ - asyncio.get_running_loop().time())
