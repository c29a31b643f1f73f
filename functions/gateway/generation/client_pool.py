"""Poe clients kept warm between requests, so that a warm sandbox speaks to Poe without connecting first."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from accounts import Lease
from lazy_dataclasses import dataclass
from pool.clients import ClientFactory
from reverse.chat import PoeClient

# A sandbox serves one request at a time; a server process on one machine some more.
MAX_IDLE = 16
# Derived data changes a little with every chat (positions in the channel); stale data costs its next user a round trip
# at most, so that a warm client's changes are written only now and then.
KEEP_SESSION_DATA_SECONDS = 300.0


@dataclass(slots=True, eq=False)
class WarmClient:
    """A client of one account, with the credentials of that version."""

    client: PoeClient
    account_id: str
    credentials_version: int
    settings: object = None
    """The configuration that it was made with."""
    kept_at: float | None = None
    """When its derived data was last given to the store; `None` for a client that is new here."""


class WarmClients:
    """Idle clients, the longest idle first. Each serves one answer at a time; closing one does no network call."""

    def __init__(
        self,
        make: ClientFactory,
        *,
        refresh_settings: Callable[[], Awaitable[object]] | None = None,
        max_idle: int = MAX_IDLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._refresh_settings = refresh_settings
        self._max_idle = max_idle
        self._clock = clock
        self._idle: list[WarmClient] = []

    async def take(self, lease: Lease) -> WarmClient:
        """An idle client of the leased account, or a new one. Clients with older credentials or settings are closed.

        Raises `ValueError`, which names no value, when the stored credentials can't be used.
        """
        account = lease.account
        settings: object = None
        # A kind without such settings needs no look at the table.
        if self._refresh_settings is not None and account.kind.traits.has_run_time_settings:
            settings = await self._refresh_settings()
        version = account.credentials_version

        def is_usable(warm: WarmClient) -> bool:
            # By identity: `PoeSettings` makes another object only when something has changed.
            return warm.credentials_version == version and warm.settings is settings

        await self._close(lambda warm: warm.account_id == account.id and not is_usable(warm))
        # The one that was used last is the likeliest to be still connected. Nothing waits between here and the removal,
        # so that two requests never get the same client.
        for warm in reversed(self._idle):
            if warm.account_id == account.id and is_usable(warm):
                self._idle.remove(warm)
                return warm
        client = self._make(account.kind, lease.credentials, lease.session_data)
        # Entering opens no connection; the first call does.
        return WarmClient(await client.__aenter__(), account.id, version, settings)

    async def give_back(self, warm: WarmClient, *, is_healthy: bool) -> None:
        """Keep the client for the next request of its account, or close it after a failure that may be its own."""
        if not is_healthy:
            # A broken socket would fail the next request, too, which then pays with one of its sends.
            await warm.client.aclose()
            return
        self._idle.append(warm)
        surplus = self._idle[: -self._max_idle]
        await self._close(lambda idle: idle in surplus)

    def changed_session_data(self, warm: WarmClient, lease: Lease) -> dict[str, Any] | None:
        """Derived data that other sandboxes should have, if it is time to tell them."""
        now = self._clock()
        data = warm.client.session_data()
        is_recent = warm.kept_at is not None and now - warm.kept_at < KEEP_SESSION_DATA_SECONDS
        if is_recent or data == dict(lease.session_data or {}):
            return None
        warm.kept_at = now
        return data

    async def forget(self, account_id: str) -> None:
        """Close the idle clients of an account that was changed or deleted."""
        await self._close(lambda warm: warm.account_id == account_id)

    async def aclose(self) -> None:
        """Close all idle clients."""
        await self._close(lambda _: True)

    async def _close(self, is_meant: Callable[[WarmClient], bool]) -> None:
        """Close idle clients, each whatever becomes of the others. Nobody finds them any more while that takes."""
        meant = [warm for warm in self._idle if is_meant(warm)]
        # Removed before the closing, which takes time; a stack closes the others when one of them fails.
        self._idle = [warm for warm in self._idle if warm not in meant]
        async with AsyncExitStack() as closing:
            for warm in meant:
                closing.push_async_callback(warm.client.aclose)
