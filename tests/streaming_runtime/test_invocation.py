"""Whole invocations: event in, response on the wire."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import Request
from mangum import Mangum
from mangum.handlers import HTTPGateway
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from streaming_runtime.errors import RuntimeApiRefusedError
from streaming_runtime.settings import ResponseForm

EVENT_STREAM = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


def body(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def two_part_app(*, fails: bool = False) -> Starlette:
    """Streams two parts, or fails after the first."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"first\n"
        if fails:
            raise KeyError("sk-secret")
        yield b"last\n"

    async def endpoint(request: Request) -> StreamingResponse:
        return StreamingResponse(parts(), media_type="text/event-stream")

    return Starlette(routes=[Route("/", endpoint)])


async def silent_app(scope: Any, receive: Any, send: Any) -> None:
    """Never answers."""
    await asyncio.Event().wait()


def problems(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


async def test_each_message_leaves_at_once_and_in_a_chunk_of_its_own(runtime_api, start_loop, function_url):
    gates = [asyncio.Event() for _ in range(3)]

    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        for number, gate in enumerate(gates):
            await send(body(b"%d" % number))
            await gate.wait()
        await send(body(b"", more=False))

    start_loop(app)
    exchange = runtime_api.enqueue(function_url())
    for number, gate in enumerate(gates):
        await exchange.chunk(2 + number)
        assert exchange.chunks[2:] == [b"%d" % n for n in range(number + 1)]
        gate.set()
    await exchange.end()
    assert exchange.prelude == {
        "statusCode": 200,
        "headers": {"content-type": "text/event-stream"},
        "cookies": [],
    }
    assert exchange.is_complete and exchange.trailers == {}
    assert {
        "lambda-runtime-function-response-mode": "streaming",
        "transfer-encoding": "chunked",
        "content-type": "application/vnd.awslambda.http-integration-response",
        "trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    }.items() <= exchange.request_headers.items()


async def test_a_slow_reader_slows_the_application_down(runtime_api, start_loop, function_url):
    sent = 0

    async def app(scope, receive, send):
        nonlocal sent
        await send(EVENT_STREAM)
        for _ in range(200):
            await send(body(b"x" * 1_000_000))
            sent += 1

    start_loop(app)
    exchange = runtime_api.enqueue(function_url(), stall_after=3, deadline_in=0.6)
    await exchange.chunk(2)
    for _ in range(100):
        await asyncio.sleep(0)
    assert sent < 30


async def test_the_application_can_end_by_itself_before_it_is_cancelled(runtime_api, start_loop, function_url):
    seen: dict[str, Any] = {}

    async def app(scope, receive, send):
        seen.update(scope["extensions"]["aws.lambda"], remaining=scope["aws.context"].get_remaining_time_in_millis())
        await send(EVENT_STREAM)
        await send(body(b"data: mine\n\n", more=False))

    start_loop(app, margin=1.0)
    exchange = await runtime_api.enqueue(function_url(), deadline_in=20).end()
    assert exchange.streamed_body == b"data: mine\n\n" and exchange.trailers == {}
    assert seen["deadline_ms"] == exchange.deadline_ms
    assert seen["cancel_at_ms"] == exchange.deadline_ms - 1000
    assert 15_000 < seen["remaining"] <= 20_000


async def test_the_last_words_that_the_application_left_are_sent(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        scope["extensions"]["aws.lambda"]["abort_body"] = b"data: last words\n\n"
        await send(EVENT_STREAM)
        await send(body(b"1"))
        raise ValueError

    start_loop(app)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.chunks[2:] == [b"1", b"data: last words\n\n"]


async def test_a_failure_before_the_start_is_a_clean_500(runtime_api, start_loop, function_url, capsys):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nset-cookie: evil=1")]})

    start_loop(app)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.prelude["statusCode"] == 500 and exchange.trailers == {}
    assert exchange.prelude["headers"]["content-type"] == "application/json"
    assert json.loads(exchange.streamed_body)["error"]["code"] == "internal_error"
    assert problems(capsys)[0]["errorType"] == "AppProtocolError"


async def test_a_deadline_before_the_start_is_a_504(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        await asyncio.Event().wait()

    start_loop(app, margin=0.2)
    exchange = await runtime_api.enqueue(function_url(), deadline_in=0.4).end()
    assert exchange.prelude["statusCode"] == 504


@pytest.mark.parametrize("messages", [[], [EVENT_STREAM]])
async def test_returning_without_a_response_is_a_500(runtime_api, start_loop, function_url, messages):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    start_loop(app)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.prelude["statusCode"] == 500


async def test_returning_in_the_middle_is_told_in_trailers(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        await send(body(b"1"))

    start_loop(app)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.trailers["lambda-runtime-function-error-type"] == "Runtime.IncompleteResponse"


async def test_an_error_after_the_end_leaves_the_response_alone(runtime_api, start_loop, function_url, capsys):
    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        await send(body(b"all", more=False))
        raise ValueError

    start_loop(app)
    exchange = await runtime_api.enqueue(function_url()).end()
    following = await runtime_api.enqueue(function_url()).end()
    assert exchange.streamed_body == following.streamed_body == b"all" and exchange.trailers == {}
    assert problems(capsys)[0]["errorType"] == "ValueError"


async def test_a_response_refused_in_the_middle_stops_the_application(runtime_api, start_loop, function_url, capsys):
    stopped = asyncio.Event()

    async def app(scope, receive, send):
        await send(EVENT_STREAM)
        try:
            while True:
                await send(body(b"x"))
                await asyncio.sleep(0)
        except OSError:
            stopped.set()
            raise

    loop_task = start_loop(app)
    exchange = runtime_api.enqueue(function_url(), answer_status=413, answer_after=4)
    await exchange.chunk(3)
    await asyncio.wait_for(stopped.wait(), 30)
    following = runtime_api.enqueue(function_url(), answer_status=500, answer_after=4)
    await following.chunk(3)
    # 500 is the Runtime API's word for a sandbox beyond repair.
    with pytest.raises(RuntimeApiRefusedError):
        await asyncio.wait_for(loop_task, 30)
    assert {"status": 413}.items() <= problems(capsys)[1].items()


async def test_a_head_request_gets_a_head(runtime_api, start_loop, function_url):
    start_loop(two_part_app())
    exchange = await runtime_api.enqueue(function_url(method="HEAD")).end()
    assert exchange.prelude["statusCode"] == 200 and exchange.streamed_body == b""


async def test_other_events_get_mangums_buffered_answer(runtime_api, start_loop, function_url):
    start_loop(two_part_app())
    event = function_url()
    event["requestContext"]["domainName"] = "localhost"
    exchange = await runtime_api.enqueue(event).end()
    assert "transfer-encoding" not in exchange.request_headers
    document = json.loads(exchange.body)
    assert document["statusCode"] == 200 and document["body"] == "first\nlast\n"


@pytest.mark.parametrize(("margin", "status"), [(0.2, 504), (0.0, 504)])
async def test_a_buffered_answer_meets_its_deadline_too(runtime_api, start_loop, function_url, margin, status):
    start_loop(silent_app, form=ResponseForm.BUFFERED, margin=margin)
    exchange = await runtime_api.enqueue(function_url(), deadline_in=0.4).end()
    assert json.loads(exchange.body)["statusCode"] == status


async def test_a_buffered_failure_is_a_500(runtime_api, start_loop, function_url):
    start_loop(two_part_app(fails=True), form=ResponseForm.BUFFERED)
    document = json.loads((await runtime_api.enqueue(function_url()).end()).body)
    assert document["statusCode"] == 500 and "first" not in document["body"]


@pytest.mark.parametrize("event", [b"{", b'"hello"', {"source": "aws.scheduler"}])
async def test_what_is_no_request_is_an_invocation_error(runtime_api, start_loop, event):
    start_loop(two_part_app())
    exchange = await runtime_api.enqueue(event).end()
    assert exchange.path.endswith("/error")
    assert json.loads(exchange.body)["errorType"] == "Runtime.UnsupportedEvent"


async def test_requests_share_the_startup_state_and_each_gets_a_copy(runtime_api, start_loop, function_url):
    seen: list[Any] = []
    pool = object()

    async def app(scope, receive, send):
        seen.append(dict(scope["state"]))
        scope["state"]["mine"] = 1
        await send(EVENT_STREAM)
        await send(body(b"", more=False))

    start_loop(app, state={"pool": pool})
    await runtime_api.enqueue(function_url()).end()
    await runtime_api.enqueue(function_url()).end()
    assert seen == [{"pool": pool}, {"pool": pool}]


async def test_mangums_excluded_headers_are_not_streamed(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        headers = [(b"X-Internal", b"1"), (b"x-public", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(body(b"", more=False))

    start_loop(Mangum(app, exclude_headers=["X-Internal"]))
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.prelude["headers"] == {"x-public": "2"}


async def test_an_adapter_of_the_applications_own_that_fails_is_an_invocation_error(
    runtime_api, start_loop, function_url, capsys
):
    class Failing(HTTPGateway):
        def __call__(self, response: Any) -> Any:
            raise KeyError("sk-secret")

    start_loop(Mangum(two_part_app(), custom_handlers=[Failing]), form=ResponseForm.BUFFERED)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.path.endswith("/error") and json.loads(exchange.body)["errorType"] == "KeyError"
    assert "secret" not in exchange.body.decode() + capsys.readouterr().err


async def test_an_application_that_raises_before_it_is_awaited_is_a_500(runtime_api, start_loop, function_url):
    def app(scope: Any, receive: Any, send: Any) -> Any:
        raise ValueError

    start_loop(app)
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.prelude["statusCode"] == 500
