"""The runtime under AWS's own Runtime Interface Emulator, which the SAM CLI ships."""

import asyncio
import contextlib
import os
import platform
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.rie

WRAPPER = Path(__file__).parents[2] / "layers" / "streaming_runtime" / "streaming-runtime"
SHIPPED_AT = "samcli/local/rapid"
NAMES = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}

SAMPLE = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(3):
        await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % number, "more_body": True})
    if scope["path"] == "/fail":
        raise ValueError
    await send({"type": "http.response.body", "body": b"", "more_body": False})
"""


def find_emulator() -> Path | None:
    """The binary: named by LAMBDA_RIE, beside the `sam` on PATH, or in the prepared machine's cache."""
    if named := os.environ.get("LAMBDA_RIE"):
        return Path(named)
    name = NAMES.get(platform.machine(), "none")
    environments = [Path(os.environ.get("SAM_LOCAL_CACHE") or "/var/cache/sam-local-machine") / "sam"]
    if sam := shutil.which("sam"):
        environments.insert(0, Path(sam).resolve().parents[1])
    for environment in environments:
        for found in environment.glob(f"lib/python3*/site-packages/{SHIPPED_AT}/{name}"):
            return found
    return None


@pytest.fixture
async def invoke(tmp_path: Path, unused_tcp_port_factory: Any) -> AsyncIterator[Any]:
    """An emulator with the sample application; call it with an event, get its raw answer."""
    binary = find_emulator()
    if binary is None:
        pytest.skip("no Runtime Interface Emulator: install the SAM CLI, or name the binary in LAMBDA_RIE")
    emulator = tmp_path / "rie"
    # Inside the package it is not executable.
    shutil.copy(binary, emulator)
    emulator.chmod(0o755)
    (tmp_path / "sample_app.py").write_text(SAMPLE)
    port = unused_tcp_port_factory()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(emulator, "--log-level", "info", "--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{unused_tcp_port_factory()}", WRAPPER, sys.executable),
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "_HANDLER": "sample_app.app", "LAMBDA_TASK_ROOT": str(tmp_path)},
        )
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:

        async def invoke(event: dict[str, Any]) -> tuple[bytes, str]:
            for _ in range(100):
                with contextlib.suppress(httpx.ConnectError):
                    answer = await client.post(url, json=event)
                    return answer.content, log.read_text()
                await asyncio.sleep(0.05)
            raise AssertionError(f"the emulator does not answer: {log.read_text()}")

        yield invoke
    # The emulator and the runtime are a session of their own.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def test_a_streamed_response_succeeds(invoke, function_url):
    raw, log = await invoke(function_url())
    # The emulator hands the stream over buffered, prelude and separator included.
    prelude, _, streamed = raw.partition(bytes(8))
    assert prelude == b'{"statusCode":200,"headers":{"content-type":"text/event-stream"},"cookies":[]}'
    assert streamed == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert re.search(r"INVOKE RTDONE\(status: success", log)


async def test_several_invocations_of_every_kind_are_served(invoke, function_url):
    local = function_url()
    local["requestContext"]["domainName"] = "localhost"
    assert b'"statusCode": 200' in (await invoke(local))[0]
    assert b"Runtime.UnsupportedEvent" in (await invoke({"source": "aws.scheduler"}))[0]
    assert b"event: error" in (await invoke(function_url("/fail")))[0]
    assert bytes(8) in (await invoke(function_url()))[0]
