"""`POST /v1/images/generations` and `POST /v1/images/edits`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from accounts import ApiKey
from gateway.http.bodies import read_body, read_json
from gateway.http.deadline import bounded
from gateway.http.file_response import is_buffered
from gateway.models.catalogue import Model, require, unsupported_model
from gateway.surfaces.context import admit, authenticate, context_of, request_deadline
from gateway.surfaces.media.image_parameters import resolve
from gateway.surfaces.media.image_request import ImageCall, read_form_edit, read_generation, read_json_edit
from gateway.surfaces.media.images import ImageMaker


async def create_image(request: Request) -> Response:
    """Make images from a prompt.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    key = await authenticate(request)
    settings = context_of(request).services.settings
    call = read_generation(await read_json(request, max_bytes=settings.max_body_bytes))
    return await _answer(request, key, call, deadline)


async def edit_image(request: Request) -> Response:
    """Make images from images and a prompt; the body is a form or JSON.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    # Forms and what reads them are loaded for the requests that bring one.
    from gateway.http.multipart import is_form, read_form

    deadline = request_deadline(request)
    key = await authenticate(request)
    limit = context_of(request).services.settings.max_body_bytes
    if is_form(request.headers):
        form = await read_form(await read_body(request, max_bytes=limit), request.headers)
        async with bounded(request.receive, deadline):
            call = await read_form_edit(form)
    else:
        values = await read_json(request, max_bytes=limit)
        async with bounded(request.receive, deadline):
            call = await read_json_edit(values)
    return await _answer(request, key, call, deadline)


async def _answer(request: Request, key: ApiKey, call: ImageCall, deadline: float) -> Response:
    context = context_of(request)
    services, record = context.services, context.record
    model, bot = await admit(request, key, call.model, call.count)
    _check(model, call)
    parameters, ignored = resolve(call.wishes, bot, model)
    maker = ImageMaker(services, record, key.id, call, bot, model, parameters)
    async with bounded(request.receive, deadline):
        files, used = await maker.make()
        body = await maker.encode(files, used, is_buffered=is_buffered(request.scope))
    headers = {"x-gateway-ignored": ", ".join(ignored)} if ignored else None
    return Response(body, media_type="application/json", headers=headers)


def _check(model: Model | None, call: ImageCall) -> None:
    """Raises `GatewayError` (400) for what the model is known not to do."""
    require(model, "image", "images")
    if model is None or not call.is_edit:
        return
    if model.input_modalities is not None and "image" not in model.input_modalities:
        raise unsupported_model(f"The model '{model.id}' makes images, but takes none to edit.")
