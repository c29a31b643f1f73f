"""`POST /v1/messages` and `POST /v1/messages/count_tokens`, as Anthropic's API has them, and their description."""

from __future__ import annotations

import asyncio
import json
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.generation.answer import Answer, collect_answer, missing_links, stream_answer
from gateway.generation.generation import Generation
from gateway.http.bodies import read_json
from gateway.http.declared_body import describe
from gateway.http.schemas import (
    BODY,
    COUNT,
    FLAG,
    GENERATION,
    IGNORED,
    POINTS,
    TEXT,
    Operation,
    Schema,
    array,
    const,
    events,
    json_media,
    obj,
    optional,
    ref,
)
from gateway.http.sse import EventStream
from gateway.prompt.chat_task import prepare_choice
from gateway.surfaces.context import admit, answering, authenticate, context_of, event_stream, request_deadline
from gateway.surfaces.messages.encoder import MessageEncoder, MessageObject, encode_error_event, new_message_id
from gateway.surfaces.messages.request import NAMES, MessageBody, PromptBody, read_messages_request
from reverse.events import TextDelta


async def create_message(request: Request) -> Response | EventStream:
    """Authenticate, normalise, generate, encode.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    # Read after the key was checked, and before the key's rate is counted: mistakes are free.
    asked = read_messages_request(await read_json(request, max_bytes=services.settings.max_body_bytes))
    meant = await admit(request, key, asked.model)
    async with asyncio.timeout_at(deadline):
        choice = await prepare_choice(meant, asked.generation_request, key_id=key.id, services=services)
    generation = services.generations.start(choice.task(), record)
    message = MessageObject(new_message_id(), choice.model, choice.chat.prompt_tokens)
    # Before anything is encoded: the first event of a stream names the model.
    choice.on_change(message.rename)
    answer = Answer(hides_reasoning=not asked.thinking.is_shown)
    headers = partial(choice.headers, generation)
    if choice.chat.request.is_streamed:
        return event_stream(
            request,
            partial(stream_answer, generation, MessageEncoder(message, answer)),
            deadline=deadline,
            headers=headers,
            names=NAMES,
            encode_error=partial(encode_error_event, request_id=record.request_id),
        )
    async with answering(request, deadline, NAMES):
        body = await _collect(generation, message, answer)
    return Response(body, media_type="application/json", headers=headers())


async def _collect(generation: Generation, message: MessageObject, answer: Answer) -> bytes:
    """The whole message as JSON. Raises what the generation raises, and `GatewayError` (400) for broken tool calls."""
    await collect_answer(generation, answer)
    # This API has no block for files of an answer: their links are text.
    if links := missing_links(answer.files, answer.text):
        answer.add(TextDelta(links))
    return json.dumps(message.finished(answer), separators=(",", ":")).encode()


async def count_tokens(request: Request) -> JSONResponse:
    """How many tokens a message's prompt has, as the gateway estimates it. Raises `GatewayError` (400)."""
    services = context_of(request).services
    await authenticate(request)
    values = await read_json(request, max_bytes=services.settings.max_body_bytes)
    asked = read_messages_request(values, counts_only=True)
    # Nothing is sent, so that nothing is admitted or counted.
    wanted = asked.generation_request((await services.catalogue.resolve(asked.model)).model)
    return JSONResponse({"input_tokens": wanted.prompt_tokens, "estimated": True})


SCHEMAS: dict[str, Schema] = {
    "AnthropicError": obj(
        "type error request_id",
        type=const("error"),
        error=obj(
            "type message details",
            type=TEXT,
            message=TEXT,
            details=obj("error_code", error_code=TEXT, param=TEXT),
        ),
        request_id=TEXT,
    ),
    # From the fields that read the body, so that reader and description can't differ.
    "MessagesRequest": describe(MessageBody),
    "AnthropicMessage": obj(
        "id type role model content stop_reason stop_sequence usage",
        id=TEXT,
        type=const("message"),
        role=const("assistant"),
        model=TEXT,
        content=array(obj("type", type=TEXT)),
        stop_reason=optional(TEXT),
        stop_sequence=optional(TEXT),
        usage=obj("input_tokens output_tokens", input_tokens=COUNT, output_tokens=COUNT, estimated=FLAG, **POINTS),
    ),
}
_QUESTION = {"model": "Claude-Sonnet-4.5", "max_tokens": 500, "messages": [{"role": "user", "content": "Hello"}]}

OPERATIONS: dict[str, Operation] = {
    "create_message": Operation(
        summary="Answer a conversation",
        tag="Messages (Anthropic)",
        body=json_media(ref("MessagesRequest"), question=_QUESTION, streamed=_QUESTION | {"stream": True}),
        answer=json_media(ref("AnthropicMessage")) | events("An event as JSON; its `type` is also the event's name."),
        headers=IGNORED,
        situations=GENERATION,
        speaks_anthropic=True,
    ),
    "count_tokens": Operation(
        summary="Estimate the tokens of a prompt",
        tag="Messages (Anthropic)",
        body=json_media(describe(PromptBody)),
        answer=json_media(obj("input_tokens", input_tokens=COUNT, estimated=FLAG)),
        situations=BODY,
        speaks_anthropic=True,
    ),
}
