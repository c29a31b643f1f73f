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
from fastapi.responses import Response, StreamingResponse

from local.bench.chunk_models import ChatBody, Choice, Chunk, Delta
from reverse.chat import ChatRequest, Message, PoeClient
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials, WebCredentials
from reverse.events import Finished, TextDelta

COOKIE_VARIABLE, KEY_VARIABLE = "BENCH_COOKIE", "BENCH_UPSTREAM_KEY"


def _make_client() -> PoeClient:
    config = PoeConfig(
        web_base_url=os.environ["GATEWAY_POE_WEB_BASE_URL"],
        channel_url=os.environ["GATEWAY_POE_WEB_CHANNEL_URL"],
        official_base_url=os.environ["GATEWAY_POE_OFFICIAL_BASE_URL"],
    )
    if cookie := os.environ.get(COOKIE_VARIABLE):
        from reverse.web import PoeWebClient

        return PoeWebClient(WebCredentials(p_b=cookie), config)
    from reverse.official import PoeOfficialClient

    return PoeOfficialClient(OfficialCredentials(os.environ[KEY_VARIABLE]), config)


@asynccontextmanager
async def _client(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with _make_client() as client:
        yield {"client": client}


app = FastAPI(lifespan=_client)


@app.get("/healthz")
async def healthz() -> Response:
    return Response("ok")


@app.post("/v1/chat/completions")
async def stream(body: ChatBody, request: Request) -> StreamingResponse:
    asked = ChatRequest(bot=body.model, messages=[Message("user", body.messages[-1].content)])
    return StreamingResponse(_chunks(request.state.client, asked), media_type="text/event-stream")


async def _chunks(client: PoeClient, asked: ChatRequest) -> AsyncIterator[str]:
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
            yield Chunk(id="chatcmpl-1", created=created, model=asked.bot, choices=[choice]).event()
    yield "data: [DONE]\n\n"
