"""`GET /v1/models` and `GET /v1/models/{id}`, in the shapes of OpenAI's API or of Anthropic's, which has the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.auth import may_use
from gateway.http.bodies import item_index, page_size
from gateway.http.errors import MODEL_NOT_FOUND, GatewayError
from gateway.models.catalogue import Model
from gateway.surfaces.context import authenticate, context_of, speaks_anthropic


async def list_models(request: Request) -> Response:
    """The models that the caller's key may use. Raises `GatewayError` (400) for a page that is none."""
    key = await authenticate(request)
    models = await context_of(request).services.catalogue.models()
    models = [model for model in models if may_use(key, (model.id, model.bot))]
    if _wants_anthropic(request):
        return _tagged(request, list_page(models, request.query_params))
    return _tagged(request, {"object": "list", "data": [model.to_openai() for model in models]})


async def retrieve_model(request: Request) -> Response:
    """One model, by its name or an alias. Raises `GatewayError` (404)."""
    key = await authenticate(request)
    model = await context_of(request).services.catalogue.find(request.path_params["model"])
    if model is None or not may_use(key, (model.id, model.bot)):
        raise GatewayError(MODEL_NOT_FOUND, param="model")
    if _wants_anthropic(request):
        return _tagged(request, to_anthropic(model))
    return _tagged(request, model.to_openai())


def _wants_anthropic(request: Request) -> bool:
    return speaks_anthropic(request.scope["path"], request.scope["headers"])


def _tagged(request: Request, value: Any) -> Response:
    """The value as JSON with its tag, or 304 where the caller has it already."""
    body = json.dumps(value, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # What one key may see another may not: only the caller itself may keep it, and must ask before using it again.
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "authorization, x-api-key, anthropic-version"}
    asked = request.headers.get("if-none-match", "")
    if asked.strip() == "*" or tag in (item.strip().removeprefix("W/") for item in asked.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


_PAGE, _MAX_PAGE = 20, 1000


def to_anthropic(model: Model) -> dict[str, Any]:
    """Anthropic's model object, without the capabilities that only its own models have words for."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id,
        "created_at": datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": model.context_length,
        "max_tokens": model.max_output_tokens,
    }


def list_page(models: Sequence[Model], query: QueryParams) -> dict[str, Any]:
    """A page of models: `limit` of them after `after_id`, or the last ones before `before_id`.

    Raises `GatewayError` (400).
    """
    size = page_size(query, default=_PAGE, highest=_MAX_PAGE)
    ids = [model.id for model in models]
    after, before = query.get("after_id"), query.get("before_id")
    start = item_index(after, ids, "after_id") + 1 if after else 0
    end = item_index(before, ids, "before_id") if before else len(ids)
    asked = models[start:end]
    page = asked[-size:] if before else asked[:size]
    return {
        "data": [to_anthropic(model) for model in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": len(asked) > size,
    }
