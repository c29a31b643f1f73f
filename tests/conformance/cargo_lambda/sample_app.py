"""An ASGI application without a framework."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

MOST_SECONDS = 20.0


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"

    async def answer(status: int, content_type: bytes, *parts: bytes) -> None:
        headers = [(b"content-type", content_type), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})

    request = await receive()
    match scope["path"]:
        case "/stream":
            gate = Path(os.environ["GATES"]) / scope["query_string"].decode()
            await answer(200, b"text/event-stream", b"data: 0\n\n")
            until = time.monotonic() + MOST_SECONDS
            while not gate.exists() and time.monotonic() < until:  # noqa: ASYNC110 - another process's condition
                await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        case "/binary":
            await answer(200, b"application/octet-stream", *[bytes(range(256))] * 64)
        case "/broken":
            await answer(200, b"text/plain", b"first")
            raise ValueError("meant")
        case "/fail":
            raise ValueError("meant")
        case path:
            left = scope["aws.context"].get_remaining_time_in_millis()
            told = {
                "method": scope["method"],
                "path": path,
                "body": request["body"].decode("latin-1"),
                "left": left > 0,
            }
            await answer(200, b"application/json", json.dumps(told).encode())
    await send({"type": "http.response.body", "body": b""})
