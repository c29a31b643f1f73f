"""`GET /v1/models` and `GET /v1/models/{id}`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from gateway.auth import may_use
from gateway.context import authenticate, context_of
from gateway.errors import MODEL_NOT_FOUND, GatewayError


async def list_models(request: Request) -> JSONResponse:
    """The models that the caller's key may use."""
    key = await authenticate(request)
    models = await context_of(request).services.catalogue.models()
    data = [model.to_openai() for model in models if may_use(key, (model.id, model.bot))]
    return JSONResponse({"object": "list", "data": data})


async def retrieve_model(request: Request) -> JSONResponse:
    """One model, by its name or an alias."""
    key = await authenticate(request)
    model = await context_of(request).services.catalogue.find(request.path_params["model"])
    if model is None or not may_use(key, (model.id, model.bot)):
        raise GatewayError(MODEL_NOT_FOUND, param="model")
    return JSONResponse(model.to_openai())
