"""`POST /v1/chat/completions`."""

from __future__ import annotations

import time
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.bodies import read_json
from gateway.bounds import bounded
from gateway.chat_request import ChatCall, read_chat_call
from gateway.chunks import ChunkEncoder
from gateway.completions import collect_completion, new_completion_id, stream_completion
from gateway.context import authenticate, context_of, request_deadline
from gateway.errors import gateway_error
from gateway.generation import Generation, GenerationTask
from gateway.sse import EventStream


async def create_chat_completion(request: Request) -> Response | EventStream:
    """Authenticate, normalise, generate, encode."""
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    call = read_chat_call(await read_json(request, max_bytes=services.settings.max_body_bytes))
    bot = record.model = await services.catalogue.bot(call.model)
    await services.authenticator.admit(key, call.model, bot)
    generation = services.generations.start(_task(call, bot, key.id), record)
    if call.is_streamed:
        return _stream(request, generation, call, deadline)
    async with bounded(request.receive, deadline):
        body = await collect_completion(
            generation, completion_id=new_completion_id(), created=int(time.time()), model=call.model
        )
    return Response(body, media_type="application/json")


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


def _stream(request: Request, generation: Generation, call: ChatCall, deadline: float) -> EventStream:
    context = context_of(request)
    encoder = ChunkEncoder(
        completion_id=new_completion_id(),
        created=int(time.time()),
        model=call.model,
        wants_usage=call.wants_usage,
    )
    return EventStream(
        partial(stream_completion, generation, encoder),
        record=context.record,
        deadline=deadline,
        keep_alive_seconds=context.services.settings.keep_alive_seconds,
        translate=lambda error: gateway_error(error, now=time.time()),
    )
