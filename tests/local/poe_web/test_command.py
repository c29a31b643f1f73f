"""`python -m local.poe_web` as a process of its own."""

import asyncio
import os
import re
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def process(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "local.poe_web", *arguments)
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment, cwd=ROOT)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def test_it_serves_until_it_is_interrupted_and_keeps_its_state(tmp_path):
    state = tmp_path / "state.json"
    async with process("--port", "0", "--state", str(state), "--account", "cookie-1") as running:
        line = (await asyncio.wait_for(running.stdout.readline(), 20)).decode()
        url = re.search(r"http://\S+:\d+", line)[0]
        async with httpx.AsyncClient(base_url=url, cookies={"p-b": "cookie-1"}) as http:
            assert (await http.get("/api/settings")).json()["tchannelData"]["baseHost"] == url.removeprefix("http://")
        running.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(running.wait(), 10) == 0
        assert await running.stderr.read() == b""
    assert "cookie-1" in state.read_text()


async def test_a_port_that_is_taken_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with process("--port", str(taken.getsockname()[1])) as running:
            assert await asyncio.wait_for(running.wait(), 20) == 1
            message = (await running.stderr.read()).decode()
    assert message.startswith("Cannot listen on 127.0.0.1:")
    assert len(message.splitlines()) == 1
