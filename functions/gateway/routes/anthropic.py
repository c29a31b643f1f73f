"""`POST /v1/messages` and `POST /v1/messages/count_tokens`, as Anthropic's API has them."""

from __future__ import annotations

import time
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.anthropic.answers import collect_message, stream_message
from gateway.anthropic.content import Content
from gateway.anthropic.encoder import MessageEncoder
from gateway.anthropic.errors import encode_error_event
from gateway.anthropic.message import MessageObject, new_message_id
from gateway.anthropic.request import MessagesRequest, read_messages_request
from gateway.bodies import read_json
from gateway.bounds import bounded
from gateway.chat_request import ChatCall
from gateway.context import authenticate, context_of, request_deadline
from gateway.errors import gateway_error
from gateway.generation import Generation, GenerationTask
from gateway.sse import EventStream

IGNORED_HEADER = "x-gateway-ignored"


async def create_message(request: Request) -> Response | EventStream:
    """Authenticate, normalise, generate, encode."""
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    asked = read_messages_request(await read_json(request, max_bytes=services.settings.max_body_bytes))
    model = await services.catalogue.find(asked.model)
    bot = record.model = asked.model if model is None else model.bot
    await services.authenticator.admit(key, asked.model, bot)
    call = asked.chat_call(model)
    generation = services.generations.start(_task(call, bot, key.id), record)
    message = MessageObject(new_message_id(), asked.model, call.prompt_tokens)
    content = Content(shows_thinking=asked.thinking.is_shown)
    ignored = asked.ignored(model)
    headers = {IGNORED_HEADER: ", ".join(ignored)} if ignored else {}
    if asked.is_streamed:
        return _stream(request, generation, MessageEncoder(message, content), deadline, headers)
    async with bounded(request.receive, deadline):
        body = await collect_message(generation, message, content)
    return Response(body, media_type="application/json", headers=headers)


async def count_tokens(request: Request) -> JSONResponse:
    """How many tokens a message's prompt has, as the gateway estimates it. Raises `GatewayError` (400)."""
    services = context_of(request).services
    await authenticate(request)
    values = await read_json(request, max_bytes=services.settings.max_body_bytes)
    asked: MessagesRequest = read_messages_request(values, counts_only=True)
    call = asked.chat_call(await services.catalogue.find(asked.model))
    return JSONResponse({"input_tokens": call.prompt_tokens, "estimated": True})


def _task(call: ChatCall, bot: str, key_id: str) -> GenerationTask:
    return GenerationTask(
        key_id=key_id,
        model=bot,
        build=partial(call.build, bot),
        prompt_tokens=call.prompt_tokens,
        limits=call.limits,
        kinds=call.kinds,
        is_streamed=call.is_streamed,
    )


def _stream(
    request: Request, generation: Generation, encoder: MessageEncoder, deadline: float, headers: dict[str, str]
) -> EventStream:
    context = context_of(request)
    return EventStream(
        partial(stream_message, generation, encoder),
        record=context.record,
        deadline=deadline,
        keep_alive_seconds=context.services.settings.keep_alive_seconds,
        translate=lambda error: gateway_error(error, now=time.time()),
        encode_error=partial(encode_error_event, request_id=context.record.request_id),
        headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
    )
