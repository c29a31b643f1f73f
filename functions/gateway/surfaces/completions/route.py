"""`POST /v1/completions`, OpenAI's older endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from accounts import AccountKind
from gateway.generation.generation import Generation
from gateway.generation.parallel import absorb, part_of, run_all
from gateway.http.bodies import read_json
from gateway.http.deadline import bounded
from gateway.http.errors import gateway_error
from gateway.http.request_log import RequestRecord
from gateway.http.sse import EventStream
from gateway.models.catalogue import require
from gateway.models.parameters import ignored_header
from gateway.prompt.chat_task import IGNORED_HEADER, ChatTask, prepare_chat
from gateway.surfaces.completions.completions import (
    Answered,
    CompletionCall,
    CompletionEncoder,
    collect_answer,
    read_completion_call,
)
from gateway.surfaces.context import RequestContext, admit, authenticate, context_of, request_deadline

MAX_PARALLEL = 4


async def create_completion(request: Request) -> Response | EventStream:
    """Answer each prompt `n` times: at the same time, or streamed one after the other.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    call = read_completion_call(await read_json(request, max_bytes=services.settings.max_body_bytes))
    chat_calls = [call.chat_call(prompt) for prompt in call.prompts]
    model, bot = await admit(request, key, call.model)
    require(model, "text", "completions")
    async with asyncio.timeout_at(deadline):
        chats = [
            await prepare_chat(chat_call, bot=bot, entry=model, key_id=key.id, services=services)
            for chat_call in chat_calls
        ]
    work = _Work(context, call, chats)
    encoder = CompletionEncoder(call, created=int(time.time()))
    if call.is_streamed:
        return EventStream(
            lambda: work.stream(encoder),
            record=record,
            deadline=deadline,
            keep_alive_seconds=services.settings.keep_alive_seconds,
            translate=lambda error: gateway_error(error, now=time.time()),
            headers=lambda: tuple((name.encode(), value.encode()) for name, value in work.headers().items()),
        )
    async with bounded(request.receive, deadline):
        answers = await run_all(call.answers, MAX_PARALLEL, work.answer)
    # One answer that is missing would shift or hide another: all or nothing.
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    body = encoder.whole([answer for answer in answers if isinstance(answer, Answered)])
    return Response(body, media_type="application/json", headers=work.headers())


class _Work:
    """The generations of one request."""

    def __init__(self, context: RequestContext, call: CompletionCall, chats: Sequence[ChatTask]) -> None:
        self._context = context
        self._call = call
        # One for each prompt.
        self._chats = chats
        self._started: list[Generation] = []

    def headers(self) -> dict[str, str]:
        """What the accounts that answer, as far as they are known yet, are not told."""
        kinds: set[AccountKind | None] = {generation.kind for generation in self._started if generation.kind} or {None}
        ignored = {name for chat in self._chats for kind in kinds for name in chat.ignored(kind)}
        ignored.update(self._call.dropped)
        return {IGNORED_HEADER: ignored_header(tuple(sorted(ignored)))} if ignored else {}

    async def answer(self, index: int) -> Answered:
        generation, part = self._start(index)
        try:
            return await collect_answer(generation)
        finally:
            absorb(self._context.record, part)

    async def stream(self, encoder: CompletionEncoder) -> AsyncGenerator[bytes, None]:
        """All answers in their order, so that a stream holds one account at a time."""
        for index in range(self._call.answers):
            generation, part = self._start(index)
            try:
                async with aclosing(encoder.stream(index, generation)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            finally:
                absorb(self._context.record, part)
        yield encoder.end()

    def _start(self, index: int) -> tuple[Generation, RequestRecord]:
        part = part_of(self._context.record, index)
        choice = index % self._call.count
        task = self._chats[index // self._call.count].generation_task(choice)
        generation = self._context.services.generations.start(task, part)
        self._started.append(generation)
        return generation, part
