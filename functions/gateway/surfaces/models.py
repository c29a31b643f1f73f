"""What the caller's key may use: `GET /v1/models`, `GET /v1/models/{id}` and `GET /v1/usage`.

Models come in the shapes of OpenAI's API or of Anthropic's, which has the same addresses. `/v1/usage` works when the
budget is used up, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from accounts import ApiKey, KeyUse
from gateway.http.auth import may_use
from gateway.http.bodies import item_index, page_size
from gateway.http.errors import MODEL_NOT_FOUND, GatewayError
from gateway.models.catalogue import Model
from gateway.surfaces.context import authenticate, context_of, speaks_anthropic


async def list_models(request: Request) -> Response:
    """The models that the caller's key may use. Raises `GatewayError` (400) for a page that is none."""
    key = await authenticate(request)
    models = await context_of(request).services.catalogue.entries()
    # What a key may not use it does not see: lists of models are how programs fill their menus.
    models = [model for model in models if may_use(key, _names(model))]
    if _wants_anthropic(request):
        return _tagged(request, list_page(models, request.query_params))
    return _tagged(request, {"object": "list", "data": [model.to_openai() for model in models]})


async def retrieve_model(request: Request) -> Response:
    """One model, by its name or an alias. Raises `GatewayError` (404)."""
    key = await authenticate(request)
    model = await context_of(request).services.catalogue.entry(request.path_params["model"])
    # A forbidden model is told like an unknown one here, so that names can't be tried out.
    if model is None or not may_use(key, _names(model)):
        raise GatewayError(MODEL_NOT_FOUND, param="model")
    if _wants_anthropic(request):
        return _tagged(request, to_anthropic(model))
    return _tagged(request, model.to_openai())


def _names(model: Model) -> tuple[str, ...]:
    """What a key's list of models may call it."""
    return (model.id, model.bot) if model.alias_of is None else (model.id, model.alias_of, model.bot)


def _wants_anthropic(request: Request) -> bool:
    return speaks_anthropic(request.scope["path"], request.scope["headers"])


def _tagged(request: Request, value: Any) -> Response:
    """The value as JSON with its tag, or 304 where the caller has it already."""
    # Serialised here, since the tag is made of the bytes.
    body = json.dumps(value, separators=(",", ":")).encode()
    # Of the body itself: it depends on the key, the aliases and the list, whose ages say nothing of the answer.
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # What one key may see another may not: only the caller itself may keep it, and must ask before using it again.
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "authorization, x-api-key, anthropic-version"}
    asked = request.headers.get("if-none-match", "")
    # Weak tags count as well: compression on the way makes them weak (RFC 9110, 13.1.2).
    if asked.strip() == "*" or tag in (item.strip().removeprefix("W/") for item in asked.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


_PAGE, _MAX_PAGE = 20, 1000


def to_anthropic(model: Model) -> dict[str, Any]:
    """Anthropic's model object, without the capabilities that only its own models have words for."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.alias_of or model.id,
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
    # Before an id, the page next to it is wanted, not the first one of the list.
    page = asked[-size:] if before else asked[:size]
    return {
        "data": [to_anthropic(model) for model in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": len(asked) > size,
    }


async def show_own_usage(request: Request) -> JSONResponse:
    """The limits of the key, what counts against each, what is left, and when it begins anew. Counts as no request."""
    key = await authenticate(request)
    # Read only: asking must be possible, and free, when the budget is used up.
    use = await context_of(request).services.store.key_use(key.id)
    return JSONResponse(
        {
            "object": "usage",
            "name": key.name,
            "models": list(key.models),
            "expires_at": _iso(key.expires_at),
            "limits": limits_of(key, use),
        }
    )


def limits_of(key: ApiKey, use: KeyUse) -> list[dict[str, Any]]:
    """One row for each unit and window. `limit` and `left` are null where there is no limit."""
    # The store's time, by which its windows begin; the sandbox's clock may be off.
    now = datetime.fromtimestamp(use.at, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = day + timedelta(days=1)
    # 32 days after the first are in the next month, however long this one is.
    next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    next_minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    rows = (
        ("points", "day", key.points_per_day, use.points_today, tomorrow),
        ("points", "month", key.points_per_month, use.points_this_month, next_month),
        ("tokens", "day", key.tokens_per_day, use.tokens_today, tomorrow),
        ("tokens", "month", key.tokens_per_month, use.tokens_this_month, next_month),
        ("requests", "minute", key.requests_per_minute, use.requests_this_minute, next_minute),
        ("streams", "now", key.max_concurrent, use.running, None),
    )
    return [
        {
            "unit": unit,
            "window": window,
            "limit": limit,
            "used": used,
            "left": None if limit is None else max(0, limit - used),
            "resets_at": _iso(resets.timestamp()) if resets else None,
        }
        for unit, window, limit, used, resets in rows
    ]


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
