"""Several invocations at once in one process: Lambda Managed Instances."""

import asyncio
import json
import logging
from typing import Any

import pytest

from streaming_runtime import log
from streaming_runtime.errors import AppStuckError

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def body(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Meeting:
    """An application whose requests wait for each other, which only works at once."""

    def __init__(self, size: int) -> None:
        self.barrier = asyncio.Barrier(size)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(scope["path"].encode()))
        await self.barrier.wait()
        logging.getLogger("sample").error(scope["path"])
        await send(body(b" met", more=False))


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The process's own, put right afterwards."""
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    return monkeypatch


async def test_as_many_run_at_once_as_lambda_says(runtime_api, start_loop, function_url, environ):
    start_loop(Meeting(3), concurrency=3)
    exchanges = [runtime_api.enqueue(function_url(f"/{number}")) for number in range(3)]
    for number, exchange in enumerate(exchanges):
        assert (await exchange.end()).streamed_body == b"/%d met" % number


async def test_no_more_are_fetched_than_lambda_says(runtime_api, start_loop, function_url):
    release = asyncio.Event()

    async def app(scope, receive, send):
        await send(START)
        await send(body(b"started"))
        await release.wait()
        await send(body(b"", more=False))

    start_loop(app, concurrency=2)
    exchanges = [runtime_api.enqueue(function_url()) for _ in range(3)]
    await exchanges[0].chunk(2)
    await exchanges[1].chunk(2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not exchanges[2].chunks
    release.set()
    await exchanges[2].end()


async def test_log_lines_are_tagged_with_their_own_invocation(runtime_api, start_loop, function_url, capsys, environ):
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        log.configure({"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        start_loop(Meeting(2), concurrency=2)
        exchanges = [runtime_api.enqueue(function_url(f"/{number}")) for number in range(2)]
        for exchange in exchanges:
            await exchange.end()
    finally:
        root.handlers = handlers
        log.configure({})
        root.handlers = handlers
    lines = {line["message"]: line["requestId"] for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines == {"/0": exchanges[0].request_id, "/1": exchanges[1].request_id}


async def test_the_trace_is_each_scopes_own_and_not_in_the_environment(runtime_api, start_loop, function_url, environ):
    import os

    seen = {}

    async def app(scope, receive, send):
        seen[scope["path"]] = (scope["extensions"]["aws.lambda"]["trace_id"], os.environ.get("_X_AMZN_TRACE_ID"))

    start_loop(app, concurrency=2)
    for name in ("a", "b"):
        await runtime_api.enqueue(function_url(f"/{name}"), headers={"Lambda-Runtime-Trace-Id": f"Root={name}"}).end()
    assert seen == {"/a": ("Root=a", None), "/b": ("Root=b", None)}


async def test_one_that_fails_leaves_the_others_alone(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        await send(START)
        await send(body(b"1"))
        if scope["path"] == "/fail":
            raise ValueError
        await release.wait()
        await send(body(b"2", more=False))

    release = asyncio.Event()
    start_loop(app, concurrency=2)
    good, bad = runtime_api.enqueue(function_url("/good")), runtime_api.enqueue(function_url("/fail"))
    assert (await bad.end()).trailers
    release.set()
    assert (await good.end()).streamed_body == b"12" and not good.trailers


async def test_one_that_is_stuck_ends_the_process_after_the_others_have_ended(runtime_api, start_loop, function_url):
    release, end_stuck = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        await send(START)
        await send(body(b"1"))
        if scope["path"] == "/good":
            await release.wait()
            await send(body(b"2", more=False))
            return
        while not end_stuck.is_set():
            try:
                await end_stuck.wait()
            except asyncio.CancelledError:
                continue

    loop_task = start_loop(app, concurrency=3, margin=0.2)
    good, stuck = runtime_api.enqueue(function_url("/good")), runtime_api.enqueue(function_url(), deadline_in=0.4)
    await stuck.end()
    assert not good.ended.is_set() and not loop_task.done()
    release.set()
    assert (await good.end()).streamed_body == b"12"
    with pytest.raises(AppStuckError):
        await asyncio.wait_for(loop_task, 30)
    end_stuck.set()


async def test_a_shutdown_tells_all_of_them(runtime_api, start_loop, function_url):
    async def app(scope, receive, send):
        await send(START)
        await send(body(b"1"))
        await asyncio.Event().wait()

    loop_task = start_loop(app, concurrency=4)
    exchanges = [runtime_api.enqueue(function_url()) for _ in range(3)]
    for exchange in exchanges:
        await exchange.chunk(2)
    loop_task.cancel()
    for exchange in exchanges:
        assert (await exchange.end()).trailers["lambda-runtime-function-error-type"] == "Runtime.Shutdown"
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(loop_task, 30)
