"""The application of the soak: it does whatever the path says, well or badly, and counts itself."""

import asyncio
import gc
import json
import logging
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

PART = b"x" * 10_000
log = logging.getLogger("soak")


class Node:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me, self.ballast = self, bytearray(1000)


async def endless(part: bytes) -> AsyncIterator[bytes]:
    try:
        while True:
            yield part
            await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0)


def census() -> dict[str, int]:
    """What must not grow: memory, objects, descriptors, tasks."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return {
        "pid": os.getpid(),
        "kilobytes": int(found[1]) if found else 0,
        "objects": len(gc.get_objects()),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names only
        "tasks": len(asyncio.all_tasks()),
    }


async def lifespan(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    Path(os.environ["SHUTDOWNS"], str(os.getpid())).touch()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    kind = scope["path"].strip("/")
    scope["state"]["garbage"] = [Node() for _ in range(20)]
    if kind == "fail-before":
        raise ValueError("meant, before the start")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})

    async def part(data: bytes, more: bool = True) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": more})

    if kind in ("fail-between", "incomplete", "hang", "after", "flood"):
        await go_wrong(kind, part)
        return
    if kind == "census":
        await part(json.dumps(census()).encode())
    elif kind == "large":
        for _ in range(100):
            await part(PART)
    else:
        log.warning("an ordinary request")
        for number in range(10):
            await part(b"data: %d\n\n" % number)
    await part(b"", more=False)


async def go_wrong(kind: str, part: Any) -> None:
    """After the start, in the way that is asked for."""
    if kind == "flood":
        async for data in endless(PART):
            await part(data)
    await part(b"all" if kind == "after" else b"first", more=kind != "after")
    if kind == "hang":
        await asyncio.Event().wait()
    await asyncio.sleep(0.001)
    if kind != "incomplete":
        raise ValueError("meant, in mid-stream or after the end")
