"""API keys as plain values: what they may do, their limits, and what is reserved for their requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import StrEnum
from typing import Literal, TypedDict

from lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What is reserved for one send, until it is released: points and tokens in the windows of a UTC day."""

    points: int
    tokens: int
    day: str
    """`YYYYMMDD`."""
    is_running: bool
    """Whether it counts as a concurrent request."""


class KeyRole(StrEnum):
    """What a key may do. A key has exactly one role."""

    ADMIN = "admin"
    VIEWER = "viewer"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that callers of the gateway use. The secret itself is shown once and stored only as a hash."""

    id: str
    """Safe to show and to log. Stays the same when the secret is rotated."""
    name: str
    hash: str = field(repr=False)
    role: KeyRole = KeyRole.CLIENT
    enabled: bool = True
    models: tuple[str, ...] = ()
    """Models the key may use (lower case, `*` as a wildcard at the end); empty for all."""
    routes: tuple[str, ...] = ()
    """Paths the key may call (`*` as a wildcard at the end); empty for all."""
    ip_ranges: tuple[str, ...] = ()
    """Networks, in CIDR notation, from which the key may call; empty for all."""
    requests_per_minute: int | None = None
    max_concurrent: int | None = None
    points_per_day: int | None = None
    points_per_month: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    expires_at: float | None = None
    secret_expires_at: float | None = None
    """Until when the secret that found this key works, after a rotation."""
    created_at: float = 0.0
    version: int = 1
    """Grows with every change."""

    @property
    def has_budget(self) -> bool:
        """Whether points or tokens are limited."""
        limits = (self.points_per_day, self.points_per_month, self.tokens_per_day, self.tokens_per_month)
        return any(limit is not None for limit in limits)

    @property
    def is_limited(self) -> bool:
        return self.has_budget or self.requests_per_minute is not None or self.max_concurrent is not None


LimitName = Literal["rate", "budget", "tokens", "concurrency"]


class OverLimit(float):
    """Seconds to wait, with the limit that was reached."""

    limit: LimitName

    def __new__(cls, seconds: float, limit: LimitName) -> OverLimit:
        # A number, so that who only waits need not look at the rest.
        value = super().__new__(cls, seconds)
        value.limit = limit
        return value


class KeySettings(TypedDict, total=False):
    """What of a key its owner chooses; see `ApiKey`."""

    name: str
    role: KeyRole
    enabled: bool
    models: Sequence[str]
    routes: Sequence[str]
    ip_ranges: Sequence[str]
    requests_per_minute: int | None
    max_concurrent: int | None
    points_per_day: int | None
    points_per_month: int | None
    tokens_per_day: int | None
    tokens_per_month: int | None
    expires_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What requests are about to consume, each under the name of its lease's owner. All are reserved, or none."""

    owners: Sequence[str]
    """One name per send, at most 100."""
    requests: int = 0
    """How many count against the rate."""
    points: int = 0
    """Per owner."""
    tokens: int = 0
    """Per owner."""
    is_running: bool = True
    """Whether each counts as a concurrent request until it is released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What a key has consumed, reservations included, in the windows of `at`."""

    at: float
    requests_this_minute: int = 0
    running: int = 0
    points_today: int = 0
    points_this_month: int = 0
    tokens_today: int = 0
    tokens_this_month: int = 0
    last_used_at: float | None = None
    last_success_at: float | None = None
    """When a send was last answered, as far as that is known; of a key without a budget the scheduled job notes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What came of a reservation."""

    over: OverLimit | None
    """The limit that was reached, with the seconds to wait; then nothing was reserved."""
    use: KeyUse
    reserved: Reserved | None = None
    """What is reserved under each owner; `None` for a key without a budget or a limit of concurrent requests."""
