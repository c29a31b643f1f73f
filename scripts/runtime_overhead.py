"""What the streaming runtime costs in processor time: its start, an invocation, a part; beside another revision.

    python scripts/runtime_overhead.py [--against REVISION] [--mangum] [--rounds 7] [--loop asyncio|uvloop]

Both are measured in turns, each in new processes, in processor time of the process as the kernel counts it: what else
the machine does changes the order, not the figures. The application does nothing but send. Printed are medians.
`--mangum` adds Mangum under AWS's own client, which sends an answer when it is whole.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYER = "layers/streaming_runtime"
INVOCATIONS, PARTS = 400, 40_000
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
APP = """
from mangum import Mangum

PART = b"data: a part of an ordinary size, as a model streams it\\n\\n"
BODY = {"type": "http.response.body", "body": PART, "more_body": True}

async def app(scope, receive, send):
    assert scope["type"] == "http"
    count = int(scope["query_string"] or 1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for _ in range(count):
        await send(BODY)
    await send({"type": "http.response.body", "body": b"", "more_body": False})

handler = Mangum(app, lifespan="off")
"""
EVENT = (
    b'{"version":"2.0","rawPath":"/","rawQueryString":"%d","headers":{"host":"a.lambda-url.eu-west-1.on.aws"},'
    b'"requestContext":{"domainName":"a.lambda-url.eu-west-1.on.aws","stage":"$default",'
    b'"http":{"method":"GET","path":"/","sourceIp":"192.0.2.1"}},"isBase64Encoded":false}'
)


@dataclass
class Figures:
    """Processor time in milliseconds, or microseconds for a part; one entry per round."""

    start_ms: list[float] = field(default_factory=list)
    invocation_us: list[float] = field(default_factory=list)
    part_us: list[float] = field(default_factory=list)


class Lambda:
    """Hands out invocations as fast as they are asked for, and reads the answers without looking."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[bytes] = asyncio.Queue()
        self.idle = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def invoke(self, count: int, parts: int) -> None:
        """Let the runtime serve so many invocations, of so many parts each; returns when it asks for the next."""
        self.idle.clear()
        for _ in range(count):
            self._events.put_nowait(EVENT % parts)
        await self.idle.wait()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET"):
                    await self._hand_out(writer)
                else:
                    await self._take(reader, head)
                    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # Cancelled by `close`, which waits for it.
            writer.transport.abort()

    async def _hand_out(self, writer: asyncio.StreamWriter) -> None:
        if self._events.empty():
            self.idle.set()
        event = await self._events.get()
        deadline = int((time.time() + 300) * 1000)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nLambda-Runtime-Aws-Request-Id: id-1\r\n"
            b"Lambda-Runtime-Invoked-Function-Arn: arn\r\nContent-Type: application/json\r\n"
            b"Lambda-Runtime-Deadline-Ms: %d\r\n\r\n%b" % (len(event), deadline, event)
        )

    async def _take(self, reader: asyncio.StreamReader, head: bytes) -> None:
        """Read a body: of a known length, or a chunked one up to its last chunk, in large bites."""
        if (length := re.search(rb"(?i)\r\ncontent-length: (\d+)", head)) is not None:
            await reader.readexactly(int(length[1]))
            return
        tail = b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            data = await reader.read(1 << 20)
            if not data:
                raise asyncio.IncompleteReadError(b"", None)
            tail = (tail + data)[-16:]


async def measure(command: list[str], folder: Path, loop: str, figures: Figures) -> None:
    """One round of one of them."""
    service = Lambda()
    address = await service.start()
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": address,
        "LAMBDA_TASK_ROOT": str(folder),
        "_HANDLER": "overhead_app.app",
        "STREAMING_RUNTIME_LOOP": loop,
        "PYTHONPATH": str(folder),
    }
    process = await asyncio.create_subprocess_exec(*command, env=environ, cwd=folder)
    try:
        await asyncio.wait_for(service.idle.wait(), 60)
        before = processor_seconds(process.pid)
        figures.start_ms.append(before * 1000)
        await service.invoke(20, 1)
        before = processor_seconds(process.pid)
        await service.invoke(INVOCATIONS, 1)
        after = processor_seconds(process.pid)
        figures.invocation_us.append((after - before) / INVOCATIONS * 1e6)
        await service.invoke(1, PARTS)
        figures.part_us.append((processor_seconds(process.pid) - after) / PARTS * 1e6)
    finally:
        process.kill()
        await process.wait()
        await service.close()


def processor_seconds(pid: int) -> float:
    """User and system time of a process; from the scheduler's own clock where the kernel shows it."""
    schedule = Path(f"/proc/{pid}/schedstat")
    if schedule.exists():
        return int(schedule.read_text().split()[0]) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_SECONDS


def extract(revision: str, folder: Path) -> Path:
    """The layer as it was."""
    archive = subprocess.run(["git", "archive", revision, LAYER], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return folder / LAYER


async def compare(commands: dict[str, list[str]], folder: Path, rounds: int, loop: str) -> dict[str, Figures]:
    """All rounds, in turns. The first, in which files are compiled, does not count."""
    figures = {name: Figures() for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            await measure(command, folder, loop, figures[name] if number else Figures())
    return figures


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", metavar="REVISION", help="measure this one, too")
    parser.add_argument("--mangum", action="store_true", help="measure Mangum under AWS's client, too")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "overhead_app.py").write_text(APP)
        layers = {"this": ROOT / LAYER}
        if options.against:
            layers = {options.against: extract(options.against, folder), **layers}
        commands = {name: [str(layer / "streaming-runtime"), sys.executable] for name, layer in layers.items()}
        if options.mangum:
            commands["mangum"] = [sys.executable, "-m", "awslambdaric", "overhead_app.handler"]
        figures = asyncio.run(compare(commands, folder, options.rounds, options.loop))
    print(f"{'revision':12} {'start':>12} {'invocation':>14} {'part':>12}")
    for name, measured in figures.items():
        start, invocation, part = map(statistics.median, (measured.start_ms, measured.invocation_us, measured.part_us))
        print(f"{name:12} {start:9.1f} ms {invocation:11.0f} us {part:9.2f} us")


if __name__ == "__main__":
    main()
