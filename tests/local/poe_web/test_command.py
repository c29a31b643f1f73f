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
import pytest

from local.poe_web import PoeWebSimulator
from local.poe_web.state import dump

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


@pytest.mark.parametrize(
    "content", [b"{", b"", b"\xff\x00", b"[" * 100_000, None], ids=lambda content: str(content)[:12]
)
async def test_a_state_that_can_not_be_used_is_said_in_one_line_and_left_alone(tmp_path, content):
    state = tmp_path / "state.json"
    state.write_bytes(content) if content is not None else state.mkdir()
    async with process("--port", "0", "--state", str(state)) as running:
        assert await asyncio.wait_for(running.wait(), 60) == 1
        message = (await running.stderr.read()).decode()
    assert message.startswith(f"{state} can't be used: ")
    assert message.endswith("Move it away to start afresh.\n")
    assert len(message.splitlines()) == 1
    assert content is None or state.read_bytes() == content


async def test_what_can_not_be_saved_is_said_once_and_saved_when_there_is_room(tmp_path, caplog):
    state = tmp_path / "full" / "state.json"
    async with PoeWebSimulator(state_path=state) as simulator:
        (tmp_path / "full").write_text("a file where the folder should be: nobody can write there, not even root")
        simulator.add_account("cookie-1")
        for _ in range(2):
            assert not await simulator._save(state, dump(simulator.simulation.world))
        assert [record.getMessage() for record in caplog.records if "can't be written" in record.getMessage()] == [
            f"{state} can't be written (File exists). What changes is in memory only."
        ]
        (tmp_path / "full").unlink()
    assert "cookie-1" in state.read_text()


async def test_a_port_that_is_taken_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with process("--port", str(taken.getsockname()[1])) as running:
            assert await asyncio.wait_for(running.wait(), 20) == 1
            message = (await running.stderr.read()).decode()
    assert message.startswith("Cannot listen on 127.0.0.1:")
    assert len(message.splitlines()) == 1
