"""`/admin/health` and `/admin/alerts`: what needs the owner's attention.

Health is what the gateway finds out about itself when asked, each finding with what to do about it. Alerts are what the
scheduled job has told the owner of; `/admin/config/alert-webhook` is where they are posted to.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, SecretStr

from accounts import Account, AccountStoreError, Alert, ApiKey, KeyRole, KeyUse
from gateway.admin.accounts import ServicesArgument
from gateway.admin.shown import iso_time, show_alert
from gateway.http.errors import NOT_FOUND, UPSTREAM, GatewayError, invalid
from gateway.surfaces.context import Services
from pool.status import AccountStatus, status_of
from pool.webhook import CONFIG_NAME, Webhook, WebhookChannel, read_webhook, set_webhook
from reverse.errors import PoeError

router = APIRouter()
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


@router.get("/health", response_model=Health)
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
    yield await _encryption(services, accounts)
    yield accounts_check(accounts, now)
    yield job_check(accounts, now)
    yield keys_check(keys, uses, now)
    yield await _models(services, now)


async def _encryption(services: Services, accounts: Sequence[Account]) -> Check:
    """Whether the key encrypts and opens, and whether it is the one of the accounts in this table."""
    try:
        await services.store.check_vault()
        # One is enough: all are sealed with the same key.
        for account in accounts[:1]:
            await services.store.read_credentials(account.id)
    # Wrong rights look like this, and so does a table that was taken over without its key.
    except AccountStoreError as error:
        return Check(
            name="encryption",
            state="fail",
            detail=f"Credentials can't be encrypted and opened again ({type(error).__name__}).",
            remedy="Check the function's rights to the KMS key, and that the key belongs to this table.",
        )
    return Check(name="encryption", state="ok", detail="Credentials can be encrypted and opened.")


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
    await services.catalogue.refresh()
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


# A large fleet may have more; nobody reads further down.
_MAX_SHOWN = 200


class AlertShown(BaseModel):
    """What the owner is told of. The scheduled job finds and ends alerts, and tells each channel once."""

    id: str
    """Names the cause."""
    at: str | None
    """Since when."""
    kind: str
    text: str
    """What is the matter and what to do."""
    account: str | None
    key: str | None
    ended_at: str | None
    told: dict[str, str | None]
    """When each channel was told: `sns`, `webhook`."""


class AlertList(BaseModel):
    """The open ones first, then those that ended in the last seven days; each newest first."""

    object: Literal["list"] = "list"
    data: list[AlertShown]


class WebhookBody(BaseModel):
    """Where alerts are posted to."""

    model_config = ConfigDict(extra="forbid")

    url: SecretStr
    """An https address on the public Internet. Redirects are not followed. It is kept encrypted and not shown again."""


class WebhookShown(BaseModel):
    """The webhook without its secrets."""

    host: str | None
    """`null` if there is none."""
    since: str | None


class NewWebhook(WebhookShown):
    """The webhook, with the secret that signs its messages, shown this once."""

    secret: str


class Tested(BaseModel):
    """A message was taken."""

    status: Literal["ok"]


class Removed(BaseModel):
    """Whether there was a webhook."""

    deleted: bool


@router.get("/alerts", response_model=AlertList)
async def list_alerts(services: ServicesArgument) -> dict[str, Any]:
    """What the owner is told of: accounts that need somebody, points that run low, budgets near their end."""
    alerts = sorted(await services.store.list_alerts(), key=lambda alert: (alert.is_open, alert.since), reverse=True)
    return {"object": "list", "data": [show_alert(alert) for alert in alerts[:_MAX_SHOWN]]}


@router.get("/config/alert-webhook", response_model=WebhookShown)
async def show_webhook(services: ServicesArgument) -> dict[str, Any]:
    """Where alerts are posted to: the host only, since the rest of an address is often a secret."""
    return _show(await read_webhook(services.store))


@router.put("/config/alert-webhook", response_model=NewWebhook)
async def replace_webhook(services: ServicesArgument, body: WebhookBody) -> dict[str, Any]:
    """Set where alerts are posted to, with a new secret for their signatures, shown this once."""
    try:
        # The address is checked like every address from outside: the function must not be made to call into a private
        # network.
        webhook = await set_webhook(services.store, body.url.get_secret_value(), now=time.time())
    except PoeError as error:
        # These texts are ours and do not repeat the address, which often holds a token.
        raise invalid(f"The address can't be used: {error}.", param="url", code="unsafe_url") from None
    except ValueError:
        raise invalid("The address is too long.", param="url", code="invalid_value") from None
    # Shown now or never: only the scheduled job reads it afterwards, to sign its messages.
    return _show(webhook) | {"secret": webhook.secret}


@router.delete("/config/alert-webhook", response_model=Removed)
async def delete_webhook(services: ServicesArgument) -> dict[str, Any]:
    """Post alerts nowhere."""
    return {"deleted": await services.store.delete_config(CONFIG_NAME)}


@router.post("/alerts/test", response_model=Tested)
async def test_webhook(services: ServicesArgument) -> dict[str, Any]:
    """Post a test message to the webhook now. 502 says what came of it."""
    webhook = await read_webhook(services.store)
    if webhook is None:
        raise GatewayError(NOT_FOUND, "There is no webhook: `poegw alerts webhook set`.")
    alert = Alert(id="test", kind="test", text="This is a test. Alerts of the gateway arrive here.", since=time.time())
    # By the channel that the scheduled job uses, so that the test tries what will be used.
    code = await WebhookChannel(webhook).send([alert], more=0)
    # The webhook's own answer is not repeated: it comes from another server.
    if code is not None:
        raise GatewayError(UPSTREAM, f"The webhook did not take the message ({code}).", code="webhook_failed")
    return {"status": "ok"}


def _show(webhook: Webhook | None) -> dict[str, Any]:
    return {"host": webhook.host if webhook else None, "since": iso_time(webhook.since if webhook else None)}
