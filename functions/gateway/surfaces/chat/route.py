"""`POST /v1/chat/completions`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.generation.answer import Answer, collect_answer, stream_answer
from gateway.generation.generation import Generation
from gateway.generation.parallel import run_all, stream_all
from gateway.generation.usage import TokenUsage
from gateway.http.bodies import read_json
from gateway.http.request_log import RequestRecord
from gateway.http.sse import EventStream, Put
from gateway.prompt.chat_task import ModelChoice, prepare_choice
from gateway.surfaces.chat.encoder import ChunkEncoder, encode_completion, new_completion_id
from gateway.surfaces.chat.request import NAMES, read_chat_request
from gateway.surfaces.context import admit, answering, authenticate, context_of, event_stream, request_deadline


async def create_chat_completion(request: Request) -> Response | EventStream:
    """Authenticate, normalise, generate, encode."""
    # First of all: the time for reading the body counts as well.
    deadline = request_deadline(request)
    services = context_of(request).services
    # Before the body is read: a stranger must not make the gateway take in megabytes.
    key = await authenticate(request)
    asked = read_chat_request(await read_json(request, max_bytes=services.settings.max_body_bytes))
    # After the body is known to be valid: a mistake is not counted against the key's rate.
    meant = await admit(request, key, asked.model, asked.choices)
    # Files may be fetched here, which takes as long as their servers let it.
    async with asyncio.timeout_at(deadline):
        model_choice = await prepare_choice(
            meant, lambda _: asked, key_id=key.id, services=services, has_others=asked.choices == 1
        )
    completion = _Completion(request, model_choice)
    if asked.is_streamed:
        return event_stream(request, completion.stream, deadline=deadline, headers=completion.headers, names=NAMES)
    async with answering(request, deadline, NAMES):
        body = await completion.collect()
    return Response(body, media_type="application/json", headers=completion.headers())


class _Completion:
    """The answers to one request, streamed or collected."""

    def __init__(self, request: Request, model_choice: ModelChoice) -> None:
        context = context_of(request)
        self._record = context.record
        self._generations = context.services.generations
        self._model_choice = model_choice
        self._request = model_choice.chat.request
        self._first: Generation | None = None
        self._encoders: dict[int, ChunkEncoder] = {}
        self._completion_id = new_completion_id()
        self._created = int(time.time())

    def headers(self) -> dict[str, str]:
        """What is known of the answer by now."""
        return self._model_choice.headers(self._first)

    async def collect(self) -> bytes:
        """The completion object. Raises what the first failing choice raises."""
        asked = self._request
        if asked.choices == 1:
            # The request's own record: only with it the log entry is written along with the release.
            answers = [await self._collect_choice(0, self._record)]
        else:
            answers = await run_all(asked.choices, self._collect_choice, record=self._record, width=asked.choices)
        return encode_completion(
            answers,
            completion_id=self._completion_id,
            created=self._created,
            model=self._model_choice.model,
            specs=asked.specs,
        )

    def stream(self, put: Put) -> Coroutine[Any, Any, None]:
        """Put the chunks; those of several choices as they come."""
        if self._request.choices == 1:
            encoder = self._encoder(None)
            self._model_choice.on_change(encoder.rename)
            return stream_answer(self._start(0, self._record), encoder, put)
        return self._stream_choices(put)

    async def _stream_choices(self, put: Put) -> None:
        choices = self._request.choices
        await stream_all(choices, self._stream_choice, put, record=self._record, width=choices)
        usage = TokenUsage.total(encoder.answer.usage for encoder in self._encoders.values())
        # Once for all choices, after the last of them.
        if (full := put(self._encoder(0).end_stream(usage))) is not None:
            await full

    async def _stream_choice(self, choice: int, record: RequestRecord, put: Put) -> None:
        # A choice that had to wait for an account begins again, with nothing sent yet.
        encoder = self._encoders[choice] = self._encoder(choice)
        await stream_answer(self._start(choice, record), encoder, put)

    async def _collect_choice(self, choice: int, record: RequestRecord) -> Answer:
        return await collect_answer(self._start(choice, record))

    def _start(self, choice: int, record: RequestRecord) -> Generation:
        generation = self._generations.start(self._model_choice.task(choice), record)
        # The headers tell of one account; that of the first choice is as good as any.
        if choice == 0:
            self._first = generation
        return generation

    def _encoder(self, choice: int | None) -> ChunkEncoder:
        asked = self._request
        return ChunkEncoder(
            completion_id=self._completion_id,
            created=self._created,
            model=self._model_choice.model,
            wants_usage=asked.wants_usage,
            choice=choice,
            specs=asked.specs,
        )
