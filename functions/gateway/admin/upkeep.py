"""`/admin/accounts/refresh-all`, `/admin/models/reload` and `/admin/config/…`: upkeep while everything runs.

Nothing goes on in Lambda after a response, and reading thousands of accounts takes longer than a request may. So
`refresh-all` marks accounts as due, and the scheduled job's next run reads them: within minutes, whichever sandbox is
awake. What became of each is then shown by `/admin/accounts`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import StreamingResponse

from accounts import Account
from gateway.admin.accounts import ServicesArgument
from gateway.admin.shown import iso_time
from gateway.http.auth import CALLER_KEY, Administrator
from gateway.http.errors import invalid
from gateway.http.schemas import events
from gateway.models.aliases import AliasError, AliasTable, read_aliases
from gateway.surfaces.context import Services
from pool.config_names import ALIASES, POE
from pool.status import status_of
from reverse.override_names import read_new_overrides
from reverse.overrides import OverrideError

router = APIRouter()
MAX_CONCURRENCY = 50
_PAGE = 100
# After this, or so many accounts, the rest is left to a further request, which the cursor leads to.
_MAX_SECONDS = 15.0
_MAX_ACCOUNTS = 5000
_CHECK_EVENTS = 3
_CHECK_APART_SECONDS = 0.15

# Accounts that are switched off are not read at all.
Status = Literal["active", "cooldown", "depleted", "invalid"]


class RefreshAllBody(BaseModel):
    """The original gateway's form."""

    # Programs for the original gateway send fields that mean nothing here.
    model_config = ConfigDict(extra="ignore")

    statuses: Annotated[list[Status], Field(max_length=10)] | None = None
    concurrency: Annotated[int, Field(strict=True)] = 10
    """How many accounts are marked at once; brought into the range of 1 to 50, as the original did."""
    cursor: str | None = None
    """Where an earlier request stopped."""


class Scheduled(BaseModel):
    """How many accounts will be read, and how many are being read."""

    status: Literal["scheduled"]
    total: int
    scheduled: int
    skipped: int
    next_cursor: str | None


class Reloaded(BaseModel):
    """Which list of models is in use now."""

    status: Literal["ok"]
    models_count: int
    loaded_at: str | None
    source: Literal["embedded", "table"]
    models_path: None
    file_mtime: str | None
    file_size_bytes: None


@router.post("/accounts/refresh-all", status_code=202, response_model=Scheduled)
async def refresh_all(services: ServicesArgument, body: RefreshAllBody | None = None) -> dict[str, Any]:
    """Have the scheduled job read all accounts, or those in some states, with its next run.

    `scheduled` accounts are due now; `skipped` ones are being read this moment. With a `next_cursor` there are more.
    """
    body = body or RefreshAllBody()
    wanted = body.statuses or ["active", "cooldown", "depleted", "invalid"]
    width = asyncio.Semaphore(min(max(body.concurrency, 1), MAX_CONCURRENCY))
    # Far below Lambda's deadline: the cursor leads on, while a request that is cut tells nothing.
    give_up_at = time.monotonic() + _MAX_SECONDS
    cursor, scheduled, skipped = body.cursor, 0, 0
    while True:
        page = await services.store.list_accounts(limit=_PAGE, cursor=cursor)
        now = time.time()
        chosen = [account for account in page.items if status_of(account, now) in wanted]
        async with asyncio.TaskGroup() as group:
            marks = [group.create_task(_mark_due(services, account, now, width)) for account in chosen]
        marked = sum(mark.result() for mark in marks)
        scheduled, skipped = scheduled + marked, skipped + len(marks) - marked
        cursor = page.cursor
        # After a page, so that a request always gets on, however slow the table is.
        if cursor is None or scheduled + skipped >= _MAX_ACCOUNTS or time.monotonic() >= give_up_at:
            break
    return {
        "status": "scheduled",
        "total": scheduled + skipped,
        "scheduled": scheduled,
        "skipped": skipped,
        "next_cursor": cursor,
    }


async def _mark_due(services: Services, account: Account, now: float, width: asyncio.Semaphore) -> bool:
    """Make a reading due: a claim that ends as it begins."""
    async with width:
        # A claim that another run holds is respected: that account is being read.
        return await services.store.claim_refresh(account.id, now=now, lease_seconds=0, force=True)


class Caller(BaseModel):
    """Who administers."""

    id: str | None
    """`null` for the admin key of the deployment."""
    name: str
    role: str
    expires_at: str | None


@router.get("/whoami", response_model=Caller)
async def show_caller(request: Request) -> dict[str, Any]:
    """Whose key this is, and what it may do."""
    caller: Administrator = request.scope[CALLER_KEY]
    key = caller.key
    return {
        "id": key.id if key else None,
        "name": caller.name,
        "role": caller.role.value,
        "expires_at": iso_time(key.expires_at if key else None),
    }


@router.get(
    "/stream-check",
    response_class=StreamingResponse,
    responses={200: {"content": events("JSON with the number `n` of the event.")}},
)
async def stream_check() -> StreamingResponse:
    """Three server-sent events, 150 ms apart. Where they arrive together, something on the way buffers."""
    # Events like a chat's, on the same way to the caller, without an account and without points.
    return StreamingResponse(_events_apart(), media_type="text/event-stream")


async def _events_apart() -> AsyncGenerator[bytes, None]:
    for number in range(1, _CHECK_EVENTS + 1):
        yield b'data: {"n":%d}\n\n' % number
        # Far enough apart to be told from events that a network has merged, short enough to wait for.
        await asyncio.sleep(_CHECK_APART_SECONDS)


@router.post("/models/reload", response_model=Reloaded)
async def reload_models(services: ServicesArgument) -> dict[str, Any]:
    """Take the list of models from the table now, instead of within five minutes. Other sandboxes do so by themselves.

    The scheduled job reads the list from Poe every few hours. The names are the original gateway's; it had a file.
    """
    models = await services.catalogue.reload()
    updated_at = services.catalogue.updated_at
    return {
        "status": "ok",
        "models_count": len(models),
        "loaded_at": iso_time(time.time()),
        "source": "embedded" if updated_at is None else "table",
        "models_path": None,
        "file_mtime": iso_time(updated_at),
        "file_size_bytes": None,
    }


@router.get("/config/poe")
async def show_poe_config(services: ServicesArgument) -> dict[str, Any]:
    """The overrides as they are stored; empty if there are none."""
    return await services.store.get_config(POE) or {}


@router.put("/config/poe")
async def replace_poe_config(services: ServicesArgument, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    """Replace all overrides; an empty object removes them. Other warm sandboxes follow within a minute.

    An operation or a subscription that does not exist is refused.
    """
    try:
        # Checked before it is stored: a broken one would be found by every sandbox, in the middle of chats.
        document = read_new_overrides(body)
        await services.store.put_config(POE, document)
    except OverrideError as error:
        raise invalid(f"{error}.", param=error.field, code="invalid_value") from None
    # The store's word for a document that does not fit an item of the table.
    except ValueError:
        raise invalid("The overrides are too large.", code="invalid_value") from None
    services.poe_settings.forget()
    return document


class AliasBody(BaseModel):
    """What a name stands for, and which models may answer in its place, in order."""

    model_config = ConfigDict(extra="forbid")

    model: str
    fallbacks: list[str] = Field(default_factory=list)


class AliasesBody(BaseModel):
    """Names, or patterns of names with `*`, by what they stand for."""

    model_config = ConfigDict(extra="forbid")

    aliases: dict[str, str | AliasBody] = Field(default_factory=dict)


class AliasesShown(AliasesBody):
    """`unlisted` names those models that the list does not have: Poe has more than any list, but it may be a typo."""

    unlisted: list[str]


@router.get("/config/models", response_model=AliasesShown)
async def show_aliases(services: ServicesArgument) -> dict[str, Any]:
    """The owner's own names for models, as they are stored."""
    return _shown(services, read_aliases(await services.store.get_config(ALIASES) or {}))


@router.put("/config/models", response_model=AliasesShown)
async def replace_aliases(services: ServicesArgument, body: AliasesBody) -> dict[str, Any]:
    """Replace all of the owner's names for models; an empty object removes them.

    Other warm sandboxes follow within a minute.
    """
    try:
        # By the reader that every sandbox uses, so that what is stored can be used.
        table = read_aliases(body.model_dump())
        await services.store.put_config(ALIASES, table.to_json())
    except AliasError as error:
        raise invalid(f"{error}.", param=error.field, code="invalid_value") from None
    except ValueError:
        raise invalid("The aliases are too large.", param="aliases", code="invalid_value") from None
    services.catalogue.forget_aliases()
    # Reads the list that the names are compared with, if it is due.
    await services.catalogue.refresh()
    return _shown(services, table)


def _shown(services: Services, table: AliasTable) -> dict[str, Any]:
    meant = {name for alias in table.aliases for name in (alias.model, *alias.fallbacks)} - {"*"}
    # Told and not refused: Poe has bots that no list has.
    unlisted = sorted(name for name in meant if services.catalogue.known(name) is None)
    return {**table.to_json(), "unlisted": unlisted}
