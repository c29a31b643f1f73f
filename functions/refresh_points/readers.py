"""Reads one account's points through the Poe client: what it said, or how it failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any

from accounts import Account, BalanceReading, Claim, Outcome
from lazy_dataclasses import dataclass
from pool.clients import ClientFactory
from pool.outcomes import CREDENTIALS_UNUSABLE, outcome_of, reading_of
from reverse.chat import PoeClient
from reverse.errors import PoeError


@dataclass(frozen=True, slots=True)
class Read:
    """What Poe said, or how asking it failed; session data only where it changed."""

    result: BalanceReading | Outcome
    session_data: Mapping[str, Any] | None = field(default=None, repr=False)


Reader = Callable[[Claim], Awaitable[Read]]
AfterReading = Callable[[Account, PoeClient, BalanceReading], Awaitable[None]]
"""What else is done with the client of an account that was read. Raises nothing that concerns the reading."""


def points_reader(
    make_client: ClientFactory,
    after: AfterReading | None = None,
    *,
    note: Callable[[BalanceReading], None] = lambda _: None,
) -> Reader:
    """A reader that opens a client for each account, and closes it after the one call, and after `after`.

    `note` is told every balance.
    """

    async def read(claim: Claim) -> Read:
        try:
            client = make_client(claim.account.kind, claim.credentials, claim.session_data)
        # It never gets better by itself, so that it counts as credentials that Poe refuses.
        except ValueError:
            return Read(CREDENTIALS_UNUSABLE)
        async with client:
            try:
                points = await client.points()
            except PoeError as error:
                return Read(outcome_of(error))
            reading = reading_of(points)
            note(reading)
            # On the same client: it is connected, and the claim keeps other runs away.
            if after is not None:
                await after(claim.account, client, reading)
            session_data = client.session_data()
        # Sealing it is a call of KMS.
        is_changed = bool(session_data) and session_data != claim.session_data
        return Read(reading, session_data if is_changed else None)

    return read
