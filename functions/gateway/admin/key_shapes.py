"""What the routes about API keys take and give. Only the answers to creating and rotating hold a secret."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from accounts import KeyRole, KeySettings
from gateway.admin.shapes import Label

# Beyond any limit that is meant, and below milliseconds where seconds are asked for. DynamoDB has 38 digits.
MAX_NUMBER = 10**12
# The end of the year 9999, with which dates end.
MAX_MOMENT = 253_402_300_799
# More digits than a date has: `20261130` is a day.
_EPOCH = re.compile(r"[0-9]{9,13}(\.[0-9]{1,9})?")
_SPACED_ZONE = re.compile(r"(:[0-9]{2}(?:\.[0-9]+)?) ([0-9]{2}:?[0-9]{2})$")
MAX_GRACE_SECONDS = 30 * 86_400


def _read_moment(value: Any) -> Any:
    """Epoch seconds, or an ISO 8601 time; one without a zone is UTC."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        if _EPOCH.fullmatch(value):
            return float(value)
        # Whoever writes an address by hand leaves the plus of a time zone as it is, which stands for a space there.
        text = _SPACED_ZONE.sub(r"\1+\2", value)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("it must be an ISO 8601 time, such as 2027-01-31T00:00:00Z, or epoch seconds") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise ValueError("it must be an ISO 8601 time, such as 2027-01-31T00:00:00Z, or epoch seconds")


Moment = Annotated[
    Annotated[float, Field(gt=0, le=MAX_MOMENT)], BeforeValidator(_read_moment, json_schema_input_type=str | float)
]
Amount = Annotated[int, Field(ge=0, le=MAX_NUMBER, strict=True)]
Count = Annotated[int, Field(ge=1, le=MAX_NUMBER, strict=True)]
Path = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern="^/")]


class _Limits(BaseModel):
    """What a key may do. `null` is no limit."""

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
        given = self.model_dump(include=self.model_fields_set, exclude={"version"})
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
