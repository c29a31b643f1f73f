"""`/admin/requests` and `/admin/ledger`: callers' requests, and the sends to Poe made for them. Never a prompt.

Of each send the ledger has what is known of its cost.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.lookups import find_request, names_of, tries_of
from gateway.admin.shapes import Label, Range, selection_of
from gateway.admin.shown import show_entry, show_request
from gateway.http.errors import NOT_FOUND, GatewayError, invalid

router = APIRouter()


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
    # In the order in which they become known. What a send cost is the last of them that is there.
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
        page = await services.store.list_entries(selection_of(asked, asked.outcome), limit=limit, cursor=cursor)
    # Cursors come back from outside, and hold a place in one list.
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
    try:
        page = await services.store.list_requests(selection_of(asked, asked.status), limit=limit, cursor=cursor)
    except ValueError:
        raise invalid("The cursor is not one of this list.", param="cursor", code="invalid_value") from None
    # Keys only: an account is shown by its id, as in the log.
    names = await names_of(services.store, ["key"])
    data = [show_request(record, names) for record in page.items]
    return {"object": "list", "data": data, "next_cursor": page.cursor}


@router.get("/requests/{request_id}", response_model=RequestWithTries)
async def get_request(request_id: str, services: ServicesArgument) -> dict[str, Any]:
    """One request of the last month, with its sends."""
    # By the caller's own id, which a log or an error message shows; the table has no index by it.
    record = await find_request(services.store, request_id)
    if record is None:
        raise GatewayError(NOT_FOUND, "There is no such request, or it is no longer kept.")
    tries = await tries_of(services.store, record)
    names = await names_of(services.store, ["key"])
    return show_request(record, names) | {"tries": [show_entry(entry) for entry in tries]}
