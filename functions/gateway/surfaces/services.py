"""The services that the routes work with."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from accounts import AccountStore
from gateway.generation.client_pool import WarmClients
from gateway.generation.downloads import Downloads
from gateway.generation.generation import Generations
from gateway.http.admin_access import AdminGate
from gateway.http.auth import Authenticator
from gateway.http.kept_request import RequestKeeper
from gateway.http.request_log import Journal
from gateway.models.catalogue import Catalogue
from gateway.models.live_config import PoeSettings
from gateway.prompt.attachments import AttachmentReader
from gateway.settings import Settings
from pool.clients import ClientFactory, PoeClients

# A "no" ends soon after an account was added.
READY_SECONDS = 60.0
NOT_READY_SECONDS = 5.0


class Readiness:
    """Remembers the last answer, so that strangers can't make every request a read of the table, which costs."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._is_ready = False
        self._until = float("-inf")

    async def is_ready(self, now: float) -> bool:
        """Whether there is an eligible account. `now` is monotonic seconds. Raises `AccountStoreError`."""
        if now >= self._until:
            # Requests at the same time believe the last answer, and so do those after a failure, for a moment.
            self._until = now + NOT_READY_SECONDS
            self._is_ready = await self._store.count_eligible(at_most=1) > 0
            if self._is_ready:
                self._until = now + READY_SECONDS
        return self._is_ready


# The init phase has ten seconds in all, and a table that answers at all answers in milliseconds.
WARM_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with. Made once per sandbox by `gateway.bootstrap`."""

    settings: Settings
    store: AccountStore
    clients: WarmClients
    generations: Generations
    catalogue: Catalogue
    authenticator: Authenticator
    admin: AdminGate
    readiness: Readiness
    attachments: AttachmentReader
    journal: Journal
    keeper: RequestKeeper
    make_client: ClientFactory
    poe_settings: PoeSettings
    downloads: Downloads
    connections: PoeClients | None = None
    """What the clients share; `None` where somebody else makes them."""

    def prepare(self, *, is_first: bool = False) -> None:
        """Begin to connect to Poe where a chat will need it. Never raises, and nobody has to wait."""
        if self.connections is not None:
            self.connections.prepare(is_first=is_first)

    async def warm_up(self) -> None:
        """Connect to the table and read what every first chat needs of it: the list of models and the overrides.

        Bounded, and no failure: what can't be read now is read with the first chat.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP_SECONDS):
                await self.catalogue.models()

    async def aclose(self) -> None:
        """Close connections."""
        await self.clients.aclose()
        if self.connections is not None:
            await self.connections.aclose()
        await self.store.aclose()
