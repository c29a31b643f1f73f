"""The life of a sandbox as a process of its own, started by the wrapper script."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

WRAPPER = Path(__file__).parents[2] / "layers" / "streaming_runtime" / "streaming-runtime"

SAMPLE = """
import asyncio, os, sys
print("imported")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["count"] = [0]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    scope["state"]["count"][0] += 1
    trace, context = os.environ.get("_X_AMZN_TRACE_ID"), scope["aws.context"]
    body = f'{scope["state"]["count"][0]} {trace} {context.function_name}'
    if scope["path"] == "/loop":
        body = type(asyncio.get_running_loop()).__module__
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode(), "more_body": True})
    while scope["path"] == "/flood":
        await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
    if scope["path"] == "/wait":
        try:
            await asyncio.Event().wait()
        finally:
            print("cleaned up")
    await send({"type": "http.response.body", "body": b"", "more_body": False})

async def refusing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})

async def hanging(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.Event().wait()

async def leaky(scope, receive, send):
    if scope["type"] == "lifespan":
        return await app(scope, receive, send)
    async def fail(text):
        raise ValueError(text)
    def call_back(text):
        raise ValueError(text)
    loop = asyncio.get_running_loop()
    loop.call_soon(call_back, "private")
    task = loop.create_task(fail("private"), name="private")
    await asyncio.wait({task})
    del task
    await app(scope, receive, send)

async def exiting(scope, receive, send):
    # From a task or a callback of its own, the end of the process comes out of the event loop.
    if scope["type"] == "lifespan":
        return await app(scope, receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    loop = asyncio.get_running_loop()
    if scope["path"] == "/callback":
        loop.call_soon(sys.exit, 4)
    else:
        async def end():
            sys.exit(4)
        task = loop.create_task(end())
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")

async def exiting_at_start(scope, receive, send):
    asyncio.get_running_loop().call_soon(sys.exit, 5)
    await asyncio.Event().wait()

async def greedy(scope, receive, send):
    if scope["type"] == "lifespan":
        return await app(scope, receive, send)
    raise MemoryError

def extend():
    # An internal extension: a thread of the process that speaks to the Extensions API.
    import http.client, json
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    name = {"Lambda-Extension-Name": "sample", "Content-Type": "application/json"}
    api.request("POST", "/2020-01-01/extension/register", json.dumps({"events": []}), name)
    with api.getresponse() as registered:
        registered.read()
        identifier = registered.headers["Lambda-Extension-Identifier"]
    api.request("GET", "/2020-01-01/extension/event/next", headers={"Lambda-Extension-Identifier": identifier})
    api.getresponse()

async def extended(scope, receive, send):
    if scope["type"] == "lifespan":
        import threading
        threading.Thread(target=extend, daemon=True).start()
    await app(scope, receive, send)

async def noisy(scope, receive, send):
    if scope["type"] == "lifespan":
        return await app(scope, receive, send)
    import threading, logging
    thread = threading.Thread(target=logging.getLogger("thread").warning, args=("from a thread",))
    thread.start()
    thread.join()
    await app(scope, receive, send)

def plain(event, context): ...
"""

Process = asyncio.subprocess.Process
StartSandbox = Callable[..., Awaitable[Process]]


@pytest.fixture(params=["asyncio", "uvloop"])
async def start_sandbox(
    request: pytest.FixtureRequest, runtime_api: Any, tmp_path: Path
) -> AsyncIterator[StartSandbox]:
    """Start a sandbox with the sample application on either loop, with nothing else in its environment."""
    pytest.importorskip(request.param, reason="a test dependency without a wheel for every machine")
    (tmp_path / "sample_app.py").write_text(SAMPLE)
    processes: list[Process] = []

    async def start(handler: str = "sample_app.app", **environ: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            WRAPPER,
            sys.executable,
            "/var/runtime/bootstrap.py",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "AWS_LAMBDA_RUNTIME_API": runtime_api.address.authority,
                "AWS_LAMBDA_FUNCTION_NAME": "sample",
                "LAMBDA_TASK_ROOT": str(tmp_path),
                "_HANDLER": handler,
                "STREAMING_RUNTIME_LOOP": request.param,
                **environ,
            },
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def outcome(process: Process) -> tuple[int | None, str, list[dict[str, Any]]]:
    """Exit status, standard output, and the lines of the runtime's own log."""
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, out.decode(), [json.loads(line) for line in err.splitlines()]


async def test_the_application_starts_once_and_serves_many(runtime_api, start_sandbox, function_url):
    process = await start_sandbox()
    for number, trace in enumerate(("Root=1-a", "", "Root=1-b"), 1):
        headers = {"Lambda-Runtime-Trace-Id": trace} if trace else {}
        exchange = await runtime_api.enqueue(function_url(), headers=headers).end()
        assert exchange.streamed_body.decode() == f"{number} {trace or None} sample"
    process.send_signal(signal.SIGTERM)
    assert await outcome(process) == (0, "imported\nshut down\n", [])


async def test_the_application_runs_on_the_loop_of_the_setting(runtime_api, start_sandbox, function_url, request):
    await start_sandbox()
    exchange = await runtime_api.enqueue(function_url("/loop")).end()
    wanted = request.node.callspec.params["start_sandbox"]
    assert exchange.streamed_body.decode().partition(".")[0] == wanted


@pytest.mark.parametrize("fault", [{"break_after": 40}, {"stall_after": 3, "deadline_in": 1.0}])
async def test_a_reader_that_leaves_or_stalls_costs_one_response(runtime_api, start_sandbox, function_url, fault):
    await start_sandbox(STREAMING_RUNTIME_DEADLINE_MARGIN_MS="200")
    # The deadline counts from here.
    await runtime_api.asked()
    runtime_api.enqueue(function_url("/flood"), **fault)
    following = await runtime_api.enqueue(function_url()).end()
    assert following.streamed_body.startswith(b"2 ") and following.is_complete


async def test_what_is_printed_is_out_before_the_sandbox_freezes(runtime_api, start_sandbox, function_url):
    process = await start_sandbox()
    assert await asyncio.wait_for(process.stdout.readline(), 10) == b"imported\n"


async def test_a_frozen_sandbox_goes_on_after_its_connection_was_dropped(runtime_api, start_sandbox, function_url):
    process = await start_sandbox()
    await runtime_api.enqueue(function_url()).end()
    process.send_signal(signal.SIGSTOP)
    runtime_api.enqueue_raw(None)
    exchange = runtime_api.enqueue(function_url())
    process.send_signal(signal.SIGCONT)
    await exchange.end()
    assert exchange.streamed_body.startswith(b"2 ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_in_the_middle_ends_request_and_lifespan(runtime_api, start_sandbox, function_url, number):
    process = await start_sandbox()
    exchange = runtime_api.enqueue(function_url("/wait"))
    await exchange.chunk(2)
    process.send_signal(number)
    await exchange.end()
    assert exchange.trailers["lambda-runtime-function-error-type"] == "Runtime.Shutdown"
    status, out, _ = await outcome(process)
    assert (status, out) == (0, "imported\ncleaned up\nshut down\n")


async def test_a_lifespan_that_hangs_does_not_keep_the_process(runtime_api, start_sandbox):
    process = await start_sandbox("sample_app.hanging", STREAMING_RUNTIME_SHUTDOWN_MS="50")
    await runtime_api.asked()
    process.send_signal(signal.SIGTERM)
    status, _, problems = await outcome(process)
    assert status == 0 and problems[0]["message"] == "lifespan.shutdown_timed_out"


async def test_errors_that_nobody_awaits_are_logged_as_asyncio_does(runtime_api, start_sandbox, function_url):
    process = await start_sandbox("sample_app.leaky")
    exchange = await runtime_api.enqueue(function_url()).end()
    process.send_signal(signal.SIGTERM)
    status, out, problems = await outcome(process)
    assert (status, problems) == (0, [])
    errors = [line for line in out.splitlines() if line.startswith("[ERROR]\t")]
    assert len(errors) == 2 and out.count("ValueError: private") == 2
    assert errors[0].split("\t")[2] == exchange.request_id


async def test_errors_that_nobody_awaits_are_logged_without_their_text_where_that_is_hidden(
    runtime_api, start_sandbox, function_url
):
    process = await start_sandbox("sample_app.leaky", STREAMING_RUNTIME_EXCEPTIONS="hide")
    await runtime_api.enqueue(function_url()).end()
    process.send_signal(signal.SIGTERM)
    status, out, problems = await outcome(process)
    assert status == 0 and [line["message"] for line in problems] == ["loop.error", "loop.error"]
    assert {line["errorType"] for line in problems} == {"ValueError"} and all(line["stack"] for line in problems)
    assert "private" not in json.dumps(problems) + out


INIT_FAILURES = [
    ("", "Runtime.MalformedHandlerName", "_HANDLER"),
    ("no_such_module.app", "Runtime.ImportModuleError", "no_such_module"),
    ("sample_app.missing", "Runtime.HandlerNotFound", "missing"),
    ("sample_app.plain", "Runtime.HandlerNotAsgi", "unset AWS_LAMBDA_EXEC_WRAPPER"),
    ("sample_app.refusing", "Runtime.StartupFailed", "no database"),
]


@pytest.mark.parametrize(("handler", "error_type", "text"), INIT_FAILURES)
async def test_an_init_failure_is_reported_and_ends_the_process(
    runtime_api, start_sandbox, handler: str, error_type: str, text: str
):
    status, out, problems = await outcome(await start_sandbox(handler))
    assert (status, problems) == (1, [])
    ((headers, document),) = runtime_api.init_errors
    assert headers["lambda-runtime-function-error-type"] == error_type == document["errorType"]
    assert headers["lambda-runtime-function-xray-error-cause"]
    assert text in document["errorMessage"] and f"[ERROR] {error_type}: {document['errorMessage']}" in out


@pytest.mark.parametrize(("handler", "error_type", "text"), INIT_FAILURES[1:2])
async def test_an_init_failure_is_a_line_of_json_where_exceptions_are_hidden(
    runtime_api, start_sandbox, handler: str, error_type: str, text: str
):
    status, _, problems = await outcome(await start_sandbox(handler, STREAMING_RUNTIME_EXCEPTIONS="hide"))
    assert status == 1
    ((_, document),) = runtime_api.init_errors
    assert text in document["errorMessage"] == problems[0]["reason"]


@pytest.mark.parametrize("path", ["/callback", "/task"])
async def test_an_exit_from_outside_of_the_request_tells_the_caller_and_keeps_its_status(
    runtime_api, start_sandbox, function_url, path
):
    process = await start_sandbox("sample_app.exiting")
    exchange = await runtime_api.enqueue(function_url(path)).end()
    assert exchange.streamed_body.startswith(b"first")
    assert exchange.trailers["lambda-runtime-function-error-type"] == "Runtime.ExitError"
    status, out, problems = await outcome(process)
    # asyncio may add that nobody has read the task's exception.
    assert status == 4 and out.startswith("imported\ncleaned up\n") and "shut down\n" in out
    assert problems[-1]["message"] == "runtime.stopped" and "SystemExit(4)" in problems[-1]["reason"]


async def test_an_exit_at_the_start_is_an_init_error_and_keeps_its_status(runtime_api, start_sandbox):
    status, _, _ = await outcome(await start_sandbox("sample_app.exiting_at_start"))
    ((_, document),) = runtime_api.init_errors
    assert status == 5 and document["errorType"] == "Runtime.ExitError" and "SystemExit(5)" in document["errorMessage"]


async def test_exhausted_memory_ends_the_process_with_a_report(runtime_api, start_sandbox, function_url):
    process = await start_sandbox("sample_app.greedy")
    exchange = await runtime_api.enqueue(function_url()).end()
    assert exchange.prelude["statusCode"] == 500
    status, out, problems = await outcome(process)
    assert status == 1 and "[ERROR] MemoryError\r" in out and out.endswith("shut down\n")
    assert problems[-1]["errorType"] == "Runtime.OutOfMemory"


async def test_what_other_threads_log_is_tagged_with_the_invocation(runtime_api, start_sandbox, function_url):
    process = await start_sandbox("sample_app.noisy")
    exchange = await runtime_api.enqueue(function_url()).end()
    process.send_signal(signal.SIGTERM)
    _, out, _ = await outcome(process)
    (line,) = [line for line in out.splitlines() if line.startswith("[WARNING]")]
    assert line.split("\t")[2:] == [exchange.request_id, "from a thread"]


async def test_an_internal_extension_works_beside_the_application(runtime_api, start_sandbox, function_url):
    process = await start_sandbox("sample_app.extended")
    while len(runtime_api.extensions) < 2:
        exchange = await runtime_api.enqueue(function_url()).end()
        assert exchange.streamed_body.endswith(b" None sample")
    assert runtime_api.extensions == ["sample", "id-of-the-extension"]
    process.send_signal(signal.SIGTERM)
    assert await outcome(process) == (0, "imported\nshut down\n", [])


async def test_a_bad_setting_is_an_init_failure(runtime_api, start_sandbox):
    process = await start_sandbox(STREAMING_RUNTIME_RESPONSE_FORM="loud")
    assert (await outcome(process))[0] == 1
    assert "STREAMING_RUNTIME_RESPONSE_FORM='loud'" in runtime_api.init_errors[0][1]["errorMessage"]


async def test_without_a_runtime_api_the_log_says_so(start_sandbox):
    status, _, problems = await outcome(await start_sandbox(AWS_LAMBDA_RUNTIME_API=""))
    assert status == 1 and "AWS_LAMBDA_RUNTIME_API" in problems[0]["reason"]


async def test_garbage_from_the_runtime_api_ends_the_process(runtime_api, start_sandbox):
    runtime_api.enqueue_raw(b"\x00\x01garbage\r\n\r\n")
    status, out, problems = await outcome(await start_sandbox())
    assert (status, out) == (1, "imported\nshut down\n")
    assert problems[0]["errorType"] == "RuntimeApiMalformedResponseError"
