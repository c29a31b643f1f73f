"""`GET /v1/usage`: what the key that asks may use, and has used. It works when the budget is used up, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from accounts import ApiKey, KeyUse
from gateway.surfaces.context import authenticate, context_of


async def show_own_usage(request: Request) -> JSONResponse:
    """The limits of the key, what counts against each, what is left, and when it begins anew. Counts as no request."""
    key = await authenticate(request)
    use = await context_of(request).services.store.key_use(key.id)
    return JSONResponse(
        {
            "object": "usage",
            "name": key.name,
            "models": list(key.models),
            "expires_at": _iso(key.expires_at),
            "limits": _limits(key, use),
        }
    )


def _limits(key: ApiKey, use: KeyUse) -> list[dict[str, Any]]:
    """One row for each unit and window. `limit` and `left` are null where there is no limit."""
    now = datetime.fromtimestamp(use.at, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = day + timedelta(days=1)
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
