"""Runs the streaming runtime under cargo-lambda's emulator of Lambda, unmodified, and prints a line for each check.

    python tests/conformance/cargo_lambda/run.py

`cargo lambda watch --only-lambda-apis` serves the Runtime API below a path, and invents deadlines; its URL's events
have the domain `localhost`, so the form of the answers is set.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parent), str(ROOT)]

import httpx  # noqa: E402
from environments import NotInstalled, PythonEnvironment  # noqa: E402

from local.ports import free_port  # noqa: E402

LAYER = ROOT / "layers" / "streaming_runtime"
EVENTS = ROOT / "tests" / "streaming_runtime" / "events"
NOT_INSTALLED = 2
START_SECONDS = 30.0
FUNCTION = "_"
"""The name that cargo-lambda gives a function that it does not build."""
failures = 0


def report(name: str, ok: bool, detail: object = "") -> None:
    """One line for a check."""
    global failures  # noqa: PLW0603 - a script
    failures += not ok
    print(f"{name:48} {'ok' if ok else f'FAILED {detail}'}", flush=True)


@asynccontextmanager
async def emulator(program: Path, folder: Path) -> AsyncIterator[str]:
    """cargo-lambda at work; its address."""
    (folder / "src").mkdir()
    (folder / "Cargo.toml").write_text('[package]\nname = "none"\nversion = "0.1.0"\nedition = "2021"\n')
    (folder / "src" / "main.rs").write_text("fn main() {}\n")
    port = free_port()
    command = [str(program), "lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P", str(port)]
    with (folder / "emulator.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):
                if process.returncode is not None:
                    raise NotInstalled((folder / "emulator.log").read_text().strip().splitlines()[0])
                await asyncio.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def runtime(address: str, folder: Path, form: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The runtime with the sample, connected to it."""
    with (folder / f"runtime-{form}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(LAYER / "streaming-runtime"), sys.executable),
            cwd=HERE,
            stdout=log,
            stderr=log,
            env={
                "PATH": os.environ["PATH"],
                "AWS_LAMBDA_RUNTIME_API": f"http://{address}/.rt",
                "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "LAMBDA_TASK_ROOT": str(HERE),
                "_HANDLER": "sample_app.app",
                "GATES": str(folder),
                "STREAMING_RUNTIME_RESPONSE_FORM": form,
            },
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def check_urls(client: httpx.AsyncClient, folder: Path) -> None:
    """What a caller of the function's URL sees."""
    for number in range(3):
        answer = await client.post("/some/path", content=f"body {number}")
        wanted = {"method": "POST", "path": "/some/path", "body": f"body {number}", "left": True}
        report(
            f"URL: request {number} and its answer", answer.status_code == 200 and answer.json() == wanted, answer.text
        )
    cookies = [cookie.partition(";")[0] for cookie in answer.headers.get_list("set-cookie")]
    report("URL: cookies one by one", cookies == ["a=1", "b=2"], cookies)
    gate, received = folder / "gate", b""
    async with client.stream("GET", "/stream?gate") as stream:
        async for part in stream.aiter_raw():
            received += part
            if b"data: 0" in received:
                gate.touch()
    report("URL: parts come as they are made", received == b"data: 0\n\ndata: 1\n\n", received)
    answer = await client.get("/binary")
    report("URL: bytes that are no text", answer.content == bytes(range(256)) * 64)
    answer = await client.get("/fail")
    report("URL: a failure is a clean 500", answer.status_code == 500 and "internal_error" in answer.text, answer.text)
    try:
        text = (await client.get("/broken")).text
    except httpx.HTTPError:
        text = "first"
    report("URL: a failure in mid-stream ends it", text.startswith("first"), text)
    answer = await client.get("/after")
    report("URL: the next request is served", answer.status_code == 200 and answer.json()["path"] == "/after")


async def check_events(client: httpx.AsyncClient) -> None:
    """What a program that invokes the function gets, for every kind of event."""
    for path in sorted(EVENTS.glob("*.json")):
        answer = await client.post(f"/2015-03-31/functions/{FUNCTION}/invocations", content=path.read_bytes())
        document = answer.json()
        status = document.get("statusCode", document.get("status"))
        report(f"event: {path.stem}", answer.status_code == 200 and status == 200, answer.text[:200])
    answer = await client.post(f"/2015-03-31/functions/{FUNCTION}/invocations", content=b'{"source": "aws.scheduler"}')
    report("event: no request is an error of the invocation", "Runtime.UnsupportedEvent" in answer.text, answer.text)


async def main() -> int:
    """Returns 0, or 1 if a check failed, 2 if cargo-lambda can't be had here."""
    try:
        if shutil.which("cargo") is None:
            raise NotInstalled("cargo-lambda asks cargo about the folder, and there is no cargo")
        program = PythonEnvironment("cargo_lambda").python().parent / "cargo-lambda"
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            async with emulator(program, folder) as address:
                async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=40) as client:
                    async with runtime(address, folder, "streaming"):
                        await check_urls(client, folder)
                    async with runtime(address, folder, "buffered") as process:
                        await check_events(client)
                        report("the runtime has gone on", process.returncode is None)
    except NotInstalled as reason:
        print(f"not installed: {reason}")
        return NOT_INSTALLED
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
