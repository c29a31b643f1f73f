"""`POST /v1/messages` and `POST /v1/messages/count_tokens`, as Anthropic's API has them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.generation.generation import Generation
from gateway.http.bodies import read_json
from gateway.http.deadline import bounded
from gateway.http.errors import gateway_error
from gateway.http.sse import EventStream
from gateway.models.catalogue import Model
from gateway.models.parameters import ignored_header
from gateway.prompt.chat_task import IGNORED_HEADER, ChatTask, prepare_chat
from gateway.surfaces.context import admit, authenticate, context_of, request_deadline
from gateway.surfaces.messages.answers import collect_message, stream_message
from gateway.surfaces.messages.content import Content
from gateway.surfaces.messages.encoder import MessageEncoder
from gateway.surfaces.messages.errors import encode_error_event
from gateway.surfaces.messages.message import MessageObject, new_message_id
from gateway.surfaces.messages.request import MessagesRequest, read_messages_request
from gateway.surfaces.messages.turns import rename_blamed


async def create_message(request: Request) -> Response | EventStream:
    """Authenticate, normalise, generate, encode.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    asked = read_messages_request(await read_json(request, max_bytes=services.settings.max_body_bytes))
    model, bot = await admit(request, key, asked.model)
    call = asked.chat_call(model)
    with asked.turns.renaming():
        async with asyncio.timeout_at(deadline):
            chat = await prepare_chat(call, bot=bot, entry=model, key_id=key.id, services=services)
    task = replace(chat.generation_task(), rename=rename_blamed)
    generation = services.generations.start(task, record)
    message = MessageObject(new_message_id(), asked.model, chat.call.prompt_tokens)
    content = Content(shows_thinking=asked.thinking.is_shown)
    if not asked.is_streamed:
        async with bounded(request.receive, deadline):
            body = await collect_message(generation, message, content)
        headers = _headers(asked, model, chat, generation)
        return Response(body, media_type="application/json", headers=headers)
    return EventStream(
        partial(stream_message, generation, MessageEncoder(message, content)),
        record=record,
        deadline=deadline,
        keep_alive_seconds=services.settings.keep_alive_seconds,
        translate=lambda error: gateway_error(error, now=time.time()),
        encode_error=partial(encode_error_event, request_id=record.request_id),
        headers=lambda: tuple(
            (name.encode(), value.encode()) for name, value in _headers(asked, model, chat, generation).items()
        ),
    )


def _headers(asked: MessagesRequest, model: Model | None, chat: ChatTask, generation: Generation) -> dict[str, str]:
    """What was not taken into account, in the caller's names."""
    kind = generation.kind or chat.call.kinds[0]
    headers = chat.headers(kind)
    ignored = asked.ignored(chat.ignored(kind), model)
    return headers | ({IGNORED_HEADER: ignored_header(ignored)} if ignored else {})


async def count_tokens(request: Request) -> JSONResponse:
    """How many tokens a message's prompt has, as the gateway estimates it. Raises `GatewayError` (400)."""
    services = context_of(request).services
    await authenticate(request)
    values = await read_json(request, max_bytes=services.settings.max_body_bytes)
    asked = read_messages_request(values, counts_only=True)
    call = asked.chat_call(await services.catalogue.find(asked.model))
    return JSONResponse({"input_tokens": call.prompt_tokens, "estimated": True})
