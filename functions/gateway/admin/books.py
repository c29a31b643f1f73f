"""`/admin/usage`, `/admin/ledger` and `/admin/requests`: what was used, by whom, and what it cost. Never a prompt."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from accounts import AccountStore, LedgerEntry, RequestRecord, Selection, Sums
from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.key_shapes import Moment
from gateway.admin.shapes import Label
from gateway.admin.shown import iso_time, show_entry, show_request, show_sums
from gateway.http.errors import NOT_FOUND, GatewayError, invalid

router = APIRouter()
HOUR, DAY = 3600.0, 86_400.0
MAX_RANGE_SECONDS = 400 * DAY
_GROUPS = ("key", "model", "account", "day", "hour")
_NAMES_PAGE, _NAMES_PAGES = 200, 25
# How far back a request is looked for, and how many are looked at.
_LOOK_BACK_SECONDS = 31 * DAY
_LOOK_PAGES, _LOOK_PAGE = 25, 200
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Range(BaseModel):
    """A range of time, and whose."""

    model_config = ConfigDict(populate_by_name=True)

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    key: Label | None = None
    model: Label | None = None
    account: Label | None = None

    def times(self, *, default_seconds: float) -> tuple[float, float]:
        """Both ends in epoch seconds. Raises `GatewayError` (400)."""
        until = self.until if self.until is not None else time.time()
        since = self.since if self.since is not None else until - default_seconds
        if not since < until or until - since > MAX_RANGE_SECONDS:
            raise invalid("'from' must be before 'to', by at most 400 days.", param="from", code="invalid_value")
        return since, until


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
    sums = await services.store.sums(since=since, until=until, key_id=asked.key)
    kept = [
        row
        for row in sums
        if (asked.model is None or row.model == asked.model.lower())
        and (asked.account is None or row.account_id == asked.account)
    ]
    names = await _names(services.store, groups)
    rows = [_named(dict(zip(groups, group, strict=True)), names) | totals for group, totals in _grouped(kept, groups)]
    if asked.format == "csv":
        return _csv(rows)
    totals = show_sums(kept)
    return {"from": iso_time(since), "to": iso_time(until), "by": groups, "data": rows, "totals": totals}


class EntryShown(BaseModel):
    """One send to Poe. Points are four facts: unknown is null, never 0."""

    id: str
    request_id: str
    attempt: int
    key: str
    model: str
    account: str
    surface: str
    started_at: str | None
    ended_at: str | None
    outcome: str
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens_estimated: bool
    estimate: int | None
    reported: int | None
    settled: int | None
    settled_by: str | None


class EntryPage(BaseModel):
    """Newest first; `next_cursor` asks for the next one."""

    object: Literal["list"] = "list"
    data: list[EntryShown]
    next_cursor: str | None


class LedgerQuery(Range):
    """Which entries."""

    outcome: Label | None = None


@router.get("/ledger", response_model=EntryPage)
async def list_ledger(
    services: ServicesArgument,
    asked: Annotated[LedgerQuery, Query()],
    limit: Limit = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Sends, newest first; those of the last seven days by default."""
    try:
        page = await services.store.list_entries(_selection(asked, asked.outcome), limit=limit, cursor=cursor)
    except ValueError:
        raise invalid("The cursor is not one of this list.", param="cursor", code="invalid_value") from None
    return {"object": "list", "data": [show_entry(entry) for entry in page.items], "next_cursor": page.cursor}


class RequestShown(BaseModel):
    """One request of a caller. Unknown is null."""

    request_id: str
    at: str | None
    key: str
    key_name: str | None
    model: str
    surface: str
    status: int
    code: str | None
    cause: str | None
    account: str | None
    attempts: int
    first_token_seconds: float | None
    total_seconds: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    points: int | None
    points_estimated: bool
    is_estimated: bool


class RequestPage(BaseModel):
    """Newest first; `next_cursor` asks for the next one."""

    object: Literal["list"] = "list"
    data: list[RequestShown]
    next_cursor: str | None


class RequestWithTries(RequestShown):
    """A request and its sends, the first one first."""

    tries: list[EntryShown]


class RequestsQuery(Range):
    """Which requests."""

    status: Label | None = None
    """`ok`, `error`, or a code."""


@router.get("/requests", response_model=RequestPage)
async def list_requests(
    services: ServicesArgument,
    asked: Annotated[RequestsQuery, Query()],
    limit: Limit = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Requests, newest first; those of the last seven days by default."""
    is_error = asked.status == "error"
    selection = _selection(asked, None if is_error else asked.status)
    try:
        page = await services.store.list_requests(selection, limit=limit, cursor=cursor)
    except ValueError:
        raise invalid("The cursor is not one of this list.", param="cursor", code="invalid_value") from None
    names = await _names(services.store, ["key"])
    data = [show_request(record, names) for record in page.items if not is_error or record.code is not None]
    return {"object": "list", "data": data, "next_cursor": page.cursor}


@router.get("/requests/{request_id}", response_model=RequestWithTries)
async def get_request(request_id: str, services: ServicesArgument) -> dict[str, Any]:
    """One request of the last month, with its sends."""
    record = await _find_request(services.store, request_id)
    if record is None:
        raise GatewayError(NOT_FOUND, "There is no such request, or it is no longer kept.")
    since = record.at - (record.total_seconds or 0.0) - HOUR
    wanted = Selection(since=since, until=record.at + HOUR, key_id=record.key_id)
    page = await services.store.list_entries(wanted, limit=_LOOK_PAGE)
    tries = sorted((entry for entry in page.items if _is_of(entry, request_id)), key=lambda entry: entry.attempt)
    names = await _names(services.store, ["key"])
    return show_request(record, names) | {"tries": [show_entry(entry) for entry in tries]}


async def _find_request(store: AccountStore, request_id: str) -> RequestRecord | None:
    now = time.time()
    wanted = Selection(since=now - _LOOK_BACK_SECONDS, until=now + HOUR)
    cursor: str | None = None
    for _ in range(_LOOK_PAGES):
        page = await store.list_requests(wanted, limit=_LOOK_PAGE, cursor=cursor)
        for record in page.items:
            if record.request_id == request_id:
                return record
        cursor = page.cursor
        if cursor is None:
            break
    return None


def _is_of(entry: LedgerEntry, request_id: str) -> bool:
    """Whether the send was for the request, or for one of its several answers."""
    return entry.request_id == request_id or entry.request_id.startswith(f"{request_id}-")


def _selection(asked: Range, outcome: str | None) -> Selection:
    since, until = asked.times(default_seconds=7 * DAY)
    model = asked.model.lower() if asked.model else None
    return Selection(since=since, until=until, key_id=asked.key, model=model, account_id=asked.account, outcome=outcome)


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


async def _names(store: AccountStore, groups: Iterable[str]) -> dict[tuple[str, str], str]:
    """What keys and accounts are called, by group and id, as far as a request has time for."""
    names: dict[tuple[str, str], str] = {}
    if "key" in groups:
        cursor: str | None = None
        for _ in range(_NAMES_PAGES):
            keys = await store.list_keys(limit=_NAMES_PAGE, cursor=cursor)
            names |= {("key", key.id): key.name for key in keys.items}
            cursor = keys.cursor
            if cursor is None:
                break
    if "account" in groups:
        cursor = None
        for _ in range(_NAMES_PAGES):
            accounts = await store.list_accounts(limit=_NAMES_PAGE, cursor=cursor)
            names |= {("account", account.id): account.label for account in accounts.items}
            cursor = accounts.cursor
            if cursor is None:
                break
    return names


def _named(row: dict[str, Any], names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Names beside ids; `None` for what is deleted."""
    told = {f"{group}_name": names.get((group, row[group])) for group in ("key", "account") if group in row}
    return row | told


def _csv(rows: list[dict[str, Any]]) -> Response:
    text = io.StringIO()
    columns = list(rows[0]) if rows else list(show_sums([]))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        # A spreadsheet takes text that begins like this for a formula.
        writer.writerow(
            {
                name: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
                for name, value in row.items()
            }
        )
    headers = {"content-disposition": 'attachment; filename="usage.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)
