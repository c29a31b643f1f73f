"""`POST /v1/completions`, OpenAI's older endpoint."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from accounts import AccountKind
from gateway.bodies import read_json
from gateway.bounds import bounded
from gateway.catalogue import kinds_for, poe_name, require
from gateway.context import RequestContext, authenticate, context_of, request_deadline
from gateway.errors import gateway_error
from gateway.generation import Generation
from gateway.media.parallel import absorb, part_of, run_all
from gateway.observability import RequestRecord
from gateway.sse import EventStream
from gateway.text_completions import (
    Answered,
    CompletionCall,
    CompletionEncoder,
    collect_answer,
    read_completion_call,
)

MAX_PARALLEL = 4


async def create_completion(request: Request) -> Response | EventStream:
    """Answer each prompt `n` times: at the same time, or streamed one after the other."""
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    call = read_completion_call(await read_json(request, max_bytes=services.settings.max_body_bytes))
    model = await services.catalogue.find(call.model)
    bot = record.model = model.bot if model else poe_name(call.model)
    await services.authenticator.admit(key, call.model, bot)
    require(model, "text", "completions")
    work = _Work(context, call, bot, key.id, kinds_for(model))
    encoder = CompletionEncoder(call, created=int(time.time()))
    if call.is_streamed:
        return EventStream(
            lambda: work.stream(encoder),
            record=record,
            deadline=deadline,
            keep_alive_seconds=services.settings.keep_alive_seconds,
            translate=lambda error: gateway_error(error, now=time.time()),
        )
    async with bounded(request.receive, deadline):
        answers = await run_all(call.answers, MAX_PARALLEL, work.answer)
    # One answer that is missing would shift or hide another: all or nothing.
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return Response(
        encoder.whole([answer for answer in answers if isinstance(answer, Answered)]), media_type="application/json"
    )


class _Work:
    """The generations of one request."""

    def __init__(
        self, context: RequestContext, call: CompletionCall, bot: str, key_id: str, kinds: tuple[AccountKind, ...]
    ) -> None:
        self._context = context
        self._call = call
        self._bot = bot
        self._key_id = key_id
        self._kinds = kinds

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
        task = self._call.task(index, bot=self._bot, key_id=self._key_id, kinds=self._kinds)
        return self._context.services.generations.start(task, part), part
