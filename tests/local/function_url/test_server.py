from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from local.function_url import Cors, FunctionUrl, InvocationOutcome


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (the condition is another process's)
            await asyncio.sleep(0.01)


def process_state(pid: int) -> str:
    """`T` is stopped; empty is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def gated(url: FunctionUrl, folder: Path, count: int) -> str:
    """The address of an answer of so many lines; all but the first wait for their file in the folder."""
    return f"{url.url}/gated?{urlencode({'gate': folder, 'count': count})}"


async def get(url: FunctionUrl, path: str, **arguments) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.request(arguments.pop("method", "GET"), url.url + path, **arguments)


async def test_the_function_sees_a_function_url_event_and_lambdas_environment(serve):
    url, asked = await serve(), time.time()
    reply = await get(url, "/echo?a=1&a=2&b=", headers=[("X-A", "1"), ("X-A", "2"), ("Cookie", "c=1; d=2")])
    seen = reply.json()
    event, context = seen["event"], seen["event"]["requestContext"]
    assert reply.status_code == 200
    assert event["rawQueryString"] == "a=1&a=2&b="
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["headers"]["x-a"] == "1,2" or event["headers"]["x-a"] == "1, 2"
    assert event["cookies"] == ["c=1", "d=2"]
    assert context["domainName"].endswith(".lambda-url.us-east-1.on.aws") == context["domainName"].startswith("local")
    assert context["http"]["method"] == "GET"
    assert seen["headers"]["lambda-runtime-trace-id"] == reply.headers["x-amzn-trace-id"]
    assert seen["headers"]["lambda-runtime-aws-request-id"] == reply.headers["x-amzn-requestid"]
    assert asked - 1 < int(seen["headers"]["lambda-runtime-deadline-ms"]) / 1000 - 300 < time.time() + 1
    assert seen["env"]["OWN"] == "1"
    assert seen["env"]["_HANDLER"] == "app.handler"
    assert "HOME" not in seen["env"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 60, 63, 65, 70, 1000])
async def test_the_prelude_is_found_however_it_was_cut(serve, size):
    reply = await get(await serve(), f"/pieces?size={size}")
    assert (reply.status_code, reply.text, reply.headers["x-a"]) == (202, "body", "1")
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert reply.headers["transfer-encoding"] == "chunked"


async def test_pieces_arrive_while_the_function_still_writes(serve, tmp_path):
    """The function writes a line only once the one before has arrived."""
    url = await serve()
    arrived = []
    async with httpx.AsyncClient(timeout=60) as client, client.stream("GET", gated(url, tmp_path, 10)) as reply:
        async for line in reply.aiter_lines():
            arrived.append(line)
            (tmp_path / str(len(arrived))).touch()
    assert arrived == [str(index) for index in range(10)]


async def test_buffered_answers_are_decoded(serve):
    reply = await get(await serve(), "/buffered")
    assert (reply.status_code, reply.content, reply.headers["x-a"]) == (201, b"\x00\xff", "1")
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_a_stream_without_the_integration_type_is_the_body(serve):
    reply = await get(await serve(), "/raw")
    assert (reply.status_code, reply.text, reply.headers["content-type"]) == (200, "raw", "text/x-raw")


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/error", InvocationOutcome.ERROR),
        ("/garbage", InvocationOutcome.ERROR),
        ("/say?end=1&prelude={nope", InvocationOutcome.ERROR),
        ('/say?end=1&prelude={"headers":{"x-a":"1%5Cr%5Cnx-b: 2"}}', InvocationOutcome.ERROR),
        ("/say?prelude={}", InvocationOutcome.ERROR),
        ("/silent", InvocationOutcome.ERROR),
        ("/bad-mode", InvocationOutcome.ERROR),
        ("/exit", InvocationOutcome.CRASHED),
        ("/hang", InvocationOutcome.TIMEOUT),
    ],
)
async def test_a_failure_before_the_answer_is_a_502_and_the_url_goes_on(serve, path, outcome):
    url = await serve(timeout_seconds=2 if path == "/hang" else 300, sandboxes=1)
    reply = await get(url, path)
    assert (reply.status_code, reply.json()) == (502, {"message": "Internal Server Error"})
    await until(lambda: len(url.reports) == 1)  # the place of the sandbox is free
    url.function = replace(url.function, timeout_seconds=300)
    assert (await get(url, "/raw")).text == "raw"
    await until(lambda: len(url.reports) == 2)
    assert [report.outcome for report in url.reports] == [outcome, InvocationOutcome.SUCCESS]


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/trailer", InvocationOutcome.ERROR),
        ("/stop-in-stream?exit=1", InvocationOutcome.CRASHED),
        ("/stop-in-stream", InvocationOutcome.TIMEOUT),
        (f"/big?bytes={200 * 1024 * 1024 + 1}", InvocationOutcome.TOO_LARGE),
    ],
)
async def test_a_failure_in_mid_stream_cuts_the_connection(serve, path, outcome):
    url = await serve(timeout_seconds=3 if path == "/stop-in-stream" else 300, sandboxes=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await get(url, path)
    await until(lambda: len(url.reports) == 1)
    url.function = replace(url.function, timeout_seconds=300)
    assert (await get(url, "/raw")).text == "raw"
    await until(lambda: len(url.reports) == 2)
    assert [report.outcome for report in url.reports] == [outcome, InvocationOutcome.SUCCESS]


async def test_a_sandbox_killed_in_mid_stream_gives_the_client_an_error_at_once(serve):
    url = await serve(sandboxes=1)
    async with httpx.AsyncClient() as client, client.stream("GET", url.url + "/stop-in-stream") as reply:
        pieces = reply.aiter_raw()
        assert await anext(pieces) == b"partial"
        os.kill(url.sandboxes[0].pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await anext(pieces)
    await until(lambda: len(url.reports) == 1)
    assert (await get(url, "/raw")).text == "raw"
    assert url.reports[0].outcome is InvocationOutcome.CRASHED


async def test_sandboxes_are_frozen_between_invocations_and_the_same_one_is_thawed(serve):
    url = await serve()
    started = time.monotonic()
    first = (await get(url, "/echo")).json()
    await until(lambda: url.sandboxes[0].is_frozen)
    await until(lambda: process_state(first["pid"]) == "T")
    awake = time.monotonic() - started
    await asyncio.sleep(0.3)
    started = time.monotonic()
    second = (await get(url, "/echo")).json()
    awake += time.monotonic() - started
    assert second["pid"] == first["pid"]
    # Awake it ticks every 5 ms; in the 300 ms it would have ticked some 60 times.
    assert second["ticks"] - first["ticks"] <= awake / 0.005 + 10
    await until(lambda: len(url.reports) == 2)
    assert [report.init_ms is None for report in url.reports] == [False, True]


async def test_a_frozen_sandbox_that_dies_is_replaced(serve):
    url = await serve(sandboxes=1)
    first = (await get(url, "/echo")).json()["pid"]
    await until(lambda: url.sandboxes and url.sandboxes[0].is_frozen)
    os.kill(first, signal.SIGKILL)
    await until(lambda: not url.sandboxes)
    assert (await get(url, "/echo")).json()["pid"] != first


async def test_one_request_per_sandbox_and_429_when_all_are_busy(serve, tmp_path):
    url = await serve(sandboxes=2)
    async with httpx.AsyncClient(timeout=60) as client, asyncio.TaskGroup() as tasks:
        slow = [tasks.create_task(client.get(gated(url, tmp_path, 2))) for _ in range(2)]
        await until(lambda: len(url.sandboxes) == 2 and not any(one.is_frozen for one in url.sandboxes))
        refused = await get(url, "/raw")
        (tmp_path / "1").touch()
    assert (refused.status_code, refused.json()) == (429, {"message": "Rate Exceeded."})
    assert [task.result().text for task in slow] == ["0\n1\n", "0\n1\n"]
    await until(lambda: len(url.reports) == 2)
    assert len({report.pid for report in url.reports}) == 2


async def test_one_after_another_needs_only_one_sandbox(serve, monkeypatch):
    # However busy this machine is, a sandbox that is about to poll is waited for.
    monkeypatch.setattr("local.function_url.server._FINISHING_SECONDS", 20)
    url = await serve(sandboxes=4)
    async with httpx.AsyncClient() as client:
        for _ in range(20):
            assert (await client.get(url.url + "/raw")).text == "raw"
    assert len({report.pid for report in url.reports}) == 1


@pytest.mark.parametrize("size", [6_000_000, 7_000_000])
async def test_events_over_6_mb_are_refused_before_the_function(serve, size):
    url = await serve()
    reply = await get(url, "/raw", method="POST", content=b"x" * size, headers={"content-type": "text/plain"})
    assert reply.status_code == (200 if size == 6_000_000 else 413)
    assert len(url.sandboxes) == (1 if size == 6_000_000 else 0)


@pytest.mark.parametrize("init", ["exit", "hang", "error"])
async def test_a_failed_init_is_a_502_and_leaves_nothing(serve, init):
    url = await serve(environment={"FAKE_INIT": init}, init_timeout_seconds=0.5 if init == "hang" else 10)
    assert (await get(url, "/raw")).status_code == 502
    assert not url.sandboxes


async def test_a_client_that_leaves_does_not_stop_the_function(serve, tmp_path):
    url = await serve(sandboxes=1)
    async with httpx.AsyncClient(timeout=60) as client, client.stream("GET", gated(url, tmp_path, 2)) as reply:
        await anext(reply.aiter_raw())
    assert not url.reports
    (tmp_path / "1").touch()
    await until(lambda: url.reports)
    assert url.reports[0].outcome is InvocationOutcome.SUCCESS


async def test_a_client_that_does_not_read_makes_the_function_wait_and_then_gets_everything(serve):
    url = await serve(sandboxes=1)
    size = 50 * 1024 * 1024
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port, limit=2**16)
    writer.write(f"GET /big?bytes={size} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.2)
    assert not url.reports, "the function finished although nobody read"
    received = len(await asyncio.wait_for(reader.read(), 20))
    writer.close()
    await writer.wait_closed()
    assert received > size
    await until(lambda: url.reports)


async def test_head_and_keep_alive_and_http_1_0(serve):
    url = await serve()
    async with httpx.AsyncClient() as client:
        assert (await client.head(url.url + "/pieces?size=9")).status_code == 202
        assert (await client.get(url.url + "/raw")).text == "raw"
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(b"GET /raw HTTP/1.0\r\n\r\n")
    reply = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    assert b"chunked" not in reply.lower()
    assert reply.endswith(b"\r\n\r\nraw")


async def test_pipelined_requests_are_answered_in_order(serve):
    url = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    request = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(request % b"/gated?count=1" + request % b"/raw" + request % b"/raw")
    received = b""
    while received.count(b"0\r\n\r\n") < 3:
        received += await asyncio.wait_for(reader.read(65536), 30)
    writer.close()
    await writer.wait_closed()
    assert received.count(b"raw") >= 2


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x00\xa5\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
async def test_bytes_that_are_not_http_are_refused(serve, garbage):
    url = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(garbage)
    reply = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    assert reply.startswith(b"HTTP/1.1 400")


async def test_a_body_announced_with_expect_is_asked_for(serve):
    url = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(b"POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30) == b"HTTP/1.1 100 \r\n\r\n"
    writer.write(b"hi")
    assert (await asyncio.wait_for(reader.readline(), 30)).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def test_preflights_are_answered_without_the_function_and_answers_get_headers(serve):
    cors = Cors(allow_origins=["*"], allow_methods=["*"], allow_headers=["*", "authorization"], max_age_seconds=60)
    url = await serve(cors=cors)
    headers = {"origin": "https://a.example", "access-control-request-method": "POST"}
    preflight = await get(
        url, "/echo", method="OPTIONS", headers=headers | {"access-control-request-headers": "authorization, x-b"}
    )
    assert (preflight.status_code, preflight.headers["access-control-allow-headers"]) == (200, "authorization,x-b")
    assert not url.sandboxes
    assert (await get(url, "/raw", headers=headers)).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in (await get(url, "/raw")).headers


async def test_reports_and_the_log_read_like_lambdas(serve, tmp_path):
    url = await serve()
    await get(url, "/raw")
    await until(lambda: url.reports)
    report = url.reports[0]
    assert report.billed_ms >= report.duration_ms + (report.init_ms or 0)
    assert report.max_memory_mb is None or report.max_memory_mb > 3
    log = (tmp_path / "function.log").read_text()
    assert f"START RequestId: {report.request_id}" in log
    assert "Init Duration:" in log


async def test_closing_leaves_no_process_behind_not_even_a_busy_or_frozen_one(serve):
    url = await serve(sandboxes=2)
    await get(url, "/raw")
    async with httpx.AsyncClient() as client:
        streams = [asyncio.create_task(client.get(url.url + "/stop-in-stream")) for _ in range(1)]
        await until(lambda: len(url.sandboxes) == 1 and not url.sandboxes[0].is_frozen)
        other = asyncio.create_task(client.get(url.url + "/raw"))
        await other
        pids = [sandbox.pid for sandbox in url.sandboxes]
        await url.close()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await streams[0]
    assert len(pids) == 2
    assert all(process_state(pid) == "" for pid in pids)
    assert not url.sandboxes


async def test_closing_cuts_an_answer_without_a_warning(serve, caplog, tmp_path):
    """Who ends the URL knows that; what breaks by itself is still warned of. The log has the invocation's end."""
    url = await serve(sandboxes=1)
    async with httpx.AsyncClient() as client, client.stream("GET", url.url + "/stop-in-stream") as reply:
        pieces = reply.aiter_raw()
        assert await anext(pieces) == b"partial"
        await url.close()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await anext(pieces)
    assert not caplog.records
    report = (tmp_path / "function.log").read_text().splitlines()[-1]
    assert report.startswith("REPORT RequestId:") and report.endswith("Status: error")


async def test_a_full_disk_costs_lines_of_the_log_and_no_answer(serve):
    url = await serve(log=Path("/dev/full"))
    for _ in range(2):
        assert (await get(url, "/echo")).status_code == 200


async def test_closing_right_after_an_answer_reports_a_success(serve, tmp_path):
    url = await serve(sandboxes=1)
    await get(url, "/raw")
    await url.close()
    log = (tmp_path / "function.log").read_text()
    assert log.count("REPORT RequestId:") == 1 and "Init Duration:" in log and "Status:" not in log


async def test_a_taken_port_is_an_error_with_its_number(serve):
    url = await serve()
    with pytest.raises(OSError, match=str(url.port)) as caught:
        await serve(port=url.port)
    assert caught.value.errno == errno.EADDRINUSE
