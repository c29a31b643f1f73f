"""The usual way: FastAPI and httpx, a pydantic model for each chunk in and out, one account from the environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from local.bench.chunk_models import ChatBody, Chunk

UPSTREAM_VARIABLE, KEY_VARIABLE = "BENCH_UPSTREAM", "BENCH_UPSTREAM_KEY"


@asynccontextmanager
async def _client(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {os.environ[KEY_VARIABLE]}"}
    async with httpx.AsyncClient(base_url=os.environ[UPSTREAM_VARIABLE], headers=headers, timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=_client)


@app.get("/healthz")
async def healthz() -> Response:
    return Response("ok")


@app.post("/v1/chat/completions")
async def stream(body: ChatBody, request: Request) -> StreamingResponse:
    return StreamingResponse(_chunks(request.state.client, body), media_type="text/event-stream")


async def _chunks(client: httpx.AsyncClient, body: ChatBody) -> AsyncIterator[str]:
    async with client.stream("POST", "/chat/completions", json=body.model_dump()) as reply:
        reply.raise_for_status()
        async for line in reply.aiter_lines():
            if line.startswith("data: {"):
                yield Chunk.model_validate_json(line[6:]).event()
    yield "data: [DONE]\n\n"
