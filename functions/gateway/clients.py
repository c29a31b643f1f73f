"""Poe clients kept warm between requests, so that a warm sandbox speaks to Poe without connecting first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts import AccountKind, Lease
from reverse.chat import PoeClient

ClientFactory = Callable[[AccountKind, Mapping[str, str], Mapping[str, Any] | None], PoeClient]
"""Makes a client from an account's kind, credentials and derived session data. Does no I/O."""

# A sandbox serves one request at a time; a server process on one machine some more.
MAX_IDLE = 16


@dataclass(frozen=True, slots=True)
class _Idle:
    client: PoeClient
    account_id: str
    credentials_version: int


class WarmClients:
    """Idle clients by account. Each client serves one answer at a time; closing one does no network call."""

    def __init__(self, make: ClientFactory, *, max_idle: int = MAX_IDLE) -> None:
        self._make = make
        self._max_idle = max_idle
        # The one returned last is last.
        self._idle: OrderedDict[int, _Idle] = OrderedDict()

    async def take(self, lease: Lease) -> PoeClient:
        """An idle client of the leased account, or a new one. Clients with older credentials are closed.

        Raises `ValueError`, which names no value, when the stored credentials can't be used.
        """
        version = lease.account.credentials_version
        of_account = [item for item in self._idle.values() if item.account_id == lease.account.id]
        for item in of_account:
            if item.credentials_version != version:
                del self._idle[id(item.client)]
                await item.client.aclose()
        for item in reversed(of_account):
            if item.credentials_version == version:
                del self._idle[id(item.client)]
                return item.client
        client = self._make(lease.account.kind, lease.credentials, lease.session_data)
        return await client.__aenter__()

    async def give_back(self, client: PoeClient, lease: Lease, *, is_healthy: bool) -> None:
        """Keep the client for the next request of this account, or close it after a failure that may be its own."""
        if not is_healthy:
            await client.aclose()
            return
        self._idle[id(client)] = _Idle(client, lease.account.id, lease.account.credentials_version)
        while len(self._idle) > self._max_idle:
            _, oldest = self._idle.popitem(last=False)
            await oldest.client.aclose()

    async def forget(self, account_id: str) -> None:
        """Close the idle clients of an account that was changed or deleted."""
        for item in [item for item in self._idle.values() if item.account_id == account_id]:
            del self._idle[id(item.client)]
            await item.client.aclose()

    async def aclose(self) -> None:
        """Close all idle clients."""
        while self._idle:
            _, item = self._idle.popitem()
            await item.client.aclose()
