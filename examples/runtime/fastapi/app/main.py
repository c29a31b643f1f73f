"""A FastAPI application whose page comes in parts."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

PARTS = 5

app = FastAPI()


async def parts() -> AsyncIterator[str]:
    """One line at a time."""
    yield "<!doctype html><title>Streamed</title><h1>Streamed by FastAPI</h1>\n"
    for number in range(1, PARTS + 1):
        await asyncio.sleep(0.2)
        yield f"<p>part {number} of {PARTS}\n"


@app.get("/")
async def page() -> StreamingResponse:
    """The page."""
    return StreamingResponse(parts(), media_type="text/html")


@app.get("/hello/{name}")
async def hello(name: str) -> dict[str, str]:
    """An ordinary answer."""
    return {"hello": name}
