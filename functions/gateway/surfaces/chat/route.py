"""`POST /v1/chat/completions`."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.generation.generation import Generation
from gateway.http.bodies import read_json
from gateway.http.deadline import bounded
from gateway.http.errors import gateway_error
from gateway.http.request_log import RequestRecord
from gateway.http.sse import EventStream
from gateway.prompt.chat_task import ChatTask, prepare_chat
from gateway.prompt.request import read_chat_call
from gateway.surfaces.chat.choices import Choices
from gateway.surfaces.chat.collected import CollectedChoice, encode_completion, new_completion_id, stream_completion
from gateway.surfaces.chat.encoder import ChunkEncoder
from gateway.surfaces.context import admit, authenticate, context_of, request_deadline


async def create_chat_completion(request: Request) -> Response | EventStream:
    """Authenticate, normalise, generate, encode."""
    deadline = request_deadline(request)
    services = context_of(request).services
    key = await authenticate(request)
    call = read_chat_call(await read_json(request, max_bytes=services.settings.max_body_bytes))
    entry, bot = await admit(request, key, call.model)
    async with asyncio.timeout_at(deadline):
        chat = await prepare_chat(call, bot=bot, entry=entry, key_id=key.id, services=services)
    if call.is_streamed:
        return _stream(request, chat, deadline)
    async with bounded(request.receive, deadline):
        return await _collect(request, chat)


class _Completion:
    """The parts of a completion that the stream and the object have in common."""

    def __init__(self, request: Request, chat: ChatTask) -> None:
        self._context = context_of(request)
        self._chat = chat
        self._first: Generation | None = None
        self.completion_id = new_completion_id()
        self.created = int(time.time())

    def start(self, choice: int, record: RequestRecord) -> Generation:
        """The generation of one choice."""
        generation = self._context.services.generations.start(self._chat.generation_task(choice), record)
        if choice == 0:
            self._first = generation
        return generation

    def encoder(self, choice: int | None = None) -> ChunkEncoder:
        """The encoder of one choice; `None` for the only one."""
        call = self._chat.call
        return ChunkEncoder(
            completion_id=self.completion_id,
            created=self.created,
            model=call.model,
            wants_usage=call.wants_usage,
            choice=choice,
            is_legacy=call.specs.is_legacy,
        )

    def headers(self) -> dict[str, str]:
        """What is known of the answer when its status line leaves."""
        return self._chat.headers(self._first.kind if self._first else None)

    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The same, as ASGI has them."""
        return tuple((name.encode(), value.encode()) for name, value in self.headers().items())


def _stream(request: Request, chat: ChatTask, deadline: float) -> EventStream:
    context = context_of(request)
    completion = _Completion(request, chat)
    if chat.call.choices == 1:
        produce = partial(stream_completion, completion.start(0, context.record), completion.encoder())
    else:
        produce = partial(Choices(chat.call.choices, completion.start, context.record).stream, completion.encoder)
    return EventStream(
        produce,
        record=context.record,
        deadline=deadline,
        keep_alive_seconds=context.services.settings.keep_alive_seconds,
        translate=lambda error: gateway_error(error, now=time.time()),
        headers=completion.raw_headers,
    )


async def _collect(request: Request, chat: ChatTask) -> Response:
    record = context_of(request).record
    completion = _Completion(request, chat)
    is_legacy = chat.call.specs.is_legacy
    if chat.call.choices == 1:
        choice = CollectedChoice(is_legacy=is_legacy)
        choices, usage = [choice], await choice.collect(completion.start(0, record))
    else:
        choices, usage = await Choices(chat.call.choices, completion.start, record).collect(is_legacy=is_legacy)
    body = encode_completion(
        choices,
        usage,
        completion_id=completion.completion_id,
        created=completion.created,
        model=chat.call.model,
    )
    return Response(body, media_type="application/json", headers=completion.headers())
