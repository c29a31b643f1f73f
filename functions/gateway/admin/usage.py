"""`/admin/usage`: what was used, by whom, and what it cost, added up."""

from __future__ import annotations

import asyncio
import calendar
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from accounts import AccountStore, Sums
from gateway.admin.accounts import ServicesArgument
from gateway.admin.lookups import names_of
from gateway.admin.shapes import DAY, HOUR, Label, Range
from gateway.admin.shown import csv_text, iso_time, show_sums
from gateway.http.errors import invalid

router = APIRouter()

# Accounts whose history is looked at for what others spent.
_MOST_ACCOUNTS = 200
_GROUPS = ("key", "model", "account", "day", "hour")


_Year = r"^[12]\d{3}"


class UsageQuery(Range):
    """How usage is added up."""

    # A misspelt range would be answered with today's usage.
    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    by: Label = "key,model"
    day: Annotated[str, Field(pattern=_Year + r"-\d{2}-\d{2}$")] | None = None
    """One UTC day, `2026-11-30`, instead of `from` and `to`."""
    week: Annotated[str, Field(pattern=_Year + r"-W\d{2}$")] | None = None
    """One ISO week, `2026-W48`, from Monday on."""
    month: Annotated[str, Field(pattern=_Year + r"-\d{2}$")] | None = None
    """One month, `2026-11`."""
    format: Literal["json", "csv"] = "json"

    def groups(self) -> list[str]:
        """What to group by. Raises `GatewayError` (400)."""
        groups = [group.strip() for group in self.by.split(",") if group.strip()]
        if not groups or any(group not in _GROUPS for group in groups):
            raise invalid(f"'by' takes {', '.join(_GROUPS)}, or several of them.", param="by", code="invalid_value")
        return list(dict.fromkeys(groups))

    def hours(self) -> tuple[float, float]:
        """Whole hours that cover the range; today by default. Raises `GatewayError` (400)."""
        periods = {name: value for name in _PERIODS if (value := getattr(self, name)) is not None}
        if periods:
            name = next(iter(periods))
            # Two ranges contradict each other; whichever counted, the other one would be left out unseen.
            if len(periods) > 1 or self.since is not None or self.until is not None:
                raise invalid(
                    "A range is 'from' and 'to', or one of 'day', 'week', 'month'.", param=name, code="invalid_value"
                )
            return _period(name, periods[name])
        if self.since is None:
            # The day that ends then, or is under way.
            end = -(-self.end() // HOUR) * HOUR
            return (end - HOUR) // DAY * DAY, end
        since, until = self.times(default_seconds=DAY)
        # Widened: sums are kept by the hour.
        return since // HOUR * HOUR, -(-until // HOUR) * HOUR


_PERIODS = ("day", "week", "month")


def _period(name: str, value: str) -> tuple[float, float]:
    """The beginning and the end of a calendar period. Raises `GatewayError` (400) where there is no such one."""
    try:
        begin = datetime.fromisoformat(f"{value}-01" if name == "month" else value).replace(tzinfo=UTC)
    except ValueError:
        raise invalid(f"'{name}' is not in the calendar.", param=name, code="invalid_value") from None
    days = {"day": 1, "week": 7, "month": calendar.monthrange(begin.year, begin.month)[1]}[name]
    return begin.timestamp(), (begin + timedelta(days=days)).timestamp()


class UsageShown(BaseModel):
    """What sends add up to. Points that are settled are Poe's own figures; estimates are the gateway's."""

    model_config = ConfigDict(extra="allow")

    from_: str | None = Field(alias="from")
    to: str | None
    by: list[str]
    data: list[dict[str, Any]]
    totals: dict[str, int]
    spent_elsewhere: int | None
    """Points that other programs spent with these accounts on the days of the range, by Poe's history. Null with `key`
    or `model`, where there are too many accounts, and where the history of one of them was not read yet."""


@router.get(
    "/usage", response_model=UsageShown, responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
)
async def show_usage(services: ServicesArgument, asked: Annotated[UsageQuery, Query()]) -> Any:
    """What was used in a range of whole hours, grouped by key, model, account, day or hour. Today by default."""
    groups, (since, until) = asked.groups(), asked.hours()
    # Days are added up from hours here, so that the store needs no grouping of its own for them.
    by = {"key": "key_id", "account": "account_id", "day": "hour"}
    [sums] = await services.store.tally(
        since=since,
        until=until,
        by=[list(dict.fromkeys(by.get(group, group) for group in groups))],
        key_id=asked.key,
        model=asked.model.lower() if asked.model is not None else None,
        account_id=asked.account,
    )
    # Read only for what is grouped by, since each page of names is paid for.
    names = await names_of(services.store, groups)
    rows = [_named(dict(zip(groups, group, strict=True)), names) | totals for group, totals in _grouped(sums, groups)]
    # Rows only: totals would be one more row to a spreadsheet, and be added up with the others.
    if asked.format == "csv":
        return _csv(rows)
    totals = show_sums(sums)
    shown = {"from": iso_time(since), "to": iso_time(until), "by": groups, "data": rows, "totals": totals}
    # Poe's history knows neither the gateway's keys nor who asked a bot.
    is_of_accounts = asked.key is None and asked.model is None
    elsewhere = await _elsewhere(services.store, asked.account, since, until) if is_of_accounts else None
    return shown | {"spent_elsewhere": elsewhere}


async def _elsewhere(store: AccountStore, account_id: str | None, since: float, until: float) -> int | None:
    """What others spent with the accounts, on the UTC days that the range touches."""
    ids = [account_id] if account_id is not None else []
    if account_id is None:
        page = await store.list_accounts(limit=_MOST_ACCOUNTS)
        # A sum over some of the accounts would be believed to be that of all.
        if page.cursor is not None:
            return None
        ids = [account.id for account in page.items]
    # `until` is exclusive: a range that ends at midnight does not touch the day that begins then.
    first, last = (datetime.fromtimestamp(at, UTC).date().isoformat() for at in (since, max(since, until - 1)))
    states = await asyncio.gather(*(store.settlement_state(found) for found in ids))
    # A history that was never read has nothing to say, and a sum without it would be too low.
    if any(state.read_until <= 0 for state in states):
        return None
    return sum(points for state in states for day, points in state.elsewhere.items() if first <= day <= last)


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
