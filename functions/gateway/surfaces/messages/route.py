"""`POST /v1/messages` and `POST /v1/messages/count_tokens`, as Anthropic's API has them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.generation.answer import Answer, collect_answer, missing_links, stream_answer
from gateway.generation.generation import Generation
from gateway.http.bodies import read_json
from gateway.http.deadline import bounded
from gateway.http.sse import EventStream
from gateway.models.catalogue import Model
from gateway.models.parameters import ignored_header
from gateway.prompt.chat_task import IGNORED_HEADER, ChatTask, prepare_chat
from gateway.surfaces.context import admit, authenticate, context_of, event_stream, request_deadline
from gateway.surfaces.messages.encoder import MessageEncoder
from gateway.surfaces.messages.errors import encode_error_event
from gateway.surfaces.messages.message import MessageObject, new_message_id
from gateway.surfaces.messages.request import MessagesRequest, read_messages_request
from gateway.surfaces.messages.turns import rename_blamed
from reverse.events import TextDelta


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
    answer = Answer(hides_reasoning=not asked.thinking.is_shown)
    headers = partial(_headers, asked, model, chat, generation)
    if asked.is_streamed:
        return event_stream(
            request,
            partial(stream_answer, generation, MessageEncoder(message, answer)),
            deadline=deadline,
            headers=headers,
            encode_error=partial(encode_error_event, request_id=record.request_id),
        )
    async with bounded(request.receive, deadline):
        body = await _collect(generation, message, answer)
    return Response(body, media_type="application/json", headers=headers())


async def _collect(generation: Generation, message: MessageObject, answer: Answer) -> bytes:
    """The whole message as JSON. Raises what the generation raises, and `GatewayError` (502) for broken tool calls."""
    await collect_answer(generation, answer)
    if links := missing_links(answer.files, answer.text):
        answer.add(TextDelta(links))
    return json.dumps(message.finished(answer), separators=(",", ":")).encode()


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
