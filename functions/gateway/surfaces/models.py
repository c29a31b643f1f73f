"""What the caller's key may use: `GET /v1/models`, `GET /v1/models/{id}` and `GET /v1/usage`.

Models come in the shapes of OpenAI's API or of Anthropic's, which has the same addresses. `/v1/usage` works when the
budget is used up, too.
"""

from __future__ import annotations

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
from gateway.models.model import Model
from gateway.surfaces.context import authenticate, context_of, speaks_anthropic
from gateway.surfaces.kept_bodies import Body, encode
from lazy_dataclasses import dataclass


async def list_models(request: Request) -> Response:
    """The models that the caller's key may use. Raises `GatewayError` (400) for a page that is none."""
    key = await authenticate(request)
    services = context_of(request).services
    entries = await services.catalogue.entries()

    # What a key may not use it does not see: lists of models are how programs fill their menus.
    def usable() -> list[Model]:
        return [model for model in entries if may_use(key, _names(model))]

    if _wants_anthropic(request):
        page = Page.of(request.query_params)
        body = services.model_bodies.body(entries, (key.models, page), lambda: list_page(usable(), page))
    else:
        body = services.model_bodies.body(entries, (key.models, None), lambda: list_all(usable()))
    return _tagged(request, body)


async def retrieve_model(request: Request) -> Response:
    """One model, by its name or an alias. Raises `GatewayError` (404)."""
    key = await authenticate(request)
    model = await context_of(request).services.catalogue.entry(request.path_params["model"])
    # A forbidden model is told like an unknown one here, so that names can't be tried out.
    if model is None or not may_use(key, _names(model)):
        raise GatewayError(MODEL_NOT_FOUND, param="model")
    if _wants_anthropic(request):
        return _tagged(request, encode(to_anthropic(model)))
    return _tagged(request, encode(model.to_openai()))


def _names(model: Model) -> tuple[str, ...]:
    """What a key's list of models may call it."""
    return (model.id, model.bot) if model.alias_of is None else (model.id, model.alias_of, model.bot)


def _wants_anthropic(request: Request) -> bool:
    return speaks_anthropic(request.scope["path"], request.scope["headers"])


def _tagged(request: Request, body: Body) -> Response:
    """The body with its tag, or 304 where the caller has it already."""
    # What one key may see another may not: only the caller itself may keep it, and must ask before using it again.
    headers = {
        "etag": body.tag,
        "cache-control": "private, no-cache",
        "vary": "authorization, x-api-key, anthropic-version",
    }
    asked = request.headers.get("if-none-match", "")
    # Weak tags count as well: compression on the way makes them weak (RFC 9110, 13.1.2).
    if asked.strip() == "*" or body.tag in (item.strip().removeprefix("W/") for item in asked.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body.content, media_type="application/json", headers=headers)


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


def list_all(models: Sequence[Model]) -> dict[str, Any]:
    """OpenAI's list, which has no pages."""
    return {"object": "list", "data": [model.to_openai() for model in models]}


@dataclass(frozen=True, slots=True)
class Page:
    """`size` models after the id `after`, or the last ones before the id `before`."""

    size: int
    after: str | None = None
    before: str | None = None

    @staticmethod
    def of(query: QueryParams) -> Page:
        """The page that `limit`, `after_id` and `before_id` ask for. Raises `GatewayError` (400)."""
        size = page_size(query, default=_PAGE, highest=_MAX_PAGE)
        return Page(size, query.get("after_id") or None, query.get("before_id") or None)


def list_page(models: Sequence[Model], page: Page) -> dict[str, Any]:
    """A page of models. Raises `GatewayError` (400) for an id that is not among them."""
    ids = [model.id for model in models]
    start = item_index(page.after, ids, "after_id") + 1 if page.after else 0
    end = item_index(page.before, ids, "before_id") if page.before else len(ids)
    asked = models[start:end]
    # Before an id, the page next to it is wanted, not the first one of the list.
    shown = asked[-page.size :] if page.before else asked[: page.size]
    return {
        "data": [to_anthropic(model) for model in shown],
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
        "has_more": len(asked) > page.size,
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
