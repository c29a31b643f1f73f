"""`POST /v1/videos`, `GET` and `DELETE /v1/videos/{id}`, `GET /v1/videos/{id}/content`."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse

from gateway.http.bodies import read_body, read_json
from gateway.http.deadline import bounded
from gateway.http.errors import invalid
from gateway.http.file_response import FileResponse
from gateway.models.catalogue import require
from gateway.surfaces.context import admit, authenticate, context_of, request_deadline
from gateway.surfaces.media.image_request import image_from_bytes, image_from_text
from gateway.surfaces.media.video_jobs import VideoCall, read_video_call
from gateway.surfaces.media.videos import VideoMaker


async def create_video(request: Request) -> JSONResponse:
    """Begin a video, or make it where the model's answer is the video: then the response takes as long.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    call = await _read_call(request, services.settings.max_body_bytes)
    model, bot = await admit(request, key, call.model)
    require(model, "video", "videos")
    async with bounded(request.receive, deadline):
        job, ignored = await VideoMaker(services, record, key.id).create(call, bot, model)
    headers = {"x-gateway-ignored": ", ".join(ignored)} if ignored else None
    return JSONResponse(job.to_openai() | {"prompt": call.prompt}, headers=headers)


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
    if variant != "video":
        raise invalid("'variant' must be 'video'.", param="variant", code="unsupported_value")
    async with bounded(request.receive, deadline):
        job = await maker.find(video_id)
    if job.status != "completed":
        raise invalid(f"The video is not there: it is '{job.status}'.", param="video_id", code="video_not_ready")
    return FileResponse(partial(maker.open, job), deadline=deadline)


async def _maker(request: Request) -> tuple[VideoMaker, str]:
    key = await authenticate(request)
    context = context_of(request)
    return VideoMaker(context.services, context.record, key.id), request.path_params["video_id"]


async def _read_call(request: Request, limit: int) -> VideoCall:
    """The body, a form or JSON. An image to begin with is a file of the form, or `image_url` of an object."""
    from gateway.http.multipart import is_form, read_form

    if is_form(request.headers):
        form = await read_form(await read_body(request, max_bytes=limit), request.headers)
        files = [part for part in form.files if part.field_name == "input_reference"]
        if len(files) != len(form.files) or len(files) > 1:
            raise invalid("A form may have one file, called 'input_reference'.", code="unknown_parameter")
        images = tuple(image_from_bytes(part.data, part.file_name, "input_reference") for part in files)
        return read_video_call(form.fields, images)
    values = await read_json(request, max_bytes=limit)
    call = read_video_call(values)
    reference = values.get("input_reference")
    if reference is None:
        return call
    address = reference.get("image_url") if isinstance(reference, dict) else reference
    if not isinstance(address, str):
        raise invalid("'input_reference' must have an 'image_url'.", param="input_reference", code="invalid_type")
    return read_video_call(values, (await image_from_text(address, "input_reference"),))
