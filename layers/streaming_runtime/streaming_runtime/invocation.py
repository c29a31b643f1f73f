"""One invocation from event to delivered response, within its deadline."""

import asyncio
import time
from dataclasses import dataclass, field
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
from streaming_runtime.http_cycle import HttpCycle, Phase
from streaming_runtime.response_stream import ResponseStream
from streaming_runtime.runtime_api import Invocation, RuntimeApi
from streaming_runtime.settings import Settings

# The extension's name in scope["extensions"]. Its content is described in the README of this layer.
EXTENSION = "aws.lambda"
# Even when the time is over, the Runtime API, which is on this machine, gets this long to answer.
MIN_DELIVERY_SECONDS = 0.2
# The Runtime API says so when the sandbox is beyond repair; the runtime should then exit promptly.
CONTAINER_ERROR = 500


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
    # The application's lifespan state.
    state: dict[str, Any] = field(default_factory=dict, repr=False)


class _Run:
    """An application at work on one request."""

    def __init__(
        self, sandbox: Sandbox, invocation: Invocation, request: HttpRequest, schedule: Schedule
    ) -> None:
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
        self._app = asyncio.ensure_future(sandbox.mangum.app(scope, self._cycle.receive, self._cycle.send))

    def _build_sink(self, disconnected: asyncio.Event) -> ResponseStream | BufferedResponse:
        if not self._request.is_streamed:
            return BufferedResponse()
        excluded = self._sandbox.mangum.config["exclude_headers"]
        return ResponseStream(self._sandbox.api.address, self._request_id, disconnected, excluded=excluded)

    async def wait(self) -> None:
        """Until the application has ended, or its time is over."""
        await asyncio.wait({self._app}, timeout=_until(self.schedule.cancel_at))

    async def end(self, reason: Failure) -> None:
        """Make sure that the application has ended, and the response with it; `reason` is why, if it still
        runs.

        Raises AppStuckError when the application does not end; RuntimeApiError and TimeoutError when the
        response cannot be delivered.
        """
        failure = await self._end_app(reason)
        try:
            if self._cycle.phase is not Phase.OVER:
                async with asyncio.timeout(_until(self.schedule.end_at, MIN_DELIVERY_SECONDS)):
                    await self._cycle.fail(failure)
            await self._deliver(_until(self.schedule.end_at, MIN_DELIVERY_SECONDS))
        finally:
            if not self._app.done():
                raise AppStuckError("the application did not end when cancelled")

    async def _end_app(self, reason: Failure) -> Failure:
        if not self._app.done():
            log.problem("app.cancelled", "WARNING", requestId=self._request_id, errorType=reason.error_type)
            self._app.cancel()
            await asyncio.wait({self._app}, timeout=_until(self.schedule.abandon_at))
            return reason
        error = None if self._app.cancelled() else self._app.exception()
        if error is None:
            return INCOMPLETE
        is_lost = isinstance(self._sink, ResponseStream) and self._sink.is_lost
        log.problem(
            "response.connection_lost" if is_lost else "app.failed",
            "WARNING" if is_lost else "ERROR",
            requestId=self._request_id,
            errorType=type_name(error),
            causes=causes_of(error),
            stack=stack_of(error),
        )
        return failure_of(error)

    async def _deliver(self, timeout_seconds: float) -> None:
        if isinstance(self._sink, ResponseStream):
            await self._sink.settle(timeout_seconds=timeout_seconds)
        else:
            document = self._sink.encode(self._request.adapter)
            await self._sandbox.api.post_response(self._request_id, document, timeout_seconds=timeout_seconds)


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
        try:
            event = parse_event(invocation.payload)
            request = build_request(event, context, sandbox.mangum, settings.response_form)
        except UnsupportedEventError as error:
            await _refuse(sandbox, invocation, error, max(remaining, MIN_DELIVERY_SECONDS))
            return
        run = _Run(sandbox, invocation, request, schedule)
        try:
            await run.wait()
        except asyncio.CancelledError:
            run.schedule = Schedule.plan(loop.time(), settings.shutdown_seconds, settings.shutdown_seconds)
            await run.end(SHUTDOWN)
            raise
        await run.end(DEADLINE)
    except (RuntimeApiError, TimeoutError) as error:
        status = error.status if isinstance(error, RuntimeApiRefusedError) else None
        log.problem(
            "response.not_delivered",
            requestId=invocation.request_id,
            errorType=type_name(error),
            status=status,
        )
        if status == CONTAINER_ERROR:
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
