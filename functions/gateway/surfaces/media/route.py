"""`/v1/images/generations`, `/v1/images/edits`, `/v1/audio/speech` and `/v1/videos`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from accounts import AccountKind, ApiKey
from gateway.generation import usage
from gateway.generation.downloads import MAX_STREAMED_BYTES as _MAX_BYTES
from gateway.generation.downloads import Download, FileResponse, collect_files, is_buffered
from gateway.generation.task import GenerationTask
from gateway.http.bodies import is_form, read_body, read_form, read_json
from gateway.http.deadline import bounded
from gateway.http.errors import UNUSABLE_ANSWER, GatewayError, invalid
from gateway.http.request_log import RequestRecord
from gateway.models.catalogue import kinds_for, require, unsupported_model
from gateway.models.model import Model
from gateway.prompt.chat_task import model_header
from gateway.surfaces.context import admit, authenticate, context_of, request_deadline
from gateway.surfaces.media.image_request import (
    ImageRequest,
    image_from_bytes,
    image_from_text,
    read_form_edit,
    read_generation,
    read_json_edit,
)
from gateway.surfaces.media.images import ImageMaker, resolve_wishes
from gateway.surfaces.media.speech import read_speech_request
from gateway.surfaces.media.videos import VideoMaker, VideoRequest, read_video_request
from reverse.chat import ChatRequest, Message


async def create_image(request: Request) -> Response:
    """Make images from a prompt.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    key = await authenticate(request)
    settings = context_of(request).services.settings
    asked = read_generation(await read_json(request, max_bytes=settings.max_body_bytes))
    return await _answer(request, key, asked, deadline)


async def edit_image(request: Request) -> Response:
    """Make images from images and a prompt; the body is a form or JSON.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    # Forms and what reads them are loaded for the requests that bring one.
    deadline = request_deadline(request)
    key = await authenticate(request)
    limit = context_of(request).services.settings.max_body_bytes
    if is_form(request.headers):
        form = await read_form(await read_body(request, max_bytes=limit), request.headers)
        async with bounded(request.receive, deadline):
            asked = await read_form_edit(form)
    else:
        values = await read_json(request, max_bytes=limit)
        async with bounded(request.receive, deadline):
            asked = await read_json_edit(values)
    return await _answer(request, key, asked, deadline)


async def _answer(request: Request, key: ApiKey, asked: ImageRequest, deadline: float) -> Response:
    context = context_of(request)
    services, record = context.services, context.record
    meant = await admit(request, key, asked.model, asked.count)
    model, bot = meant.model, meant.bot
    _check(model, asked)
    # Before anything is sent: a size that the bot does not have costs nothing here.
    parameters, ignored = resolve_wishes(asked.wishes, bot, model)
    maker = ImageMaker(services, record, key.id, asked, bot, model, parameters)
    async with bounded(request.receive, deadline):
        files, used = await maker.make()
        body = await maker.encode(files, used, is_buffered=is_buffered(request.scope))
    headers = {**model_header(meant), **({"x-gateway-ignored": ", ".join(ignored)} if ignored else {})}
    return Response(body, media_type="application/json", headers=headers)


def _check(model: Model | None, asked: ImageRequest) -> None:
    """Raises `GatewayError` (400) for what the model is known not to do."""
    require(model, "image", "images")
    # What nobody lists may be able to: Poe says so if not.
    if model is None or not asked.is_edit:
        return
    if model.input_modalities is not None and "image" not in model.input_modalities:
        raise unsupported_model(f"The model '{model.id}' makes images, but takes none to edit.")


async def create_video(request: Request) -> JSONResponse:
    """Begin a video, or make it where the model's answer is the video: then the response takes as long.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    asked = await _read_video(request, services.settings.max_body_bytes)
    meant = await admit(request, key, asked.model)
    require(meant.model, "video", "videos")
    # The job shows callers the name that they know, or the model behind their alias.
    asked = replace(asked, model=meant.told(asked.model))
    async with bounded(request.receive, deadline):
        job, ignored = await VideoMaker(services, record, key.id).create(asked, meant.bot, meant.model)
    headers = {**model_header(meant), **({"x-gateway-ignored": ", ".join(ignored)} if ignored else {})}
    # The prompt is in this answer only: it is not stored.
    shown = job.to_openai() | {"prompt": asked.prompt, "usage": _points(record)}
    return JSONResponse(shown, headers=headers)


async def retrieve_video(request: Request) -> JSONResponse:
    """How far a video is. Raises `GatewayError` (404), `PoeError`, `AccountStoreError`."""
    maker, video_id = await _maker(request)
    async with bounded(request.receive, request_deadline(request)):
        job = await maker.find(video_id)
    return JSONResponse(job.to_openai())


async def delete_video(request: Request) -> JSONResponse:
    """Forget a video. Raises `GatewayError` (404), `AccountStoreError`."""
    maker, video_id = await _maker(request)
    await maker.delete(video_id)
    return JSONResponse({"id": video_id, "object": "video.deleted", "deleted": True})


async def download_video(request: Request) -> FileResponse:
    """The video itself, passed on as it comes. Raises `GatewayError` (400, 404), `PoeError`, `AccountStoreError`."""
    deadline = request_deadline(request)
    variant = request.query_params.get("variant", "video")
    maker, video_id = await _maker(request)
    # Thumbnails and sprites are OpenAI's; Poe makes none.
    if variant != "video":
        raise invalid("'variant' must be 'video'.", param="variant", code="unsupported_value")
    async with bounded(request.receive, deadline):
        job = await maker.find(video_id)
    # A 400 and not a 404: the video may still come.
    if job.status != "completed":
        raise invalid(f"The video is not there: it is '{job.status}'.", param="video_id", code="video_not_ready")
    # Opened with the response, so that its bytes are never all in memory.
    return FileResponse(partial(maker.open, job), deadline=deadline)


async def _maker(request: Request) -> tuple[VideoMaker, str]:
    key = await authenticate(request)
    context = context_of(request)
    return VideoMaker(context.services, context.record, key.id), request.path_params["video_id"]


async def _read_video(request: Request, limit: int) -> VideoRequest:
    """The body, a form or JSON. An image to begin with is a file of the form, or `image_url` of an object."""
    if is_form(request.headers):
        form = await read_form(await read_body(request, max_bytes=limit), request.headers)
        files = [part for part in form.files if part.field_name == "input_reference"]
        if len(files) != len(form.files) or len(files) > 1:
            raise invalid("A form may have one file, called 'input_reference'.", code="unknown_parameter")
        images = tuple(image_from_bytes(part.data, part.file_name, "input_reference") for part in files)
        return read_video_request(form.fields, images)
    values = await read_json(request, max_bytes=limit)
    asked = read_video_request(values)
    reference = values.get("input_reference")
    if reference is None:
        return asked
    address = reference.get("image_url") if isinstance(reference, dict) else reference
    if not isinstance(address, str):
        raise invalid("'input_reference' must have an 'image_url'.", param="input_reference", code="invalid_type")
    return read_video_request(values, (await image_from_text(address, "input_reference"),))


async def create_speech(request: Request) -> FileResponse:
    """Have a bot speak, and pass the sound on as it comes.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    asked = read_speech_request(await read_json(request, max_bytes=services.settings.max_body_bytes))
    meant = await admit(request, key, asked.model)
    model, bot = meant.model, meant.bot
    require(model, "audio", "speech")
    sent: dict[str, Any] = {}

    def build(kind: AccountKind) -> ChatRequest:
        # Made anew for each account: after a failure the next one may be of another kind, which takes other options.
        sent.clear()
        sent.update(asked.sent(kind, model))
        return ChatRequest(bot, (Message("user", asked.text),), parameters=dict(sent))

    task = GenerationTask(
        key_id=key.id,
        model=bot,
        build=build,
        prompt_tokens=usage.tokens(asked.text),
        kinds=kinds_for(model),
        is_streamed=False,
    )
    async with bounded(request.receive, deadline):
        files = await collect_files(services.generations.start(task, record))
        found = [file for file in files if await services.downloads.is_of_type(file, "audio", max_bytes=_MAX_BYTES)]
    # Before the response begins, so that it is an error that a client can read.
    if not found:
        raise _silent()

    @asynccontextmanager
    async def open_sound(max_bytes: int) -> AsyncIterator[Download]:
        # The first sound is the answer: a response has room for one.
        async with services.downloads.open(found[0], max_bytes=max_bytes) as opened:
            if not opened.content_type.startswith("audio/"):
                raise _silent()
            ignored = ", ".join(asked.ignored(sent, opened.content_type))
            # The body is the sound: headers are the only place. `null` is unknown, as everywhere.
            headers = {"x-gateway-points": json.dumps(record.points)}
            headers |= {"x-gateway-points-estimated": "true"} if record.points_estimated else {}
            headers |= model_header(meant)
            headers |= {"x-gateway-ignored": ignored} if ignored else {}
            yield Download(opened.content_type, opened.size, opened.chunks, headers)

    return FileResponse(open_sound, deadline=deadline)


def _points(record: RequestRecord) -> dict[str, Any]:
    return usage.points_fields(record.points, is_estimated=record.points_estimated)


def _silent() -> GatewayError:
    return GatewayError(UNUSABLE_ANSWER, "The model answered without a sound.", code="no_audio")
