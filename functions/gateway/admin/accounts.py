"""`/admin/accounts`: add, look at, switch, delete, read points."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request

from accounts import Account, AccountKind, AccountState
from gateway.admin.shapes import (
    AccountBody,
    AccountPage,
    AccountShown,
    Deleted,
    EmailBody,
    Summary,
    UpsertBody,
    show_account,
)
from gateway.http.errors import NOT_FOUND, UPSTREAM, GatewayError, invalid
from gateway.surfaces.context import context_of
from gateway.surfaces.services import Services
from pool.outcomes import outcome_of, reading_of
from pool.status import AccountStatus, status_of
from reverse.credentials import OfficialCredentials, WebCredentials
from reverse.errors import PoeError

router = APIRouter(prefix="/accounts")
# How many accounts are looked through for an e-mail address, page by page.
_PAGE = 200
_MAX_PAGES = 50


def services_of(request: Request) -> Services:
    """For `Depends`."""
    return context_of(request).services


ServicesArgument = Annotated[Services, Depends(services_of)]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.post("", status_code=201, response_model=AccountShown)
async def add_account(body: AccountBody, services: ServicesArgument) -> dict[str, Any]:
    """Add an account, or replace the credentials of the one with this kind and label."""
    credentials = {name: value.get_secret_value() for name, value in body.credentials.items()}
    return await _put(services, body.kind, body.label, credentials, body.max_concurrency)


@router.post("/upsert", response_model=AccountShown)
async def upsert_account(body: UpsertBody, services: ServicesArgument) -> dict[str, Any]:
    """The original gateway's way to add a web account."""
    return await _put(services, AccountKind.WEB, body.email, body.credentials(), 2)


async def _put(
    services: Services, kind: AccountKind, label: str, credentials: dict[str, str], max_concurrency: int
) -> dict[str, Any]:
    reader = OfficialCredentials if kind is AccountKind.OFFICIAL else WebCredentials
    try:
        # Their messages name the credential and never its value.
        reader.from_mapping(credentials)
        account = await services.store.put_account(
            kind=kind, label=label.strip(), credentials=credentials, max_concurrency=max_concurrency
        )
    except ValueError as error:
        raise invalid(f"The credentials are not valid: {error}.", param="credentials", code="invalid_value") from None
    await services.clients.forget(account.id)
    return show_account(account, time.time())


@router.get("", response_model=AccountPage)
async def list_accounts(services: ServicesArgument, limit: Limit = 50, cursor: str | None = None) -> dict[str, Any]:
    """One page of accounts; `next_cursor` asks for the next."""
    page = await services.store.list_accounts(limit=limit, cursor=cursor)
    data = [show_account(account, time.time()) for account in page.items]
    return {"object": "list", "data": data, "next_cursor": page.cursor}


@router.get("/summary", response_model=Summary)
async def summarize_accounts(
    services: ServicesArgument, limit: Limit = 200, cursor: str | None = None
) -> dict[str, Any]:
    """Who is available, for one page of accounts."""
    now = time.time()
    page = await services.store.list_accounts(limit=limit, cursor=cursor)
    names = ("id", "kind", "email", "status", "message_point_balance", "subscription_active", "cooldown_until")
    rows = [
        {name: shown[name] for name in (*names, "updated_at")} | {"available": shown["status"] == "active"}
        for shown in (show_account(account, now) for account in page.items)
    ]
    available = sum(status_of(account, now) is AccountStatus.ACTIVE for account in page.items)
    return {
        "total": len(rows),
        "available": available,
        "unavailable": len(rows) - available,
        "accounts": rows,
        "next_cursor": page.cursor,
    }


@router.post("/refresh-points", response_model=AccountShown)
async def refresh_points_by_email(body: EmailBody, services: ServicesArgument) -> dict[str, Any]:
    """Read one account's points now; the account is named as the original gateway did."""
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await services.store.list_accounts(limit=_PAGE, cursor=cursor)
        for account in page.items:
            if account.label.lower() == body.email.strip().lower():
                return await refresh_points(account.id, services)
        cursor = page.cursor
        if cursor is None:
            break
    raise GatewayError(NOT_FOUND, "There is no such account.")


@router.get("/{account_id}", response_model=AccountShown)
async def get_account(account_id: str, services: ServicesArgument) -> dict[str, Any]:
    return show_account(await services.store.get_account(account_id), time.time())


@router.delete("/{account_id}", response_model=Deleted)
async def delete_account(account_id: str, services: ServicesArgument) -> dict[str, Any]:
    """Delete an account with its credentials."""
    await services.store.get_account(account_id)
    await services.store.delete_account(account_id)
    await services.clients.forget(account_id)
    return {"id": account_id, "deleted": True}


@router.post("/{account_id}/enable", response_model=AccountShown)
async def enable_account(account_id: str, services: ServicesArgument) -> dict[str, Any]:
    return show_account(await services.store.set_account_state(account_id, AccountState.ACTIVE), time.time())


@router.post("/{account_id}/disable", response_model=AccountShown)
async def disable_account(account_id: str, services: ServicesArgument) -> dict[str, Any]:
    return show_account(await services.store.set_account_state(account_id, AccountState.DISABLED), time.time())


@router.post("/{account_id}/refresh-points", response_model=AccountShown)
async def refresh_points(account_id: str, services: ServicesArgument) -> dict[str, Any]:
    """Read the account's points from Poe now. A failure is recorded with the account and answered 502."""
    account, credentials, session_data = await services.store.read_credentials(account_id)
    try:
        await services.poe_settings.refresh()
        async with services.make_client(account.kind, credentials, session_data) as client:
            reading = await client.points()
            derived = client.session_data()
    except PoeError as error:
        await services.store.record_reading(
            account_id, outcome_of(error), credentials_version=account.credentials_version
        )
        raise GatewayError(UPSTREAM, f"The points could not be read ({error.code.value}).", code=error.code) from None
    updated: Account = await services.store.record_reading(
        account_id,
        reading_of(reading),
        session_data=None if derived == dict(session_data or {}) else derived,
        credentials_version=account.credentials_version,
    )
    return show_account(updated, time.time())
