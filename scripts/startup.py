"""Measure what decisions about the cold start rest on: pairs of ways to start, side by side.

    python scripts/startup.py fastapi | aws | bytecode | certificates | client [--rounds 7]

Each way is started in a process of its own, the two in turns, and the medians are printed: processor time of the whole
process, which other load on the machine hardly changes, and elapsed time, which it does.

- `fastapi`: the application as deployed, and with the FastAPI application loaded, too;
- `aws`: from nothing to the first answer of DynamoDB (a stand-in here), with the lean transport and with boto3;
- `bytecode`: importing the application with byte code at hand, and without;
- `certificates`: a TLS context from one file with all certificates, and from a folder of files with hashed names;
- `client`: what a command of `poegw` loads, with the standard library's HTTP client and with httpx.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certifi

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.hashed_certificates import write_hashed

ROOT = Path(__file__).resolve().parent.parent
IMPORT_FOLDERS = (".", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime")
APPLICATION = "import gateway.asgi"
CALL = """
import asyncio
from accounts import open_store
async def main():
    store = open_store(table="t", kms_key_id="k", transport="{transport}")
    await store.get_config("models")
    await store.aclose()
asyncio.run(main())
"""
CONTEXT = "import ssl\nssl.create_default_context({source}={path!r})"
CLIENTS = {"http.client": "import click, http.client, json", "httpx": "import click, httpx, json"}


@dataclass(frozen=True)
class Way:
    """One way to start: a program, and what differs in its environment."""

    name: str
    program: str
    environment: Mapping[str, str] = field(default_factory=dict)


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("fastapi", "aws", "bytecode", "certificates", "client"))
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stand_in() as endpoint:
        ways = ways_to_start(Path(folder), endpoint)[arguments.what]
        figures: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
        for way in ways:
            start(way)  # writes byte code and warms the disk's cache; not counted
        for _ in range(arguments.rounds):
            for way in ways:
                figures[way.name].append(start(way))
    for name, found in figures.items():
        processor, elapsed = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:<16} {processor * 1000:6.0f} ms of processor time, {elapsed * 1000:6.0f} ms elapsed")


def ways_to_start(folder: Path, endpoint: Mapping[str, str]) -> dict[str, tuple[Way, ...]]:
    """The pairs by name. `folder` is for what they need in files, `endpoint` leads to the DynamoDB stand-in."""
    hashed, uncompiled = folder / "certificates", folder / "cache"
    write_hashed(Path(certifi.where()), hashed)
    with_fastapi = f"{APPLICATION}\nfrom gateway.fastapi_app import create_application\ncreate_application()"
    return {
        "fastapi": (Way("as deployed", APPLICATION), Way("with FastAPI", with_fastapi)),
        "aws": tuple(Way(name, CALL.format(transport=name), endpoint) for name in ("lean", "boto")),
        "bytecode": (
            Way("with byte code", APPLICATION),
            Way("without", APPLICATION, {"PYTHONPYCACHEPREFIX": str(uncompiled), "PYTHONDONTWRITEBYTECODE": "1"}),
        ),
        "certificates": (
            Way("one file", CONTEXT.format(source="cafile", path=certifi.where())),
            Way("a folder", CONTEXT.format(source="capath", path=str(hashed))),
        ),
        "client": tuple(Way(name, program) for name, program in CLIENTS.items()),
    }


def start(way: Way) -> tuple[float, float]:
    """Run the program once: processor time and elapsed time, in seconds."""
    environment = {
        **os.environ,
        **way.environment,
        "PYTHONPATH": os.pathsep.join(str(ROOT / f) for f in IMPORT_FOLDERS),
    }
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", way.program], env=environment, check=True)
    elapsed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, elapsed


@contextmanager
def stand_in() -> Iterator[dict[str, str]]:
    """A DynamoDB that has nothing, on loopback; gives the variables that lead to it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-central-1",
        }
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
