"""The baseline for streaming: FastAPI with a pydantic model per chunk, without an upstream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Literal

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Delta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None


class Choice(BaseModel):
    index: int = 0
    delta: Delta
    finish_reason: str | None = None


class Chunk(BaseModel):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[Choice]


class Order(BaseModel):
    """How many chunks, and how many seconds between two."""

    count: int
    pace_seconds: float = 0.0


app = FastAPI()


@app.post("/v1/chat/completions")
async def stream(order: Order) -> StreamingResponse:
    return StreamingResponse(_chunks(order), media_type="text/event-stream")


async def _chunks(order: Order) -> AsyncIterator[str]:
    for _ in range(order.count):
        # Each chunk carries the time at which it was made.
        delta = Delta(content=f"{time.monotonic():.6f} ")
        chunk = Chunk(id="chatcmpl-1", created=int(time.time()), model="plain", choices=[Choice(delta=delta)])
        yield f"data: {chunk.model_dump_json(exclude_none=True)}\n\n"
        await asyncio.sleep(order.pace_seconds)
    yield "data: [DONE]\n\n"
