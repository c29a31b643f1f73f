"""`/admin/export` and `/admin/import`: everything that an owner would miss, page by page.

An export has accounts, keys as hashes, the ledger and settings. Credentials leave only one by one, for the holder of
the deployment's own admin key; the command line encrypts them before they reach a disk. An import adds what is not
there, and changes nothing that is: so it may be repeated, and goes on where it broke off.
"""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from accounts import AccountNotFoundError, Restored, Selection
from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.backup_shapes import (
    AccountRecord,
    AccountsExported,
    AccountsToImport,
    AccountToImport,
    CredentialsShown,
    CredentialsWanted,
    EntryRecord,
    Imported,
    KeyRecord,
    KeysExported,
    KeysToImport,
    LedgerExported,
    LedgerToImport,
    SettingsExported,
    SettingsToImport,
)
from gateway.http.auth import CALLER_KEY, Administrator
from gateway.http.errors import GatewayError, Situation, invalid
from gateway.surfaces.context import Services
from pool.clients import read_credentials
from pool.config_names import POE
from reverse.overrides import OverrideError, read_overrides

router = APIRouter()
LEDGER_SECONDS = 400 * 86_400.0
# How far an entry's id, which has milliseconds, may be from its time.
_ROUNDING_SECONDS = 0.001

ADMIN_KEY_REQUIRED = Situation(
    403,
    "permission_error",
    "admin_key_required",
    "Credentials are only exported with the admin key of the deployment itself, not with a key of role admin.",
)


@router.get("/export/accounts", response_model=AccountsExported)
async def export_accounts(services: ServicesArgument, limit: Limit = 50, cursor: str | None = None) -> dict[str, Any]:
    """One page of accounts, without their credentials."""
    page = await services.store.backup_accounts(limit=limit, cursor=cursor)
    return {"data": [AccountRecord.of(backup) for backup in page.items], "next_cursor": page.cursor}


@router.post("/export/credentials", response_model=CredentialsShown)
async def export_credentials(services: ServicesArgument, request: Request, body: CredentialsWanted) -> dict[str, Any]:
    """The credentials of some accounts, in clear. Takes the admin key of the deployment, and no other key."""
    caller: Administrator = request.scope[CALLER_KEY]
    # A key of role admin can be made by others who administer; the admin key of the deployment is never in the table.
    if caller.key is not None:
        raise GatewayError(ADMIN_KEY_REQUIRED)
    found: dict[str, dict[str, str]] = {}
    for account_id in body.accounts:
        try:
            _, credentials, _ = await services.store.read_credentials(account_id)
        # Deleted since the list was read: the others are exported all the same.
        except AccountNotFoundError:
            continue
        found[account_id] = dict(credentials)
    return {"data": found}


@router.get("/export/keys", response_model=KeysExported)
async def export_keys(services: ServicesArgument, limit: Limit = 50, cursor: str | None = None) -> dict[str, Any]:
    """One page of keys: hashes instead of secrets, and what each has consumed."""
    page = await services.store.backup_keys(limit=limit, cursor=cursor)
    return {"data": [KeyRecord.of(backup) for backup in page.items], "next_cursor": page.cursor}


@router.get("/export/ledger", response_model=LedgerExported)
async def export_ledger(services: ServicesArgument, limit: Limit = 100, cursor: str | None = None) -> dict[str, Any]:
    """One page of all sends that are kept, newest first. A page may be short and still have a next one."""
    now = time.time()
    wanted = Selection(since=now - LEDGER_SECONDS, until=now + 1)
    try:
        page = await services.store.list_entries(wanted, limit=limit, cursor=cursor)
    except ValueError:
        raise invalid("The cursor is not one of this list.", param="cursor", code="invalid_value") from None
    return {"data": [EntryRecord.of(entry) for entry in page.items], "next_cursor": page.cursor}


@router.get("/export/settings", response_model=SettingsExported)
async def export_settings(services: ServicesArgument) -> dict[str, Any]:
    """The settings that are kept in the table. The alerts' webhook, which is a secret, is none of them."""
    value = await services.store.get_config(POE)
    return {"data": [{"name": POE, "value": value}] if value else [], "next_cursor": None}


@router.post("/import/accounts", response_model=Imported)
async def import_accounts(services: ServicesArgument, body: AccountsToImport) -> dict[str, Any]:
    """Add accounts under their old ids. Without credentials one waits for new ones: add it again with its label."""
    results = []
    for number, item in enumerate(body.data):
        credentials = _credentials_of(item, number)
        try:
            # One at a time: each is sealed by KMS, and a failure leaves the earlier ones, which a repetition finds in
            # place.
            results.append(await services.store.restore_account(item.backup(), credentials))
        except ValueError:
            raise _invalid(number, "credentials", "they are too large") from None
    return _imported(results)


def _credentials_of(item: AccountToImport, number: int) -> dict[str, str] | None:
    if item.credentials is None:
        return None
    credentials = {name: value.get_secret_value() for name, value in item.credentials.items()}
    try:
        # Its messages name the credential and never its value.
        read_credentials(item.kind, credentials)
    except ValueError as error:
        raise _invalid(number, "credentials", str(error)) from None
    return credentials


@router.post("/import/keys", response_model=Imported)
async def import_keys(services: ServicesArgument, body: KeysToImport) -> dict[str, Any]:
    """Add keys by their hashes, under their old ids, with what they have consumed of their budgets."""
    results = [await services.store.restore_key(item.backup()) for item in body.data]
    # A key that was unknown here a moment ago is known now.
    services.authenticator.forget()
    return _imported(results)


@router.post("/import/ledger", response_model=Imported)
async def import_ledger(services: ServicesArgument, body: LedgerToImport) -> dict[str, Any]:
    """Add sends. Their hours are summed up again by the scheduled job."""
    for number, item in enumerate(body.data):
        # The id is the entry's place in the table, by its time: a wrong one would be summed up in another hour.
        if abs(int(item.id[:14]) / 1000 - item.started_at) > _ROUNDING_SECONDS:
            raise _invalid(number, "id", "it does not fit 'started_at'")
        # An entry of the future would keep its hour open until then.
        if item.started_at > time.time() + 86_400:
            raise _invalid(number, "started_at", "it is in the future")
    return _imported(await services.store.restore_entries([item.entry() for item in body.data]))


@router.post("/import/settings", response_model=Imported)
async def import_settings(services: ServicesArgument, body: SettingsToImport) -> dict[str, Any]:
    """Add settings where there are none."""
    results = [await _restore_setting(services, item.value, number) for number, item in enumerate(body.data)]
    return _imported(results)


async def _restore_setting(services: Services, value: dict[str, Any], number: int) -> Restored:
    try:
        document = read_overrides(value)
    except OverrideError as error:
        raise _invalid(number, f"value.{error.field}", str(error)) from None
    # What is there stays: an import never replaces.
    there = await services.store.get_config(POE)
    if there:
        # A repeated import is no failure, and what the owner has changed since is not undone.
        return Restored.SAME if there == document else Restored.KEPT
    try:
        await services.store.put_config(POE, document)
    except ValueError:
        raise _invalid(number, "value", "it is too large") from None
    # This sandbox uses it at once; others within a minute.
    services.poe_settings.forget()
    return Restored.CREATED


def _imported(results: list[Restored]) -> dict[str, Any]:
    return {"results": [result.value for result in results]}


def _invalid(number: int, name: str, why: str) -> GatewayError:
    # The value is not told: it may be a credential.
    place = f"data.{number}.{name}"
    return invalid(f"'{place}' is not valid: {why}.", param=place, code="invalid_value")
