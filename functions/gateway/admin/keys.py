"""`/admin/keys`: who may call, and within which limits. Only the answers to creating and rotating hold a secret."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from accounts import ConflictError, KeyNotFoundError, KeyRole, KeySettings, KeyUse
from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.shapes import MAX_NUMBER, Deleted, Label, Moment
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
MAX_GRACE_SECONDS = 30 * 86_400

Amount = Annotated[int, Field(ge=0, le=MAX_NUMBER, strict=True)]
Count = Annotated[int, Field(ge=1, le=MAX_NUMBER, strict=True)]
Path = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern="^/")]


class _Limits(BaseModel):
    """What a key may do. `null` is no limit."""

    # A misspelt limit would be no limit at all.
    model_config = ConfigDict(extra="forbid")

    models: list[Label] = Field(default_factory=list, max_length=100)
    """Models it may use; `*` at the end stands for anything. Empty for all."""
    routes: list[Path] = Field(default_factory=list, max_length=100)
    """Addresses it may call, such as `/v1/chat/completions`; `*` at the end stands for anything. Empty for all."""
    ip_ranges: list[Label] = Field(default_factory=list, max_length=100)
    """Networks from which it may be used, such as `192.0.2.0/24`. Empty for all."""
    requests_per_minute: Count | None = None
    max_concurrent: Count | None = None
    points_per_day: Amount | None = None
    """UTC days."""
    points_per_month: Amount | None = None
    tokens_per_day: Amount | None = None
    tokens_per_month: Amount | None = None
    expires_at: Moment | None = None

    @field_validator("ip_ranges")
    @classmethod
    def _are_networks(cls, values: list[str]) -> list[str]:
        for value in values:
            try:
                # With host bits, too: 192.0.2.7/24 is what people copy from their settings.
                ipaddress.ip_network(value, strict=False)
            except ValueError:
                raise ValueError("each must be a network, such as 192.0.2.0/24 or 2001:db8::/32") from None
        return values


class KeyBody(_Limits):
    """A new API key and its limits."""

    name: Label
    role: KeyRole = KeyRole.CLIENT
    """`client` uses models; `admin` administers; `viewer` looks at the administration. A key has one role."""
    secret: SecretStr | None = None
    """Imports a key that callers already have."""

    @field_validator("secret")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else ""
        # Such a key could be stored and would never be recognised in a header.
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("it has characters that no header can carry")
        return value

    def settings(self) -> KeySettings:
        """For the store."""
        return cast("KeySettings", self.model_dump(exclude={"secret"}))


class KeyChange(_Limits):
    """What is to change; what is not given stays, and `null` ends a limit."""

    name: Label | None = None
    enabled: bool | None = None
    version: int | None = None
    """The version that the change is meant for: if the key has another one by now, nothing changes (409)."""

    def settings(self) -> KeySettings:
        """For the store: what was given. Name and `enabled` have no null."""
        # By what was given, not by the values: an absent field stays, `null` ends a limit.
        given = self.model_dump(include=self.model_fields_set, exclude={"version"})
        # These two can't be taken away, so that null means "as it is".
        kept = {name: value for name, value in given.items() if value is not None or name not in ("name", "enabled")}
        return cast("KeySettings", kept)


class Rotation(BaseModel):
    """How long the old secret still works."""

    model_config = ConfigDict(extra="forbid")

    grace_seconds: int = Field(default=86_400, ge=0, le=MAX_GRACE_SECONDS, strict=True)


class KeyUseShown(BaseModel):
    """What a key has consumed, reservations included, and when the windows end. Budgets count UTC days and months."""

    requests_this_minute: int
    running: int
    points_today: int
    points_this_month: int
    tokens_today: int
    tokens_this_month: int
    day_ends_at: str | None
    month_ends_at: str | None


class KeyShown(BaseModel):
    """An API key without its secret. Times are ISO 8601."""

    id: str
    name: str
    role: str
    enabled: bool
    models: list[str]
    routes: list[str]
    ip_ranges: list[str]
    requests_per_minute: int | None
    max_concurrent: int | None
    points_per_day: int | None
    points_per_month: int | None
    tokens_per_day: int | None
    tokens_per_month: int | None
    expires_at: str | None
    created_at: str | None
    last_used_at: str | None
    last_success_at: str | None
    version: int


class KeyWithUse(KeyShown):
    """An API key and what it has consumed."""

    use: KeyUseShown


class NewKey(KeyShown):
    """An API key with its secret, which is shown this once."""

    key: str
    old_key_works_until: str | None = None
    """After a rotation."""


class KeyPage(BaseModel):
    """`next_cursor` asks for the next one."""

    object: Literal["list"] = "list"
    data: list[KeyShown]
    next_cursor: str | None


def no_such_key() -> GatewayError:
    return GatewayError(NOT_FOUND, "There is no such key.")


@router.post("", status_code=201, response_model=NewKey)
async def create_key(body: KeyBody, services: ServicesArgument) -> dict[str, Any]:
    """Create a key. Its secret, `key`, is shown this once."""
    secret = body.secret.get_secret_value() if body.secret else None
    try:
        key, made = await services.store.create_key(secret=secret, **body.settings())
    except ValueError:
        # The store judges the secret, because keys are made in other ways, too.
        message = "'secret' could be guessed: give at least 24 random characters, or leave it out to get a key."
        raise invalid(message, param="secret", code="invalid_value") from None
    services.authenticator.forget()
    return show_key(key) | {"key": made}


@router.get("", response_model=KeyPage)
async def list_keys(services: ServicesArgument, limit: Limit = 50, cursor: str | None = None) -> dict[str, Any]:
    """One page of keys, without their secrets."""
    page = await services.store.list_keys(limit=limit, cursor=cursor)
    uses: dict[str, KeyUse] = {}
    # One batch of DynamoDB takes so many.
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
        # Two administrators who change a key at the same time must not undo each other's change unseen.
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
    # A body is not required: rotating is often done by hand, in a hurry.
    grace = (body or Rotation()).grace_seconds
    try:
        key, secret = await services.store.rotate_key(key_id, overlap_seconds=grace)
    except KeyNotFoundError:
        raise no_such_key() from None
    services.authenticator.forget()
    use = await services.store.key_use(key_id)
    # By the store's clock, by which the old secret ends.
    return show_key(key, use) | {"key": secret, "old_key_works_until": iso_time(use.at + grace) if grace else None}


@router.delete("/{key_id}", response_model=Deleted)
async def revoke_key(key_id: str, services: ServicesArgument) -> dict[str, Any]:
    """Delete a key. Other warm sandboxes may accept it for up to a minute more."""
    if not await services.store.revoke_key(key_id):
        raise no_such_key()
    services.authenticator.forget()
    return {"id": key_id, "deleted": True}
