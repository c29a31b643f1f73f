"""The owner's webhook: where alerts are posted to, signed.

The address is kept sealed, because many services put a secret into it. It must be https on the public Internet, is
looked up and checked anew for each message, and no redirect is followed. A receiver checks the signature like this:

    expected = hmac.new(secret, f"{t}.".encode() + body, "sha256").hexdigest()

with `t` and `v1` from `x-poe-gateway-signature: t=1764500000,v1=…`, and refuses an old `t`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import field

from accounts import AccountStore, Alert
from lazy_dataclasses import dataclass
from pool.alert_message import document_of
from reverse.errors import PoeError
from reverse.guarded_post import check_address, post
from reverse.url_guard import FetchPolicy

CONFIG_NAME = "alert-webhook"
SIGNATURE_HEADER = "x-poe-gateway-signature"
TIMEOUT_SECONDS = 10.0
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to post to, and with which secret to sign."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    since: float

    @property
    def host(self) -> str:
        """What may be shown of the address."""
        return check_address(self.url, _ANY).host


# Only takes the address apart.
_ANY = FetchPolicy(allow_http=True, is_allowed=lambda _: True)


async def read_webhook(store: AccountStore) -> Webhook | None:
    """The webhook, if there is one. Raises `AccountStoreError`."""
    kept = await store.get_sealed_config(CONFIG_NAME)
    return None if kept is None else Webhook(kept["url"], kept["secret"], float(kept["since"]))


async def set_webhook(store: AccountStore, url: str, *, now: float, policy: FetchPolicy | None = None) -> Webhook:
    """Keep an address with a new secret. Raises `PoeError` (`unsafe_url`), `AccountStoreError`."""
    # Here as well as at each message: the owner should hear of it now.
    check_address(url, policy or FetchPolicy())
    # New with every address: who had the old one must not be able to sign for the new one.
    webhook = Webhook(url, f"whsec_{secrets.token_urlsafe(_SECRET_BYTES)}", now)
    await store.put_sealed_config(CONFIG_NAME, {"url": url, "secret": webhook.secret, "since": now})
    return webhook


def sign(secret: str, body: bytes, at: int) -> str:
    """The value of the signature's header."""
    # The time is signed along, so that a receiver can refuse a message that somebody recorded.
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class WebhookChannel:
    """Posts alerts to a webhook."""

    def __init__(
        self,
        webhook: Webhook,
        *,
        clock: Callable[[], float] = time.time,
        policy: FetchPolicy | None = None,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._webhook = webhook
        self._clock = clock
        self._policy = policy or FetchPolicy()
        self._tls_context = tls_context

    async def send(self, alerts: Sequence[Alert], *, more: int) -> str | None:
        """Post them as one document. Returns the code of a failure: the status, or the Poe client's code."""
        now = self._clock()
        body = document_of(alerts, more, at=now)
        headers = {SIGNATURE_HEADER: sign(self._webhook.secret, body, int(now)), "content-type": "application/json"}
        try:
            status = await post(
                self._webhook.url,
                body,
                headers=headers,
                timeout_seconds=TIMEOUT_SECONDS,
                policy=self._policy,
                tls_context=self._tls_context,
            )
        # The code only: the address may hold a secret, and codes are shown and logged.
        except PoeError as error:
            return error.code.value
        return None if 200 <= status < 300 else f"http_{status}"  # noqa: PLR2004 - HTTP's successes
