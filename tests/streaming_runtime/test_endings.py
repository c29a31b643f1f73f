"""However an invocation ends, the application cleans up and the caller learns of it."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from streaming_runtime.errors import AppStuckError

EVENT_STREAM = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


def body(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class StreamingSample:
    """An application that streams until told how to end, and notes its cleanup."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.ending = "normal"
        self.cleaned_up = asyncio.Event()
        # The size of each part: large ones meet backpressure.
        self.part = b"part\n"
        self.on_cleanup: Callable[[], None] = lambda: None

    async def parts(self) -> AsyncIterator[bytes]:
        try:
            yield b"first\n"
            await self.go_on.wait()
            if self.ending == "error":
                raise KeyError("sk-secret")
            while self.ending == "endless":
                yield self.part
                await asyncio.sleep(0)
            yield b"last\n"
        finally:
            # A real cleanup awaits: the release of a lease is a request.
            await asyncio.sleep(0.01)
            self.note_cleanup()

    def note_cleanup(self) -> None:
        self.on_cleanup()
        self.cleaned_up.set()

    async def dependency(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0.01)
            self.note_cleanup()


def starlette_app(sample: StreamingSample) -> Any:
    async def endpoint(request: Request) -> StreamingResponse:
        return StreamingResponse(sample.parts(), media_type="text/event-stream")

    return Starlette(routes=[Route("/", endpoint)])


def fastapi_app(sample: StreamingSample) -> Any:
    app = FastAPI()

    async def parts() -> AsyncIterator[bytes]:
        async for part in StreamingSample.parts(without_cleanup):
            yield part

    without_cleanup = StreamingSample()

    @app.get("/")
    async def endpoint(lease: Annotated[None, Depends(sample.dependency)]) -> StreamingResponse:
        without_cleanup.__dict__.update(sample.__dict__, note_cleanup=lambda: None)
        return StreamingResponse(parts(), media_type="text/event-stream")

    return app


@pytest.fixture
def sample() -> StreamingSample:
    return StreamingSample()


@pytest.fixture(params=[starlette_app, fastapi_app], ids=["starlette-generator", "fastapi-dependency"])
def app(request: pytest.FixtureRequest, sample: StreamingSample) -> Any:
    return request.param(sample)


def problems(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def asked_for_invocations(runtime_api: Any) -> int:
    return [path for _, _, path in runtime_api.requests].count("/2018-06-01/runtime/invocation/next")


def error_of(exchange: Any) -> dict[str, Any]:
    return json.loads(base64.b64decode(exchange.trailers["lambda-runtime-function-error-body"]))


async def test_a_normal_end_cleans_up(runtime_api, start_loop, function_url, sample, app):
    start_loop(app)
    exchange = runtime_api.enqueue(function_url())
    await exchange.chunk(2)
    assert not sample.cleaned_up.is_set()
    sample.go_on.set()
    await exchange.end()
    assert exchange.streamed_body == b"first\nlast\n" and exchange.trailers == {}
    await asyncio.wait_for(sample.cleaned_up.wait(), 30)


async def test_an_error_after_the_start_travels_in_trailers(runtime_api, start_loop, function_url, sample, app, capsys):
    sample.ending = "error"
    start_loop(app)
    exchange = runtime_api.enqueue(function_url())
    await exchange.chunk(2)
    sample.go_on.set()
    await exchange.end()
    assert exchange.is_complete
    assert exchange.streamed_body.startswith(b"first\n\n\nevent: error\ndata: {")
    assert exchange.trailers["lambda-runtime-function-error-type"] == "KeyError"
    assert error_of(exchange)["errorType"] == "KeyError"
    assert sample.cleaned_up.is_set()
    (problem,) = problems(capsys)
    assert problem["message"] == "app.failed" and problem["errorType"] == "KeyError"
    assert problem["requestId"] == exchange.request_id and "secret" not in json.dumps(problem)


async def test_a_broken_connection_ends_the_application_which_cleans_up_before_the_next_invocation(
    runtime_api, start_loop, function_url, sample, app, capsys
):
    sample.ending = "endless"
    asked_before_cleanup: list[int] = []
    sample.on_cleanup = lambda: asked_before_cleanup.append(asked_for_invocations(runtime_api))
    start_loop(app)
    exchange = runtime_api.enqueue(function_url(), break_after=5)
    sample.go_on.set()
    await exchange.end()
    await asyncio.wait_for(sample.cleaned_up.wait(), 30)
    assert asked_before_cleanup == [1]
    following = runtime_api.enqueue(function_url())
    await following.chunk(2)
    assert {problem["message"] for problem in problems(capsys)} <= {
        "response.connection_lost",
        "response.not_delivered",
    }


async def test_a_broken_connection_is_told_to_who_listens(runtime_api, start_loop, function_url):
    told = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        await send(EVENT_STREAM)
        await send(body(b"1"))
        assert await receive() == {"type": "http.disconnect"}
        with pytest.raises(OSError, match="broke"):
            await send(body(b"2"))
        told.set()

    start_loop(app)
    runtime_api.enqueue(function_url(), break_after=3)
    await asyncio.wait_for(told.wait(), 30)


async def test_the_deadline_cancels_and_the_caller_reads_an_error_event(
    runtime_api, start_loop, function_url, sample, app
):
    start_loop(app, margin=0.3)
    exchange = runtime_api.enqueue(function_url(), deadline_in=1.0)
    await exchange.end()
    assert time.time() * 1000 < exchange.deadline_ms
    assert exchange.is_complete and sample.cleaned_up.is_set()
    assert b"event: error" in exchange.streamed_body and b"deadline_exceeded" in exchange.streamed_body
    assert exchange.trailers["lambda-runtime-function-error-type"] == "Runtime.DeadlineExceeded"


async def test_a_cleanup_that_fails_is_logged_by_type(runtime_api, start_loop, function_url, capsys):
    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        await send(body(b"1"))
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("sk-secret")

    start_loop(app, margin=0.2)
    await runtime_api.enqueue(function_url(), deadline_in=0.4).end()
    err = capsys.readouterr().err
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["app.cancelled", "app.failed"]
    assert "secret" not in err


async def test_a_reader_that_stalls_cannot_outlive_the_deadline(runtime_api, start_loop, function_url, sample, app):
    sample.ending, sample.part = "endless", b"x" * 1_000_000
    start_loop(app, margin=0.3)
    exchange = runtime_api.enqueue(function_url(), deadline_in=1.0, stall_after=3)
    sample.go_on.set()
    await asyncio.wait_for(sample.cleaned_up.wait(), 30)
    assert time.time() * 1000 < exchange.deadline_ms
    # The loop goes on: the next invocation is served.
    following = runtime_api.enqueue(function_url(), deadline_in=0.5)
    await following.chunk(2)
    await following.end()


async def test_shutdown_in_the_middle_cleans_up_and_tells_the_caller(
    runtime_api, start_loop, function_url, sample, app
):
    loop_task = start_loop(app, shutdown=0.6)
    exchange = runtime_api.enqueue(function_url())
    await exchange.chunk(2)
    loop_task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(loop_task, 30)
    await exchange.end()
    assert sample.cleaned_up.is_set()
    assert exchange.trailers["lambda-runtime-function-error-type"] == "Runtime.Shutdown"


async def test_an_application_that_ignores_cancellation_ends_the_sandbox(runtime_api, start_loop, function_url):
    release = asyncio.Event()

    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        await send(body(b"1"))
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    loop_task = start_loop(app, margin=0.3)
    exchange = await runtime_api.enqueue(function_url(), deadline_in=0.6).end()
    assert exchange.trailers["lambda-runtime-function-error-type"] == "Runtime.DeadlineExceeded"
    with pytest.raises(AppStuckError):
        await asyncio.wait_for(loop_task, 30)
    release.set()


async def test_an_application_that_never_waits_meets_its_deadline(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        while True:
            await send(body(b""))

    start_loop(app, margin=0.3)
    exchange = runtime_api.enqueue(function_url(), deadline_in=0.6)
    await exchange.end()
    assert exchange.trailers["lambda-runtime-function-error-type"] == "Runtime.DeadlineExceeded"


async def test_work_after_the_response_is_finished_before_the_next_invocation(runtime_api, start_loop, function_url):
    finished = asyncio.Event()

    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        await send(body(b"all", more=False))
        await asyncio.sleep(0.05)
        finished.set()

    start_loop(app)
    await runtime_api.enqueue(function_url()).end()
    assert not finished.is_set()
    assert asked_for_invocations(runtime_api) == 1
    await asyncio.wait_for(finished.wait(), 30)
