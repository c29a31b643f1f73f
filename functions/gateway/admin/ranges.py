"""Ranges of time: which sends or requests a route is asked for."""

from __future__ import annotations

import time

from pydantic import BaseModel, ConfigDict, Field

from accounts import Selection
from gateway.admin.key_shapes import Moment
from gateway.admin.shapes import Label
from gateway.http.errors import invalid

HOUR, DAY = 3600.0, 86_400.0

MAX_RANGE_SECONDS = 400 * DAY
# The year 9000.
_FAR_FUTURE = 221_845_392_000.0


class Range(BaseModel):
    """A range of time, and whose."""

    model_config = ConfigDict(populate_by_name=True)

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    key: Label | None = None
    model: Label | None = None
    account: Label | None = None

    def end(self) -> float:
        """The end, now by default. What lies in the far future is brought into the calendar."""
        return min(self.until, _FAR_FUTURE) if self.until is not None else time.time()

    def times(self, *, default_seconds: float) -> tuple[float, float]:
        """Both ends in epoch seconds. Raises `GatewayError` (400)."""
        until = self.end()
        since = self.since if self.since is not None else until - default_seconds
        if not since < until or until - since > MAX_RANGE_SECONDS:
            raise invalid("'from' must be before 'to', by at most 400 days.", param="from", code="invalid_value")
        return since, until


def selection_of(asked: Range, outcome: str | None) -> Selection:
    since, until = asked.times(default_seconds=7 * DAY)
    model = asked.model.lower() if asked.model else None
    return Selection(since=since, until=until, key_id=asked.key, model=model, account_id=asked.account, outcome=outcome)
