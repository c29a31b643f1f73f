"""`POST /v1/audio/speech`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request

from accounts import AccountKind
from gateway.generation import usage
from gateway.generation.generation import GenerationTask
from gateway.http.bodies import read_json
from gateway.http.deadline import bounded
from gateway.http.errors import UNUSABLE_ANSWER, GatewayError
from gateway.http.file_response import MAX_STREAMED_BYTES as _MAX_BYTES
from gateway.http.file_response import Download, FileResponse
from gateway.models.catalogue import kinds_for, require
from gateway.surfaces.context import admit, authenticate, context_of, request_deadline
from gateway.surfaces.media.file_links import collect_files
from gateway.surfaces.media.speech import read_speech_call
from reverse.chat import ChatRequest, Message


async def create_speech(request: Request) -> FileResponse:
    """Have a bot speak, and pass the sound on as it comes.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    call = read_speech_call(await read_json(request, max_bytes=services.settings.max_body_bytes))
    model, bot = await admit(request, key, call.model)
    require(model, "audio", "speech")
    sent: dict[str, Any] = {}

    def build(kind: AccountKind) -> ChatRequest:
        sent.clear()
        sent.update(call.sent(kind, model))
        return ChatRequest(bot, (Message("user", call.text),), parameters=dict(sent))

    task = GenerationTask(
        key_id=key.id,
        model=bot,
        build=build,
        prompt_tokens=usage.tokens(call.text),
        kinds=kinds_for(model),
        is_streamed=False,
    )
    async with bounded(request.receive, deadline):
        files = await collect_files(services.generations.start(task, record))
        found = [file for file in files if await services.downloads.is_of_type(file, "audio", max_bytes=_MAX_BYTES)]
    if not found:
        raise _silent()

    @asynccontextmanager
    async def open_sound(max_bytes: int) -> AsyncIterator[Download]:
        async with services.downloads.open(found[0], max_bytes=max_bytes) as opened:
            if not opened.content_type.startswith("audio/"):
                raise _silent()
            ignored = ", ".join(call.ignored(sent, opened.content_type))
            headers = {"x-gateway-ignored": ignored} if ignored else {}
            yield Download(opened.content_type, opened.size, opened.chunks, headers)

    return FileResponse(open_sound, deadline=deadline)


def _silent() -> GatewayError:
    return GatewayError(UNUSABLE_ANSWER, "The model answered without a sound.", code="no_audio")
