"""The baseline for cold starts: four libraries imported at start, one route, one streamed byte."""

from __future__ import annotations

from collections.abc import AsyncIterator

import boto3
import httpx
import mangum
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

# Imported, as such stacks do, and that is all that is compared.
LIBRARIES = (boto3, httpx, mangum)

app = FastAPI()


@app.get("/healthz")
async def healthz() -> StreamingResponse:
    return StreamingResponse(_one_byte(), media_type="text/plain")


async def _one_byte() -> AsyncIterator[bytes]:
    yield b"."
