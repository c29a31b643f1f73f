"""Tries accounts at Poe: reads the balance, which costs nothing, and asks a model where that is wanted."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from accounts import (
    Account,
    AccountKind,
    BalanceReading,
    Intention,
    Lease,
    LeaseRequest,
    NoAccountError,
    Outcome,
    SendRecord,
)
from gateway.http.deadline import to_the_end
from gateway.http.errors import UPSTREAM, GatewayError, Situation
from gateway.surfaces.context import Services
from lazy_dataclasses import dataclass
from pool.outcomes import outcome_of, reading_of
from reverse.chat import NOTHING_LEFT, ChatRequest, Message
from reverse.errors import ErrorCode, PoeError, Scope
from reverse.events import TextDelta, TextReplaced, UsageReported

REFUSED = Situation(
    400,
    "invalid_request_error",
    "credentials_refused",
    "Poe refused the credentials. Nothing was stored. Check them, or sign in at Poe again.",
    False,
)

_TEST_TOKENS = 16
ADMIN_KEY_ID = "admin"
"""Stands in the ledger for sends that no API key asked for."""
NOTHING_SENT = Outcome(code="cancelled", scope=Scope.REQUEST.value)


@dataclass(frozen=True, slots=True)
class Checked:
    """What Poe said to the credentials."""

    reading: BalanceReading
    session_data: Mapping[str, Any]
    """Derived data that the account's next client should have."""


async def check_credentials(services: Services, kind: AccountKind, credentials: Mapping[str, str]) -> Checked:
    """Read the balance. Raises `GatewayError`: 400 when Poe refuses the credentials, 502 when it can't be asked."""
    await services.poe_settings.refresh()
    try:
        # A client of its own, not a warm one: these credentials belong to no account yet.
        async with services.make_client(kind, credentials, None) as client:
            points = await client.points()
            # What the client has found out, a form key for example, spares the account's first chat that work.
            derived = client.session_data()
    except PoeError as error:
        # Only this is said of the credentials; any other failure says nothing about them.
        if error.code is ErrorCode.NOT_AUTHENTICATED:
            raise GatewayError(REFUSED, param="credentials") from None
        raise GatewayError(
            UPSTREAM,
            f"Poe could not be asked whether it takes the credentials ({error.code.value}), so nothing was stored. "
            "Try again, or add the account unchecked with 'check': false.",
            code=error.code.value,
        ) from None
    return Checked(reading_of(points), derived)


async def try_account(services: Services, account_id: str, model: str | None) -> dict[str, Any]:
    """What trying an account finds; a failure is a finding, and is recorded with the account.

    Raises `AccountNotFoundError`, and `GatewayError` (400) for a model on a kind of account that can't be asked.
    """
    account, credentials, session_data = await services.store.read_credentials(account_id)
    await services.poe_settings.refresh()
    started = time.monotonic()
    # What is not tried stays null.
    found: dict[str, Any] = dict.fromkeys(("authenticated", "balance", "answered", "points", "code"))
    found |= {"reachable": False, "model": model}
    try:
        async with services.make_client(account.kind, credentials, session_data) as client:
            reading = await client.points()
        found |= {"reachable": True, "authenticated": True, "balance": reading.balance}
        # Credentials that are replaced meanwhile must not be judged by the old ones.
        version = account.credentials_version
        await services.store.record_reading(
            account_id, reading_of(reading), credentials_version=version, is_by_owner=True
        )
        if model is not None:
            found |= await _ask(services, account, model)
    except PoeError as error:
        found["code"] = error.code.value
        # The balance could not be read. Later failures are the model's, and say nothing of the account.
        if not found["reachable"]:
            # Whatever Poe answers, it was reached; only a network's fault leaves that open.
            found["reachable"] = error.scope is not Scope.NETWORK
            found["authenticated"] = False if error.code is ErrorCode.NOT_AUTHENTICATED else None
            await services.store.record_reading(
                account_id, outcome_of(error), credentials_version=account.credentials_version
            )
        else:
            found["answered"] = False
    return found | {"milliseconds": round((time.monotonic() - started) * 1000)}


async def _ask(services: Services, account: Account, model: str) -> dict[str, Any]:
    """Ask through this account and no other for one word, booked like any send. Raises `PoeError`."""
    meant = await services.catalogue.resolve(model)
    bot = meant.bot
    price = services.prices.price(meant.model, bot, _TEST_TOKENS, _TEST_TOKENS)
    # Leased and booked like any other send, so that the points show up where all points do.
    wanted = LeaseRequest(
        owner=secrets.token_hex(16),
        bot=bot.lower(),
        ttl_seconds=services.settings.lease_ttl_seconds,
        kinds=(account.kind,),
        sticky_account_id=account.id,
        intention=Intention(
            key_id=ADMIN_KEY_ID, model=bot.lower(), surface="test", estimate=price.points, usd=price.usd
        ),
    )
    try:
        lease = await services.store.lease(wanted)
    except NoAccountError as error:
        return {"answered": False, "code": error.reason.value}
    # The store prefers an account and does not insist on it; the answer of another one would prove nothing.
    if lease.account.id != account.id:
        await services.store.release(lease, NOTHING_SENT)
        return {"answered": False, "code": "account_waits"}
    return await _send(services, lease, bot)


async def _send(services: Services, lease: Lease, bot: str) -> dict[str, Any]:
    outcome, reported, is_answered, left = NOTHING_SENT, UsageReported(), False, NOTHING_LEFT
    request = ChatRequest(bot, (Message("user", "Answer with the word yes."),), max_tokens=_TEST_TOKENS)
    try:
        async with services.make_client(lease.account.kind, lease.credentials, lease.session_data) as client:
            try:
                async with aclosing(client.stream(request)) as events:
                    async for event in events:
                        # Whatever the words are: that some came shows that the account answers.
                        is_answered = is_answered or isinstance(event, TextDelta | TextReplaced)
                        if isinstance(event, UsageReported):
                            reported = event
            finally:
                # Read before the client closes; it knows the chat, by which the cost may be settled later.
                left = client.aftermath()
        outcome = Outcome(bot=bot.lower())
    except PoeError as error:
        # With the model, whose failure need not be the account's.
        outcome = outcome_of(error, bot=bot.lower())
        raise
    finally:
        # In every ending: what was sent may be charged, whatever came of it.
        usage = SendRecord(
            ended_at=time.time(),
            prompt_tokens=reported.prompt_tokens,
            completion_tokens=reported.completion_tokens,
            points=reported.points,
            chat_id=left.chat_id,
        )
        await to_the_end(services.store.release(lease, outcome, usage=usage), name="account-test-release")
    return {"answered": is_answered, "points": reported.points}
