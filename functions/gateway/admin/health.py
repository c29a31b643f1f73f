"""`/admin/health`: what the gateway can find out about itself, each finding with what to do about it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from accounts import Account, AccountStoreError, ApiKey, KeyRole, KeyUse
from gateway.admin.accounts import ServicesArgument
from gateway.surfaces.context import Services
from pool.status import AccountStatus, status_of

router = APIRouter(prefix="/health")
_PAGE = 200
_MODELS_AGE_SECONDS = 2 * 86_400.0
_OLD_DUE_SECONDS = 3_600.0
_ENDS_SOON_SECONDS = 7 * 86_400.0
_UNUSED_SECONDS = 90 * 86_400.0
_NAMED = 5


class Check(BaseModel):
    """One finding."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str | None = None


class Health(BaseModel):
    """The findings, and the gateway's own clock."""

    time: str
    checks: list[Check]


@router.get("", response_model=Health)
async def show_health(services: ServicesArgument) -> dict[str, Any]:
    """Check table, encryption key, accounts, scheduled job, API keys and list of models. Reads only."""
    return {"time": datetime.now(UTC).isoformat(timespec="seconds"), "checks": await check_health(services)}


async def check_health(services: Services) -> list[Check]:
    """All findings."""
    return [check async for check in _checks(services)]


async def _checks(services: Services) -> AsyncGenerator[Check, None]:
    try:
        accounts = list((await services.store.list_accounts(limit=_PAGE)).items)
        keys = list((await services.store.list_keys(limit=_PAGE)).items)
        uses = await services.store.key_uses([key.id for key in keys])
    # Nothing else can be looked at without the table.
    except AccountStoreError as error:
        remedy = "Check the function's rights to the table and the region's health."
        yield Check(
            name="table", state="fail", detail=f"The table can't be read ({type(error).__name__}).", remedy=remedy
        )
        return
    yield Check(name="table", state="ok", detail="The table answers.")
    now = time.time()
    if accounts:
        # One is enough: all are sealed with the same key.
        yield await _encryption(services, accounts[0])
    yield accounts_check(accounts, now)
    yield job_check(accounts, now)
    yield keys_check(keys, uses, now)
    yield await _models(services, now)


async def _encryption(services: Services, account: Account) -> Check:
    try:
        await services.store.read_credentials(account.id)
    # Wrong rights look like this, and so does a table that was taken over without its key.
    except AccountStoreError as error:
        return Check(
            name="encryption",
            state="fail",
            detail=f"The credentials of an account can't be opened ({type(error).__name__}).",
            remedy="Check the function's rights to the KMS key, and that the key belongs to this table.",
        )
    return Check(name="encryption", state="ok", detail="Credentials can be opened.")


def accounts_check(accounts: list[Account], now: float) -> Check:
    """Whether any account can serve, and which can't and why. Pure."""
    if not accounts:
        return Check(
            name="accounts",
            state="fail",
            detail="There is no account.",
            remedy="Add one: `poegw accounts add official`.",
        )
    counts = Counter(status_of(account, now) for account in accounts)
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    depleted = [account for account in accounts if status_of(account, now) is AccountStatus.DEPLETED]
    grants = [account.points.next_grant_at for account in depleted if account.points is not None]
    # From then on one of them at least can serve again.
    if known := [grant for grant in grants if grant is not None]:
        told += f"; the next points come at {datetime.fromtimestamp(min(known), UTC):%Y-%m-%d %H:%M} UTC"
    # Told even where others can serve: these come back only by somebody's hand.
    refused = [account.label for account in accounts if status_of(account, now) is AccountStatus.INVALID]
    if not counts[AccountStatus.ACTIVE]:
        return Check(
            name="accounts",
            state="fail",
            detail=f"No account can serve: {told}.",
            remedy="`poegw accounts list` says what each waits for.",
        )
    if refused:
        return Check(
            name="accounts",
            state="warn",
            detail=f"Poe refuses the credentials of {len(refused)} of {len(accounts)} accounts ({told}).",
            remedy="Give them new credentials: `poegw accounts add`, with the same label.",
        )
    return Check(name="accounts", state="ok", detail=f"{told}.")


def job_check(accounts: list[Account], now: float) -> Check:
    """Whether the scheduled job reads balances: seen from readings that are long overdue. Pure."""
    # Accounts that are switched off are not read by the job.
    waiting = [account for account in accounts if status_of(account, now) is not AccountStatus.DISABLED]
    # The job leaves no trace of its own where it does not run; overdue readings are what shows it.
    overdue = [account for account in waiting if account.refresh_due_at < now - _OLD_DUE_SECONDS]
    if overdue:
        # The longest, which tells since when the job does not run.
        hours = max(now - account.refresh_due_at for account in overdue) / 3600
        return Check(
            name="scheduled job",
            state="fail",
            detail=f"{len(overdue)} accounts were due to be read up to {hours:.0f} hours ago.",
            remedy="Look at the job's log, and at its schedule: `poegw doctor --aws`.",
        )
    return Check(name="scheduled job", state="ok", detail="No account is overdue to be read.")


def keys_check(keys: list[ApiKey], uses: Mapping[str, KeyUse], now: float) -> Check:
    """Whether a lost key could cost much, and whether one ends soon or is used by nobody. Pure."""
    enabled = [key for key in keys if key.enabled and not (key.expires_at and key.expires_at <= now)]
    clients = [key for key in enabled if key.role is KeyRole.CLIENT]
    # A budget of tokens bounds no points: models differ in their prices a hundredfold.
    endless = [key.name for key in clients if key.points_per_day is None and key.points_per_month is None]
    if endless:
        return Check(
            name="keys",
            state="warn",
            detail=f"{len(endless)} of {len(clients)} keys have no budget of points.",
            remedy="Give them one: `poegw keys update NAME --budget 2000/day`.",
        )
    # Told early: a program that stands still at night is what an expiry looks like otherwise.
    if ending := [key.name for key in enabled if key.expires_at and key.expires_at - now < _ENDS_SOON_SECONDS]:
        return Check(
            name="keys",
            state="warn",
            detail=f"Expires within a week: {_named(ending)}.",
            remedy="Prolong it: `poegw keys update NAME --expires 90d`; for this machine's own, `poegw login`.",
        )
    if unused := [key.name for key in enabled if _last_use(key, uses) < now - _UNUSED_SECONDS]:
        return Check(
            name="keys",
            state="warn",
            detail=f"Not used for 90 days: {_named(unused)}.",
            remedy="Revoke what nobody needs: `poegw keys revoke NAME`.",
        )
    lasting = sum(key.expires_at is None for key in clients)
    return Check(
        name="keys", state="ok", detail=f"{len(clients)} keys for models, each with a budget; {lasting} never expire."
    )


def _last_use(key: ApiKey, uses: Mapping[str, KeyUse]) -> float:
    """Epoch seconds. A key that was never used counts from when it was made."""
    used_at = uses[key.id].last_used_at if key.id in uses else None
    return key.created_at if used_at is None else used_at


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


async def _models(services: Services, now: float) -> Check:
    await services.catalogue.models()
    # `None` is the embedded list, which is as old as the deployment.
    updated_at = services.catalogue.updated_at
    if updated_at is None:
        return Check(
            name="models",
            state="warn",
            detail="The list of models is the one that the gateway was made with.",
            remedy="The scheduled job reads it from Poe; its log says why it has not.",
        )
    age = now - updated_at
    if age > _MODELS_AGE_SECONDS:
        return Check(
            name="models",
            state="warn",
            detail=f"The list of models is {age / 86_400:.0f} days old.",
            remedy="Look at the scheduled job's log for catalogue.read.",
        )
    return Check(name="models", state="ok", detail=f"The list of models is {age / 3600:.0f} hours old.")
