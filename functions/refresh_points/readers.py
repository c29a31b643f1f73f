"""Reads one account's points through the Poe client: the only module that knows the clients and their errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accounts import AccountKind, Claim, Outcome, Reading
from reverse.chat import PoeClient
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials, WebCredentials
from reverse.errors import PoeError

if TYPE_CHECKING:
    from reverse.official import OfficialTransport

ClientFactory = Callable[[AccountKind, Mapping[str, str], Mapping[str, Any] | None], PoeClient]
"""Makes a client from an account's kind, credentials and derived session data. Does no I/O."""


@dataclass(frozen=True, slots=True)
class Read:
    """What Poe said, or how asking it failed; session data only where it changed."""

    result: Reading | Outcome
    session_data: Mapping[str, Any] | None = field(default=None, repr=False)


Reader = Callable[[Claim], Awaitable[Read]]


def points_reader(make_client: ClientFactory) -> Reader:
    """A reader that opens a client for each account, and closes it after the one call."""

    async def read(claim: Claim) -> Read:
        try:
            client = make_client(claim.account.kind, claim.credentials, claim.session_data)
        except ValueError:
            # The stored credentials are none: they would be refused.
            return Read(Outcome(code="not_authenticated", scope="account"))
        async with client:
            try:
                points = await client.points()
            except PoeError as error:
                return Read(
                    Outcome(
                        code=error.code.value,
                        scope=error.scope.value,
                        retry_after_seconds=error.retry_after_seconds,
                    )
                )
            session_data = client.session_data()
        is_changed = bool(session_data) and session_data != claim.session_data
        reading = Reading(points.balance, points.subscribed, points.allotment, points.next_grant_at)
        return Read(reading, session_data if is_changed else None)

    return read


class Clients:
    """Makes the real clients. Those of official accounts share connections: a key is a header, not a session."""

    def __init__(self, config: PoeConfig) -> None:
        self._config = config
        self._transport: OfficialTransport | None = None

    def make(
        self, kind: AccountKind, credentials: Mapping[str, str], session_data: Mapping[str, Any] | None
    ) -> PoeClient:
        """A client of one account. Raises `ValueError` for credentials that can't be any."""
        # Each client brings its own network library: only the one that is needed is loaded.
        if kind is AccountKind.OFFICIAL:
            from reverse.official import OfficialTransport, PoeOfficialClient

            self._transport = self._transport or OfficialTransport(self._config)
            return PoeOfficialClient(
                OfficialCredentials.from_mapping(credentials),
                self._config,
                session_data=session_data,
                transport=self._transport,
            )
        from reverse.web import PoeWebClient

        return PoeWebClient(WebCredentials.from_mapping(credentials), self._config, session_data=session_data)

    async def aclose(self) -> None:
        """Close the shared connections."""
        if self._transport is not None:
            await self._transport.aclose()
