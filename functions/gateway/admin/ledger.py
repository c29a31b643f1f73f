"""`/admin/ledger`: every send to Poe with what is known of its cost. Never a prompt."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.ranges import Range, selection_of
from gateway.admin.shapes import Label
from gateway.admin.shown import show_entry
from gateway.http.errors import invalid

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
    except ValueError:
        raise invalid("The cursor is not one of this list.", param="cursor", code="invalid_value") from None
    return {"object": "list", "data": [show_entry(entry) for entry in page.items], "next_cursor": page.cursor}
