"""`/admin/keys` and `/admin/usage`: who may call, and what they consumed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.shapes import Deleted, KeyBody, KeyPage, NewKey, UsageDay, show_key
from gateway.http.errors import NOT_FOUND, GatewayError, invalid

router = APIRouter()


@router.post("/keys", status_code=201, response_model=NewKey)
async def create_key(body: KeyBody, services: ServicesArgument) -> dict[str, Any]:
    """Create a key. Its secret, `key`, is shown this once."""
    try:
        key, secret = await services.store.create_key(
            name=body.name.strip(),
            models=body.models,
            requests_per_minute=body.requests_per_minute,
            points_per_day=body.points_per_day,
            expires_at=body.expires_at,
            secret=body.secret.get_secret_value() if body.secret else None,
        )
    except ValueError:
        message = "'secret' could be guessed: give at least 24 random characters, or leave it out to get a key."
        raise invalid(message, param="secret", code="invalid_value") from None
    services.authenticator.forget()
    return show_key(key) | {"key": secret}


@router.get("/keys", response_model=KeyPage)
async def list_keys(services: ServicesArgument, limit: Limit = 50, cursor: str | None = None) -> dict[str, Any]:
    """One page of keys, without their secrets."""
    page = await services.store.list_keys(limit=limit, cursor=cursor)
    return {"object": "list", "data": [show_key(key) for key in page.items], "next_cursor": page.cursor}


@router.delete("/keys/{key_id}", response_model=Deleted)
async def revoke_key(key_id: str, services: ServicesArgument) -> dict[str, Any]:
    """Delete a key. Other warm sandboxes may accept it for up to a minute more."""
    if not await services.store.revoke_key(key_id):
        raise GatewayError(NOT_FOUND, "There is no such key.")
    services.authenticator.forget()
    return {"id": key_id, "deleted": True}


@router.get("/usage", response_model=UsageDay)
async def show_usage(
    services: ServicesArgument, day: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$")] = None
) -> dict[str, Any]:
    """One UTC day's consumption per key and model; today's by default."""
    day = day or datetime.now(UTC).strftime("%Y-%m-%d")
    try:
        rows = await services.store.usage(day=day)
    except ValueError:
        raise invalid("'day' is no day of the calendar.", param="day", code="invalid_value") from None
    return {"day": day, "data": [dict(row) for row in rows]}
