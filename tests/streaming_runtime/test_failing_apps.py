"""What becomes of an application's exceptions, and of one that ends its process."""

import asyncio
import base64
import json
from typing import Any

import pytest

from streaming_runtime.errors import AppExitedError, MemoryExhaustedError
from streaming_runtime.settings import Exceptions, Failures, ResponseForm

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def body(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def failing_app(error: BaseException, *, parts: int = 0) -> Any:
    """Raises after so many parts of its response; with none, before it has started."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if parts:
            await send(START)
        for _ in range(parts):
            await send(body(b"part"))
        raise error

    return app


def reported(exchange: Any) -> dict[str, Any]:
    """The error document, wherever it travelled."""
    if exchange.path.endswith("/error"):
        return json.loads(exchange.body)
    return json.loads(base64.b64decode(exchange.trailers["lambda-runtime-function-error-body"]))


async def test_an_exception_is_logged_and_reported_with_its_text(runtime_api, start_loop, function_url, capsys):
    start_loop(failing_app(ValueError("what went wrong"), parts=1), exceptions=Exceptions.SHOW)
    exchange = await runtime_api.enqueue(function_url()).end()
    document = reported(exchange)
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "what went wrong")
    assert document["requestId"] == exchange.request_id and "raise error" in document["stackTrace"][-1]
    out, err = capsys.readouterr()
    assert out.startswith("[ERROR] ValueError: what went wrong\rTraceback") and not err


@pytest.mark.parametrize("form", [ResponseForm.STREAMING, ResponseForm.BUFFERED])
async def test_the_caller_does_not_read_it(runtime_api, start_loop, function_url, form):
    start_loop(failing_app(ValueError("what went wrong")), exceptions=Exceptions.SHOW, form=form)
    exchange = await runtime_api.enqueue(function_url()).end()
    answer = b"".join(exchange.chunks[2:]) + exchange.body
    assert b"internal_error" in answer and b"what went wrong" not in answer


async def test_hidden_it_is_its_type_and_place_everywhere(runtime_api, start_loop, function_url, capsys):
    start_loop(failing_app(ValueError("what went wrong"), parts=1), exceptions=Exceptions.HIDE)
    exchange = await runtime_api.enqueue(function_url()).end()
    document = reported(exchange)
    out, err = capsys.readouterr()
    assert document["errorType"] == json.loads(err)["errorType"] == "ValueError"
    assert "what went wrong" not in out + err + json.dumps(document)


@pytest.mark.parametrize("form", [ResponseForm.STREAMING, ResponseForm.BUFFERED])
async def test_a_failure_before_the_start_can_be_an_error_of_the_invocation(
    runtime_api, start_loop, function_url, form
):
    start_loop(failing_app(ValueError("text")), failures=Failures.REPORT, exceptions=Exceptions.SHOW, form=form)
    exchange = await runtime_api.enqueue(function_url(), headers={"Lambda-Runtime-Invocation-Id": "n-1"}).end()
    assert exchange.path.endswith("/error") and reported(exchange)["errorMessage"] == "text"
    cause = json.loads(exchange.request_headers["lambda-runtime-function-xray-error-cause"])
    assert cause["exceptions"][0]["message"] == "text" and cause["paths"] == [__file__]
    assert exchange.request_headers["lambda-runtime-invocation-id"] == "n-1"


@pytest.mark.parametrize(
    ("deadline_in", "kind"), [(0.4, "Runtime.DeadlineExceeded"), (30, "Runtime.IncompleteResponse")]
)
async def test_so_can_a_deadline_and_a_response_that_never_came(
    runtime_api, start_loop, function_url, deadline_in, kind
):
    async def app(scope, receive, send):
        if scope["aws.context"].get_remaining_time_in_millis() < 1000:
            await asyncio.Event().wait()

    start_loop(app, failures=Failures.REPORT, margin=0.2)
    exchange = await runtime_api.enqueue(function_url(), deadline_in=deadline_in).end()
    assert reported(exchange)["errorType"] == kind


async def test_what_has_started_cannot_be_taken_back(runtime_api, start_loop, function_url):
    start_loop(failing_app(ValueError(), parts=1), failures=Failures.REPORT)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.path.endswith("/response") and exchange.trailers and exchange.prelude["statusCode"] == 200


@pytest.mark.parametrize("form", [ResponseForm.STREAMING, ResponseForm.BUFFERED])
@pytest.mark.parametrize(("code", "status"), [(3, 3), (None, 0), ("some text", 1)])
async def test_an_application_that_exits_is_reported_and_ends_the_sandbox(
    runtime_api, start_loop, function_url, form, code, status
):
    loop_task = start_loop(failing_app(SystemExit(code)), form=form)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.path.endswith("/error")
    document = reported(exchange)
    assert document["errorType"] == "Runtime.ExitError" and "SystemExit" in document["errorMessage"]
    assert "some text" not in document["errorMessage"]
    with pytest.raises(AppExitedError) as caught:
        await asyncio.wait_for(loop_task, 30)
    assert caught.value.exit_status == status


async def test_an_exit_in_mid_stream_ends_the_stream_first(runtime_api, start_loop, function_url):
    loop_task = start_loop(failing_app(SystemExit(3), parts=2))
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.is_complete and exchange.streamed_body.startswith(b"partpart\n\nevent: error")
    assert reported(exchange)["errorType"] == "Runtime.ExitError"
    with pytest.raises(AppExitedError):
        await asyncio.wait_for(loop_task, 30)


@pytest.mark.parametrize("error", [MemoryError(), ExceptionGroup("tasks", [ValueError(), MemoryError()])])
async def test_exhausted_memory_is_answered_and_ends_the_sandbox(runtime_api, start_loop, function_url, error):
    loop_task = start_loop(failing_app(error))
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.prelude["statusCode"] == 500
    with pytest.raises(MemoryExhaustedError):
        await asyncio.wait_for(loop_task, 30)


async def test_exhausted_memory_behind_a_response_ends_the_sandbox_too(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send(body(b"the framework's page", more=False))
        raise MemoryError

    loop_task = start_loop(app)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.streamed_body == b"the framework's page" and not exchange.trailers
    with pytest.raises(MemoryExhaustedError):
        await asyncio.wait_for(loop_task, 30)


async def test_an_unknown_deadline_is_none_for_the_application_and_cuts_nothing(runtime_api, start_loop, function_url):
    seen: dict[str, Any] = {}

    async def app(scope, receive, send):
        seen.update(scope["extensions"]["aws.lambda"], left=scope["aws.context"].get_remaining_time_in_millis())
        await send(START)
        await asyncio.sleep(0.05)
        await send(body(b"all", more=False))

    start_loop(app)
    exchange = await runtime_api.enqueue(function_url(), deadline_in=None).end()
    assert exchange.streamed_body == b"all" and not exchange.trailers
    assert seen["deadline_ms"] is None and seen["cancel_at_ms"] is None and seen["left"] == 900_000


async def test_where_the_functions_timeout_is_known_it_stands_for_an_unknown_deadline(
    runtime_api, start_loop, function_url
):
    async def app(scope, receive, send):
        await asyncio.Event().wait()

    start_loop(app, function_timeout=0.4, margin=0.2)
    exchange = await runtime_api.enqueue(function_url(), deadline_in=None).end()
    assert exchange.prelude["statusCode"] == 504


async def test_a_failure_without_a_deadline_is_answered(runtime_api, start_loop, function_url):
    start_loop(failing_app(ValueError()))
    exchange = await runtime_api.enqueue(function_url(), deadline_in=None).end()
    assert exchange.prelude["statusCode"] == 500
    assert (await runtime_api.enqueue({"no": "request"}, deadline_in=None).end()).path.endswith("/error")


async def test_a_streamed_response_repeats_the_id_of_the_invocation(runtime_api, start_loop, function_url):
    start_loop(failing_app(ValueError(), parts=1))
    exchange = await runtime_api.enqueue(function_url(), headers={"Lambda-Runtime-Invocation-Id": "n-1"}).end()
    assert exchange.request_headers["lambda-runtime-invocation-id"] == "n-1"
    assert "lambda-runtime-invocation-id" not in (await runtime_api.enqueue(function_url()).end()).request_headers


async def test_the_trace_is_in_the_scope(runtime_api, start_loop, function_url):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["extensions"]["aws.lambda"]["trace_id"])

    start_loop(app)
    await runtime_api.enqueue(function_url(), headers={"Lambda-Runtime-Trace-Id": "Root=1-a"}).end()
    await runtime_api.enqueue(function_url()).end()
    assert seen == ["Root=1-a", None]
