"""`/admin/accounts`: add, look at, switch, delete, read points."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request

from accounts import Account, AccountKind, AccountState, AccountStore
from gateway.admin.account_check import check_credentials, try_account
from gateway.admin.shapes import (
    AccountBody,
    AccountChange,
    AccountFilter,
    AccountPage,
    AccountShown,
    AccountTest,
    AccountTested,
    Deleted,
    EmailBody,
    Summary,
    UpsertBody,
)
from gateway.admin.shown import show_account
from gateway.http.errors import NOT_FOUND, UPSTREAM, GatewayError, invalid
from gateway.surfaces.context import Services, context_of
from pool.clients import read_credentials
from pool.estimates import note_first_rate
from pool.outcomes import outcome_of, reading_of
from pool.status import AccountStatus, status_of
from reverse.errors import PoeError

router = APIRouter(prefix="/accounts")
# How many accounts are looked through for an e-mail address, page by page.
_PAGE = 200
_MAX_PAGES = 50
_ORIGINAL_PAGE = 20


def services_of(request: Request) -> Services:
    """For `Depends`."""
    return context_of(request).services


ServicesArgument = Annotated[Services, Depends(services_of)]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.post("", status_code=201, response_model=AccountShown)
async def add_account(body: AccountBody, services: ServicesArgument) -> dict[str, Any]:
    """Add an account, or replace the credentials of the one with this kind and label. Poe is asked about them first."""
    # `SecretStr` keeps them out of reprs and validation errors up to here.
    credentials = {name: value.get_secret_value() for name, value in body.credentials.items()}
    return await store_account(
        services, body.kind, body.label, credentials, max_concurrency=body.max_concurrency, is_checked=body.check
    )


@router.post("/upsert", response_model=AccountShown)
async def upsert_account(body: UpsertBody, services: ServicesArgument) -> dict[str, Any]:
    """The original gateway's way to add a web account."""
    return await store_account(services, AccountKind.WEB, body.email, body.credentials(), is_checked=body.check)


async def store_account(
    services: Services,
    kind: AccountKind,
    label: str,
    credentials: Mapping[str, str],
    *,
    max_concurrency: int | None = None,
    is_checked: bool,
) -> dict[str, Any]:
    """Add an account, or replace its credentials. With `is_checked` Poe is asked first, and what it said is kept.

    Raises `GatewayError` for credentials that can't be any, or that Poe refuses; then nothing is stored.
    """
    try:
        # Their messages name the credential and never its value.
        read_credentials(kind, credentials)
    except ValueError as error:
        raise _not_valid(error) from None
    checked = await check_credentials(services, kind, credentials) if is_checked else None
    try:
        # Stored before the reading, which belongs to the account; a refusal was raised above.
        account = await services.store.put_account(
            kind=kind, label=label.strip(), credentials=credentials, max_concurrency=max_concurrency
        )
    except ValueError as error:
        raise _not_valid(error) from None
    if checked is not None:
        account = await services.store.record_reading(
            account.id,
            checked.reading,
            session_data=checked.session_data or None,
            credentials_version=account.credentials_version,
            is_by_owner=True,
        )
        # The first account that tells what its points are worth makes estimates in dollars possible at once.
        await note_first_rate(services.store, checked.reading)
    # Warm clients of this sandbox have the old credentials; others find out by the version.
    await services.clients.forget(account.id)
    return show_account(account, time.time())


def _not_valid(error: ValueError) -> GatewayError:
    return invalid(f"The credentials are not valid: {error}.", param="credentials", code="invalid_value")


@router.get("", response_model=AccountPage)
async def list_accounts(
    services: ServicesArgument, asked: Annotated[AccountFilter, Query()], limit: Limit = 50, cursor: str | None = None
) -> dict[str, Any]:
    """One page of accounts; `next_cursor` asks for the next.

    With `page` or `page_size` it answers as the original gateway did: numbered pages, the latest changed first.
    """
    now = time.time()
    if asked.is_numbered:
        # Numbered pages and totals need every account; the store has cursors only.
        async with aclosing(all_accounts(services.store)) as every:
            accounts = [account async for account in every if asked.takes(account, now)]
        # The original's order; by cursor there is none, because the table has none.
        accounts.sort(key=lambda account: account.updated_at, reverse=True)
        number, size = asked.page or 1, asked.page_size or _ORIGINAL_PAGE
        shown = [show_account(account, now) for account in accounts[(number - 1) * size : number * size]]
        numbers = {"page": number, "page_size": size, "total": len(accounts)}
        return {"object": "list", "data": shown, "next_cursor": None, **numbers}
    taken: list[Account] = []
    for _ in range(_MAX_PAGES):
        # Asked for no more than is wanted, so that the cursor is right behind the last one that is shown.
        page = await services.store.list_accounts(limit=limit - len(taken), cursor=cursor)
        taken += [account for account in page.items if asked.takes(account, now)]
        cursor = page.cursor
        if cursor is None or len(taken) >= limit:
            break
    return {"object": "list", "data": [show_account(account, now) for account in taken], "next_cursor": cursor}


async def all_accounts(store: AccountStore) -> AsyncGenerator[Account, None]:
    """Every account, as far as a request has time for."""
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await store.list_accounts(limit=_PAGE, cursor=cursor)
        for account in page.items:
            yield account
        cursor = page.cursor
        if cursor is None:
            return


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
    async with aclosing(all_accounts(services.store)) as accounts:
        async for account in accounts:
            # The original gateway named accounts by e-mail address, which is the label of those that came from it.
            if account.label.lower() == body.email.strip().lower():
                return await refresh_points(account.id, services)
    raise GatewayError(NOT_FOUND, "There is no such account.")


@router.get("/{account_id}", response_model=AccountShown)
async def get_account(account_id: str, services: ServicesArgument) -> dict[str, Any]:
    return show_account(await services.store.get_account(account_id), time.time())


@router.patch("/{account_id}", response_model=AccountShown)
async def change_account(account_id: str, body: AccountChange, services: ServicesArgument) -> dict[str, Any]:
    """Change label or concurrency, without the credentials."""
    account = await services.store.update_account(account_id, label=body.label, max_concurrency=body.max_concurrency)
    return show_account(account, time.time())


@router.post("/{account_id}/test", response_model=AccountTested)
async def test_account(account_id: str, services: ServicesArgument, body: AccountTest | None = None) -> dict[str, Any]:
    """Try an account at Poe: read its balance, which costs nothing, and with `model` ask that model for one word."""
    return await try_account(services, account_id, body.model if body else None)


@router.delete("/{account_id}", response_model=Deleted)
async def delete_account(account_id: str, services: ServicesArgument) -> dict[str, Any]:
    """Delete an account with its credentials."""
    # Raises for an account that there is not, which `delete_account` would pass over.
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
        # The failure is the account's state, too: the list must not show it as fine.
        await services.store.record_reading(
            account_id, outcome_of(error), credentials_version=account.credentials_version
        )
        # The code and not Poe's words, which may name the user.
        raise GatewayError(UPSTREAM, f"The points could not be read ({error.code.value}).", code=error.code) from None
    await note_first_rate(services.store, reading_of(reading))
    updated: Account = await services.store.record_reading(
        account_id,
        reading_of(reading),
        # Sealing and writing them costs a call of KMS, so only what has changed is written.
        session_data=None if derived == dict(session_data or {}) else derived,
        credentials_version=account.credentials_version,
        is_by_owner=True,
    )
    return show_account(updated, time.time())
