"""`/admin/accounts/sign-in`: add an official account by signing in at Poe (OAuth with PKCE).

The gateway makes the address and exchanges the code, so that the account's key never leaves it. The verifier waits in
the table for ten minutes.
"""

from __future__ import annotations

import secrets
import time
from contextlib import aclosing
from itertools import count
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from accounts import AccountKind, AccountStore
from gateway.admin.accounts import ServicesArgument, all_accounts, store_account
from gateway.admin.shapes import AccountShown, Label
from gateway.admin.shown import iso_time
from gateway.http.errors import NOT_FOUND, UPSTREAM, GatewayError, Situation, invalid
from reverse.errors import ErrorCode, PoeError

router = APIRouter(prefix="/accounts/sign-in")
LIFETIME_SECONDS = 600.0
_DOCUMENT = "sign_in"
_OWNER = "admin"
_LABEL = "official"
# What is pasted by people without a browser on this machine.
DEFAULT_REDIRECT = "http://127.0.0.1:8765/callback"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

NOT_CONFIGURED = Situation(
    400,
    "invalid_request_error",
    "sign_in_not_configured",
    "Signing in needs the id of a client registered at Poe, in GATEWAY_POE_CLIENT_ID. An API key works without one.",
    False,
)


class Begin(BaseModel):
    """How the browser comes back: to a loopback port of the caller's, or to an address that is pasted."""

    model_config = ConfigDict(extra="forbid")

    redirect_uri: Annotated[str, Field(max_length=200)] = DEFAULT_REDIRECT


class Begun(BaseModel):
    """Where to sign in, until when."""

    sign_in_id: str
    authorize_url: str
    expires_at: str | None


class Complete(BaseModel):
    """The address that the browser came back to."""

    model_config = ConfigDict(extra="forbid")

    redirected_url: Annotated[str, Field(max_length=4000)]
    label: Label | None = None
    """What to call the account; an account of that name gets the new key. Left out, it is `official`, or `official-2`
    and so on where that is another one's name."""


@router.post("", response_model=Begun, status_code=201)
async def begin_sign_in(services: ServicesArgument, body: Begin | None = None) -> dict[str, Any]:
    """Begin to sign in. Open `authorize_url`, then post the address that the browser comes back to."""
    # Loaded with the first sign-in only.
    from reverse.official import SignIn

    redirect_uri = (body or Begin()).redirect_uri
    parts = urlsplit(redirect_uri)
    # A code that is sent anywhere else could be taken up by whoever has that address.
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK or parts.query:
        raise invalid(
            "The browser can only be sent back to a loopback address.", param="redirect_uri", code="invalid_value"
        )
    if not services.settings.poe_client_id:
        raise GatewayError(NOT_CONFIGURED)
    sign_in = SignIn(services.settings.poe_client_id, redirect_uri)
    sign_in_id = f"signin_{secrets.token_hex(12)}"
    await services.store.put_document(
        _DOCUMENT,
        _OWNER,
        sign_in_id,
        # The verifier stays here: without it, a code that somebody overhears is worth nothing.
        {"redirect_uri": redirect_uri, "state": sign_in.state, "verifier": sign_in.verifier},
        # The item ends by itself; a verifier that waits for ever could be used by whoever finds an old address.
        ttl_seconds=LIFETIME_SECONDS,
    )
    config = await services.poe_settings.refresh()
    return {
        "sign_in_id": sign_in_id,
        "authorize_url": sign_in.authorize_url(config),
        "expires_at": iso_time(time.time() + LIFETIME_SECONDS),
    }


@router.post("/{sign_in_id}", response_model=AccountShown, status_code=201)
async def complete_sign_in(sign_in_id: str, body: Complete, services: ServicesArgument) -> dict[str, Any]:
    """Exchange the code for a key, try the key, and add the account. A sign-in counts once."""
    from reverse.official import SignIn, exchange_code

    begun = await services.store.get_document(_DOCUMENT, _OWNER, sign_in_id)
    # Deleted before the exchange: of two that come at once, one deletes it.
    if begun is None or not await services.store.delete_document(_DOCUMENT, _OWNER, sign_in_id):
        raise GatewayError(NOT_FOUND, "There is no such sign-in. It may have expired: begin again.")
    sign_in = SignIn(services.settings.poe_client_id, begun["redirect_uri"], begun["state"], begun["verifier"])
    try:
        # Compares the state, so that the address of somebody else's sign-in is refused.
        code = sign_in.read_return(urlsplit(body.redirected_url).query)
        login = await exchange_code(sign_in, code, services.poe_settings.config)
    except ValueError:
        raise invalid(
            "This address belongs to another sign-in.", param="redirected_url", code="invalid_value"
        ) from None
    except PoeError as error:
        # The code was refused, or was used before: only a new sign-in helps.
        if error.code is ErrorCode.NOT_AUTHENTICATED:
            raise invalid(
                "Poe refused the sign-in. Begin again.", param="redirected_url", code="sign_in_refused"
            ) from None
        raise GatewayError(
            UPSTREAM, f"Poe could not be asked for the key ({error.code.value}).", code=error.code
        ) from None
    credentials = {"api_key": login.credentials.api_key}
    label = body.label or await _free_label(services.store)
    # Tried first, like a key that is typed in.
    return await store_account(services, AccountKind.OFFICIAL, label, credentials, is_checked=True)


async def _free_label(store: AccountStore) -> str:
    """A name that no official account has: nobody asked to replace one."""
    async with aclosing(all_accounts(store)) as accounts:
        taken = {account.label.lower() async for account in accounts if account.kind is AccountKind.OFFICIAL}
    # The first number that is free, so that a deleted account's name is used again.
    names = (_LABEL if number == 1 else f"{_LABEL}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)
