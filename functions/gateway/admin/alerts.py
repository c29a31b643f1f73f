"""`/admin/alerts` and `/admin/config/alert-webhook`: what the owner is told of, and where it is posted to."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, SecretStr

from accounts import Alert
from gateway.admin.accounts import ServicesArgument
from gateway.admin.shown import iso_time, show_alert
from gateway.http.errors import NOT_FOUND, UPSTREAM, GatewayError, invalid
from pool.webhook import CONFIG_NAME, Webhook, WebhookChannel, read_webhook, set_webhook
from reverse.errors import PoeError

router = APIRouter()
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
