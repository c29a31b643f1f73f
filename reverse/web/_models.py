"""What the web client hands out besides events: typed values, and how they are read from Poe's JSON.

Readers take untrusted JSON and give a value or `None`; they never raise. Times are epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reverse.chat import PointsReading
from reverse.web._protocol import integer, mapping

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """The account's plan, as far as Poe says."""

    is_active: bool
    plan: str | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Points and plan of an account. `subscription_points` and `addon_points` are the newer split of the balance."""

    points: PointsReading
    subscription: Subscription | None = None
    subscription_points: int | None = None
    addon_points: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    """`subscription` and `messagePointInfo` as Poe sent them."""


def read_settings(viewer: dict[str, Any]) -> AccountSettings:
    """Read `data.viewer` of `SettingsPageQuery`; both generations of its keys (poe-web reference 4.3)."""
    info, plan = mapping(viewer.get("messagePointInfo")), mapping(viewer.get("subscription"))
    granted, added = integer(info.get("subscriptionPointBalance")), integer(info.get("addonPointBalance"))
    balance = integer(info.get("messagePointBalance"))
    if granted is not None or added is not None:
        balance = (granted or 0) + (added or 0)
    next_grant = epoch_seconds(info.get("computePointNextGrantTime"))
    if next_grant is None:
        next_grant = epoch_seconds(info.get("messagePointResetTime"))
    # Without a plan Poe sends null: that is an answer. A viewer without the key says nothing.
    is_active = plan.get("isActive") is True
    points = PointsReading(
        balance=balance,
        subscribed=is_active if "subscription" in viewer else None,
        allotment=integer(info.get("totalMessagePointAllotment")),
        next_grant_at=next_grant,
    )
    kind = plan.get("planType")
    subscription = Subscription(is_active, text_or_none(kind), epoch_seconds(plan.get("expiresTime"))) if plan else None
    raw = {"subscription": viewer.get("subscription"), "messagePointInfo": viewer.get("messagePointInfo")}
    return AccountSettings(points, subscription, granted, added, raw)


def epoch_seconds(value: object) -> float | None:
    """A time in Poe's microseconds since the epoch."""
    microseconds = integer(value)
    return microseconds / _MICROSECONDS if microseconds else None


def text_or_none(value: object) -> str | None:
    """The value if it is text."""
    return value if isinstance(value, str) else None
