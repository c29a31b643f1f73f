"""`/admin/keys`: who may call, and within which limits."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from accounts import ConflictError, KeyNotFoundError, KeyUse
from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.key_shapes import (
    KeyBody,
    KeyChange,
    KeyPage,
    KeyShown,
    KeyWithUse,
    NewKey,
    Rotation,
)
from gateway.admin.shapes import Deleted
from gateway.admin.shown import iso_time, show_key, show_use
from gateway.http.errors import NOT_FOUND, GatewayError, Situation, invalid

router = APIRouter(prefix="/keys")
CHANGED_MEANWHILE = Situation(
    409,
    "invalid_request_error",
    "conflict",
    "The key was changed meanwhile. Read it again, and repeat the change.",
    False,
)


def no_such_key() -> GatewayError:
    return GatewayError(NOT_FOUND, "There is no such key.")


@router.post("", status_code=201, response_model=NewKey)
async def create_key(body: KeyBody, services: ServicesArgument) -> dict[str, Any]:
    """Create a key. Its secret, `key`, is shown this once."""
    secret = body.secret.get_secret_value() if body.secret else None
    try:
        key, made = await services.store.create_key(secret=secret, **body.settings())
    except ValueError:
        message = "'secret' could be guessed: give at least 24 random characters, or leave it out to get a key."
        raise invalid(message, param="secret", code="invalid_value") from None
    services.authenticator.forget()
    return show_key(key) | {"key": made}


@router.get("", response_model=KeyPage)
async def list_keys(services: ServicesArgument, limit: Limit = 50, cursor: str | None = None) -> dict[str, Any]:
    """One page of keys, without their secrets."""
    page = await services.store.list_keys(limit=limit, cursor=cursor)
    uses: dict[str, KeyUse] = {}
    for start in range(0, len(page.items), 100):
        uses |= await services.store.key_uses([key.id for key in page.items[start : start + 100]])
    data = [show_key(key, uses.get(key.id)) for key in page.items]
    return {"object": "list", "data": data, "next_cursor": page.cursor}


@router.get("/{key_id}", response_model=KeyWithUse)
async def get_key(key_id: str, services: ServicesArgument) -> dict[str, Any]:
    """One key, with what it has consumed."""
    try:
        key = await services.store.get_key(key_id)
    except KeyNotFoundError:
        raise no_such_key() from None
    use = await services.store.key_use(key_id)
    return show_key(key, use) | {"use": show_use(use)}


@router.patch("/{key_id}", response_model=KeyShown)
async def change_key(key_id: str, body: KeyChange, services: ServicesArgument) -> dict[str, Any]:
    """Change name, limits, or whether it may be used. Other warm sandboxes follow within a minute."""
    try:
        key = await services.store.update_key(key_id, expected_version=body.version, **body.settings())
    except KeyNotFoundError:
        raise no_such_key() from None
    except ConflictError:
        raise GatewayError(CHANGED_MEANWHILE) from None
    services.authenticator.forget()
    return show_key(key, await services.store.key_use(key_id))


@router.post("/{key_id}/rotate", response_model=NewKey)
async def rotate_key(key_id: str, services: ServicesArgument, body: Rotation | None = None) -> dict[str, Any]:
    """Give the key a new secret, shown this once. The old one works a while longer, so that nothing stops."""
    grace = (body or Rotation()).grace_seconds
    try:
        key, secret = await services.store.rotate_key(key_id, overlap_seconds=grace)
    except KeyNotFoundError:
        raise no_such_key() from None
    services.authenticator.forget()
    use = await services.store.key_use(key_id)
    return show_key(key, use) | {"key": secret, "old_key_works_until": iso_time(use.at + grace) if grace else None}


@router.delete("/{key_id}", response_model=Deleted)
async def revoke_key(key_id: str, services: ServicesArgument) -> dict[str, Any]:
    """Delete a key. Other warm sandboxes may accept it for up to a minute more."""
    if not await services.store.revoke_key(key_id):
        raise no_such_key()
    services.authenticator.forget()
    return {"id": key_id, "deleted": True}
