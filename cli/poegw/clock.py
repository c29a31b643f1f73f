"""The time that commands go by."""

from __future__ import annotations

from datetime import UTC, datetime

from poegw.quantities import ago


def now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def age(moment: str | None) -> str:
    """How long ago an ISO time is, or how far ahead; `never` without one."""
    return ago(moment, now())
