"""The lower bound: a minimal asyncio proxy with the same I/O and the same parsing as the gateway.

`python local/bench/floor.py --host HOST --port PORT`, with the upstream's address in `BENCH_UPSTREAM` and its key in
`BENCH_UPSTREAM_KEY`. A bare asyncio program: one connection up for each one down, chunks and events are taken apart,
the JSON is decoded, and each piece of text leaves as an OpenAI chunk of its own. Whatever is there at once leaves at
once. It trusts both ends: no limits, no deadlines, no keys, no errors.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

import orjson

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
)
_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "floor"}
_BEFORE_TEXT = b"data: " + orjson.dumps(_CHUNK)[:-1] + b',"choices":[{"index":0,"delta":{"content":'
_AFTER_TEXT = b'},"finish_reason":null}]}\n\n'


class _Upstream(asyncio.Protocol):
    """Reads one streamed answer and writes what becomes of it."""

    def __init__(self, down: asyncio.Transport, request: bytes) -> None:
        self._down = down
        self._request = request
        self._rest = b""
        self._events = b""
        self._in_body = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        position = 0
        if not self._in_body:
            position = data.find(b"\r\n\r\n") + 4
            if position < 4:
                self._rest = data
                return
            self._in_body = True
        parts = [self._events]
        is_over = False
        while (end := data.find(b"\r\n", position)) >= 0:
            size = int(data[position:end], 16)
            if len(data) < end + size + 4:
                break
            parts.append(data[end + 2 : end + 2 + size])
            position = end + size + 4
            if is_over := not size:
                break
        self._rest = data[position:]
        *events, self._events = b"".join(parts).split(b"\n\n")
        self._tell(events, is_over=is_over)

    def _tell(self, events: list[bytes], *, is_over: bool) -> None:
        told = []
        for event in events:
            if event.startswith(b"data: {"):
                for choice in orjson.loads(event[6:])["choices"]:
                    if text := choice["delta"].get("content"):
                        told.append(_BEFORE_TEXT + orjson.dumps(text) + _AFTER_TEXT)
        if is_over:
            told.append(b"data: [DONE]\n\n")
        if told:
            piece = b"".join(told)
            self._down.write(b"%x\r\n%b\r\n%b" % (len(piece), piece, b"0\r\n\r\n" if is_over else b""))
        if is_over:
            self._transport.close()
            self._down.close()


class _Downstream(asyncio.Protocol):
    """Reads one request."""

    def __init__(self) -> None:
        self._data = b""
        self._transport: Any = None
        self._asking: asyncio.Task[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if head.startswith(b"GET ") and found:
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self._transport.close()
            return
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if found and lengths and len(body) >= int(lengths[0].split(b":")[1]):
            self._transport.write(_HEAD)
            self._asking = asyncio.create_task(self._ask(orjson.loads(body)))

    async def _ask(self, asked: dict[str, Any]) -> None:
        address = urlsplit(os.environ["BENCH_UPSTREAM"])
        body = orjson.dumps({"model": asked["model"], "stream": True, "messages": asked["messages"]})
        head = (
            f"POST {address.path}/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Authorization: Bearer {os.environ['BENCH_UPSTREAM_KEY']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        await asyncio.get_running_loop().create_connection(
            lambda: _Upstream(self._transport, head.encode() + body), address.hostname or "", address.port or 80
        )


async def _serve(host: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Downstream, host, port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.host, arguments.port))
