"""What a page asks for: a range of time, filters, and a part of a list. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

from gateway.http.errors import invalid
from lazy_dataclasses import dataclass

HOUR, DAY = 3600, 86_400
LONGEST_SECONDS = 92 * DAY
_MAX_CHARS = 300
# Beyond it no calendar goes.
_LAST_MOMENT = 10**11

Query = Mapping[str, str]


class Filters(TypedDict):
    """By which names; `None` for any."""

    key_id: str | None
    model: str | None
    account_id: str | None


@dataclass(frozen=True, slots=True)
class Range:
    """Whole hours, in epoch seconds; `until` is exclusive."""

    since: int
    until: int

    @property
    def hours(self) -> int:
        return (self.until - self.since) // HOUR


def read_range(query: Query, now: float, *, default_seconds: int = DAY) -> Range:
    """`from` and `to`, widened to whole hours. Raises `GatewayError` (400)."""
    until = read_moment(query, "to")
    until = now if until is None else until
    since = read_moment(query, "from")
    since = until - default_seconds if since is None else since
    # Sums are kept by hour: half an hour can't be told.
    first, end = math.floor(since / HOUR) * HOUR, math.ceil(until / HOUR) * HOUR
    # An hour more, because the widening may add so much to a range that is just short enough.
    if not since < until or end - first > LONGEST_SECONDS + HOUR:
        raise invalid("'from' must be before 'to', by at most 92 days.", param="from", code="invalid_value")
    return Range(first, end)


def read_moment(query: Query, name: str) -> float | None:
    """An ISO 8601 time, or epoch seconds; one without a zone is UTC. Raises `GatewayError` (400)."""
    text = read_text(query, name)
    if text is None:
        return None
    try:
        # `isdecimal` takes digits of other scripts as well, which `float` reads, too.
        if text.replace(".", "", 1).isdecimal() and text.isascii():
            moment = float(text)
        else:
            # A plus that was not encoded is a space.
            parsed = datetime.fromisoformat(text.replace(" ", "+"))
            moment = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        # Refused below, together with what is no time of this calendar.
        moment = 0.0
    if not 0 < moment < _LAST_MOMENT:
        message = f"'{name}' must be an ISO 8601 time, such as 2027-01-31T00:00:00Z, or epoch seconds."
        raise invalid(message, param=name, code="invalid_value")
    return moment


def read_filters(query: Query) -> Filters:
    """`key`, `model` and `account`. Raises `GatewayError` (400)."""
    model = read_text(query, "model")
    return {
        "key_id": read_text(query, "key"),
        "model": model.lower() if model is not None else None,
        "account_id": read_text(query, "account"),
    }


def read_text(query: Query, name: str) -> str | None:
    """A text; `None` if it is absent or empty. Raises `GatewayError` (400)."""
    text = query.get(name, "").strip()
    if len(text) > _MAX_CHARS:
        raise invalid(f"'{name}' is too long.", param=name, code="invalid_value")
    return text or None


def read_limit(query: Query, *, default: int, highest: int) -> int:
    """How many rows. Raises `GatewayError` (400)."""
    text = read_text(query, "limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= highest):
        raise invalid(f"'limit' must be a number from 1 to {highest}.", param="limit", code="out_of_range")
    return int(text)


def read_cursor(query: Query) -> str | None:
    """Where the list goes on. Raises `GatewayError` (400)."""
    return read_text(query, "cursor")


def bad_cursor() -> Exception:
    """The refusal of a cursor of another list."""
    return invalid("The cursor is not one of this list.", param="cursor", code="invalid_value")
