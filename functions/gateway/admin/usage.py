"""`/admin/usage`: what was used, by whom, and what it cost, added up."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from accounts import Sums
from gateway.admin.accounts import ServicesArgument
from gateway.admin.csv_text import csv_text
from gateway.admin.names import names_of
from gateway.admin.ranges import DAY, HOUR, Range
from gateway.admin.shapes import Label
from gateway.admin.shown import iso_time, show_sums
from gateway.http.errors import invalid

router = APIRouter()

_GROUPS = ("key", "model", "account", "day", "hour")


class UsageQuery(Range):
    """How usage is added up."""

    by: Label = "key,model"
    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """One UTC day, instead of a range."""
    format: Literal["json", "csv"] = "json"

    def groups(self) -> list[str]:
        """What to group by. Raises `GatewayError` (400)."""
        groups = [group.strip() for group in self.by.split(",") if group.strip()]
        if not groups or any(group not in _GROUPS for group in groups):
            raise invalid(f"'by' takes {', '.join(_GROUPS)}, or several of them.", param="by", code="invalid_value")
        return list(dict.fromkeys(groups))

    def hours(self) -> tuple[float, float]:
        """Whole hours that cover the range; today by default. Raises `GatewayError` (400)."""
        if self.day is not None:
            try:
                start = datetime.fromisoformat(self.day).replace(tzinfo=UTC)
            except ValueError:
                raise invalid("'day' is no day of the calendar.", param="day", code="invalid_value") from None
            return start.timestamp(), (start + timedelta(days=1)).timestamp()
        if self.since is None:
            now = self.until if self.until is not None else time.time()
            return now // DAY * DAY, -(-now // HOUR) * HOUR
        since, until = self.times(default_seconds=DAY)
        return since // HOUR * HOUR, -(-until // HOUR) * HOUR


class UsageShown(BaseModel):
    """What sends add up to. Points that are settled are Poe's own figures; estimates are the gateway's."""

    model_config = ConfigDict(extra="allow")

    from_: str | None = Field(alias="from")
    to: str | None
    by: list[str]
    data: list[dict[str, Any]]
    totals: dict[str, int]


@router.get(
    "/usage", response_model=UsageShown, responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
)
async def show_usage(services: ServicesArgument, asked: Annotated[UsageQuery, Query()]) -> Any:
    """What was used in a range of whole hours, grouped by key, model, account, day or hour. Today by default."""
    groups, (since, until) = asked.groups(), asked.hours()
    by = {"key": "key_id", "account": "account_id", "day": "hour"}
    [sums] = await services.store.tally(
        since=since,
        until=until,
        by=[list(dict.fromkeys(by.get(group, group) for group in groups))],
        key_id=asked.key,
        model=asked.model.lower() if asked.model is not None else None,
        account_id=asked.account,
    )
    names = await names_of(services.store, groups)
    rows = [_named(dict(zip(groups, group, strict=True)), names) | totals for group, totals in _grouped(sums, groups)]
    if asked.format == "csv":
        return _csv(rows)
    totals = show_sums(sums)
    return {"from": iso_time(since), "to": iso_time(until), "by": groups, "data": rows, "totals": totals}


def _grouped(rows: Iterable[Sums], groups: list[str]) -> list[tuple[tuple[str, ...], dict[str, int]]]:
    found: dict[tuple[str, ...], list[Sums]] = {}
    for row in rows:
        moment = datetime.fromtimestamp(row.hour, UTC)
        values = {
            "key": row.key_id,
            "model": row.model,
            "account": row.account_id,
            "day": moment.date().isoformat(),
            "hour": moment.isoformat(timespec="minutes"),
        }
        found.setdefault(tuple(values[group] for group in groups), []).append(row)
    return [(group, show_sums(found[group])) for group in sorted(found)]


def _named(row: dict[str, Any], names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Names beside ids; `None` for what is deleted."""
    told = {f"{group}_name": names.get((group, row[group])) for group in ("key", "account") if group in row}
    return row | told


def _csv(rows: list[dict[str, Any]]) -> Response:
    headers = {"content-disposition": 'attachment; filename="usage.csv"'}
    return Response(csv_text(rows, list(show_sums([]))), media_type="text/csv", headers=headers)
