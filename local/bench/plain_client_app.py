"""The fair baseline: FastAPI with a pydantic model per chunk, over the same Poe client and upstream as the gateway.

One account, from the environment; no keys, no leases, no booking, no keep-alive, no shaping of the answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from local.bench.plain_app import Choice, Chunk, Delta
from reverse import ChatRequest, Message, PoeConfig, PoeWebClient, WebCredentials
from reverse.events import Finished, TextDelta

COOKIE_VARIABLE = "BENCH_COOKIE"


class Turn(BaseModel):
    role: str
    content: str


class ChatBody(BaseModel):
    model: str
    messages: list[Turn]
    stream: bool = True


@asynccontextmanager
async def _client(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    config = PoeConfig(
        web_base_url=os.environ["GATEWAY_POE_WEB_BASE_URL"], channel_url=os.environ["GATEWAY_POE_WEB_CHANNEL_URL"]
    )
    async with PoeWebClient(WebCredentials(p_b=os.environ[COOKIE_VARIABLE]), config) as client:
        yield {"client": client}


app = FastAPI(lifespan=_client)


@app.post("/v1/chat/completions")
async def stream(body: ChatBody, request: Request) -> StreamingResponse:
    asked = ChatRequest(bot=body.model, messages=[Message("user", body.messages[-1].content)])
    return StreamingResponse(_chunks(request.state.client, asked), media_type="text/event-stream")


async def _chunks(client: PoeWebClient, asked: ChatRequest) -> AsyncIterator[str]:
    created = int(time.time())
    async with aclosing(client.stream(asked)) as events:
        async for event in events:
            match event:
                case TextDelta(text):
                    choice = Choice(delta=Delta(content=text))
                case Finished(reason):
                    choice = Choice(delta=Delta(), finish_reason=reason.value)
                case _:
                    continue
            chunk = Chunk(id="chatcmpl-1", created=created, model=asked.bot, choices=[choice])
            yield f"data: {chunk.model_dump_json(exclude_none=True)}\n\n"
    yield "data: [DONE]\n\n"
