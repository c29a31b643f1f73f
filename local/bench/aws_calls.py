"""What a call of AWS costs, by the way in which it is sent: `python -m local.bench.aws_calls`.

A server in a process of its own answers by TLS. The ways take turns in this process, and their processor time is what
is measured, signature and JSON included: our own connections, and `http.client` and botocore in a thread. The loop is
uvloop, as in a deployment.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import uvloop

from accounts._aws_choice import open_exchange
from accounts._aws_lean import LeanExchange
from local.bench.tls_front import make_certificate

CALLS, ROUNDS = 300, 5
# An invocation has something else to do between two calls.
PAUSE_SECONDS = 0.002
_KEY = {"pk": {"S": "key#" + "a" * 64}, "sk": {"S": "-"}}
_PAYLOAD = {"RequestItems": {"table": {"Keys": [_KEY, {"pk": {"S": "fleet"}, "sk": {"S": "-"}}]}}}
_ANSWER = json.dumps({"Responses": {"table": [{**_KEY, "models": {"L": []}}]}, "UnprocessedKeys": {}}).encode()
_REPLY = b"\r\n".join(
    (
        b"HTTP/1.1 200 OK",
        b"Server: Server",
        b"Date: Mon, 30 Nov 2026 12:00:00 GMT",
        b"Content-Type: application/x-amz-json-1.0",
        b"Content-Length: %d" % len(_ANSWER),
        b"Connection: keep-alive",
        b"x-amzn-RequestId: 3BHPB3CDL8IL5MRM9N4ABCDEFG",
        b"",
        _ANSWER,
    )
)

Call = Callable[[], Awaitable[Any]]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(_REPLY)
    writer.close()


def _serve(pipe: Pipe, chain: Path, key: Path) -> None:
    async def serve() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _in_a_thread(exchange: LeanExchange, port: int, context: ssl.SSLContext) -> Call:
    """The same request over the standard library's client."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    thread = ThreadPoolExecutor(1)

    def send() -> Any:
        headers, body = exchange.sign("dynamodb", "BatchGetItem", _PAYLOAD)
        connection.request("POST", "/", body, headers)
        return json.loads(connection.getresponse().read())

    async def call() -> Any:
        return await asyncio.get_running_loop().run_in_executor(thread, send)

    return call


async def _measure(environ: dict[str, str], port: int) -> dict[str, list[float]]:
    context = ssl.create_default_context(cafile=environ["AWS_CA_BUNDLE"])
    lean = LeanExchange(environ)
    boto = open_exchange(environ, prefer="boto")
    ways: dict[str, Call] = {
        "our own connections": lambda: lean.send("dynamodb", "BatchGetItem", _PAYLOAD),
        "http.client in a thread": _in_a_thread(lean, port, context),
        "botocore in a thread": lambda: boto.send("dynamodb", "BatchGetItem", _PAYLOAD),
    }
    found: dict[str, list[float]] = {}
    for call in ways.values():
        await call()
    for _ in range(ROUNDS):
        for name, call in ways.items():
            began = time.process_time()
            for _ in range(CALLS):
                await call()
                await asyncio.sleep(PAUSE_SECONDS)
            found.setdefault(name, []).append((time.process_time() - began) / CALLS * 1e6)
    await lean.aclose()
    await boto.aclose()
    return found


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        chain, key = make_certificate(Path(folder))
        here, there = get_context("spawn").Pipe()
        server = get_context("spawn").Process(target=_serve, args=(there, chain, key), daemon=True)
        server.start()
        port = here.recv()
        # botocore reads its certificates from the process's own environment.
        os.environ["AWS_CA_BUNDLE"] = str(chain)
        environ = {
            "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "measuring",
            "AWS_SECRET_ACCESS_KEY": "measuring",
            # As long as a role's.
            "AWS_SESSION_TOKEN": "x" * 600,
            "AWS_CA_BUNDLE": str(chain),
        }
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                found = runner.run(_measure(environ, port))
        finally:
            server.terminate()
            server.join()
    for name, rounds in found.items():
        spread = f"{min(rounds):.0f} to {max(rounds):.0f}"
        sys.stdout.write(f"{name:<24} {statistics.median(rounds):6.0f} µs of processor time per call ({spread})\n")


if __name__ == "__main__":
    main()
