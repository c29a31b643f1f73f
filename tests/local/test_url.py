"""Anyone's ASGI application as a Function URL."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from local.__main__ import main
from local.function_url import Door, FunctionUrl, InvokeMode
from local.settings import ROOT
from local.url import UrlError, add_arguments, build_function

SAMPLE = """
import json, os

async def app(scope, receive, send):
    assert scope["type"] == "http"
    event = scope["aws.event"]
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = {"path": scope["path"], "query": scope["query_string"].decode(), "resource": event.get("resource"),
            "setting": os.environ.get("SETTING"), "pid": os.getpid(), "two": [v.decode() for k, v in scope["headers"]
            if k == b"x-two"], "body": (await receive())["body"].decode()}
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
"""
Serve = Callable[..., Awaitable[FunctionUrl]]


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Serves the sample with these options."""
    (tmp_path / "sample_app.py").write_text(SAMPLE)
    async with AsyncExitStack() as stack:

        async def serve(*arguments: str) -> FunctionUrl:
            log = str(tmp_path / "log")
            options = parse("sample_app:app", "--folder", str(tmp_path), "--log", log, *arguments)
            return await stack.enter_async_context(FunctionUrl(build_function(options)))

        yield serve


@pytest.mark.parametrize("door", [[], ["--rest"], ["--buffered"], ["--rest", "--buffered"]], ids=" ".join)
async def test_an_application_is_served_through_every_door(serve, door):
    url = await serve("--env", "SETTING=a=b", *door)
    async with httpx.AsyncClient(base_url=url.url, trust_env=False, timeout=20) as client:
        first = await client.post("/caf%C3%A9?tag=a&tag=b", content="text", headers=[("X-Two", "1"), ("X-Two", "2")])
        second = (await client.get("/")).json()
    answer = first.json()
    assert answer["path"] == "/café" and answer["query"] == "tag=a&tag=b" and answer["setting"] == "a=b"
    assert answer["resource"] == ("/{proxy+}" if "--rest" in door else None) and answer["body"] == "text"
    assert [value.replace(" ", "") for value in answer["two"]] == ["1,2"]
    assert first.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert second["pid"] == answer["pid"] and second["path"] == "/"


def test_the_options_describe_the_function(tmp_path):
    function = build_function(
        parse("pkg/main:app", "--folder", str(tmp_path), "--timeout", "3", "--memory", "256", "--rest", "--buffered")
    )
    assert function.handler == "pkg.main.app" and function.task_root == tmp_path.resolve()
    assert (function.timeout_seconds, function.memory_mb, function.door) == (3, 256, Door.REST_API)
    assert function.invoke_mode is InvokeMode.BUFFERED and ".execute-api." in function.domain


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["main.app"], "must be MODULE:APP"),
        (["main:"], "must be MODULE:APP"),
        (["main:app", "--env", "NAME"], "NAME=VALUE"),
        (["main:app", "--folder", "/no/such/folder"], "no folder"),
    ],
)
def test_what_is_wrong_is_said(arguments, text, capsys):
    with pytest.raises(UrlError, match=text):
        build_function(parse(*arguments))
    assert main(["url", *arguments]) == 1 and text in capsys.readouterr().err


async def test_the_command_serves_until_a_signal(tmp_path):
    (tmp_path / "sample_app.py").write_text(SAMPLE)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "url", "sample_app:app", "--folder", str(tmp_path), "--port", "0"),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answer = await client.get(line.split()[-1])
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert answer.json()["path"] == "/" and process.returncode == 0
    assert b"REPORT RequestId:" in err and b"Init Duration:" in err


async def test_a_port_that_is_taken_is_said(tmp_path):
    (tmp_path / "sample_app.py").write_text(SAMPLE)
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "url", "sample_app:app", "--folder", str(tmp_path), "--port", str(port)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1 and f"can't listen on 127.0.0.1:{port}" in err.decode()
    server.close()
    await server.wait_closed()
