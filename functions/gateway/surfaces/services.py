"""The services that the routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from accounts import AccountStore
from gateway.generation.client_pool import WarmClients
from gateway.generation.downloads import Downloads
from gateway.generation.generation import Generations
from gateway.http.auth import AdminGate, Authenticator
from gateway.http.request_log import Journal
from gateway.models.catalogue import Catalogue
from gateway.models.poe_overrides import PoeSettings
from gateway.models.readiness import Readiness
from gateway.prompt.attachments import AttachmentReader
from gateway.settings import Settings
from pool.clients import ClientFactory, PoeClients


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
    files: AttachmentReader
    journal: Journal
    make_client: ClientFactory
    poe_settings: PoeSettings
    downloads: Downloads
    connections: PoeClients | None = None
    """What the clients share; `None` where somebody else makes them."""

    def prepare(self, *, is_first: bool = False) -> None:
        """Begin to connect to Poe where a chat will need it. Never raises, and nobody has to wait."""
        if self.connections is not None:
            self.connections.prepare(is_first=is_first)

    async def aclose(self) -> None:
        """Close connections."""
        await self.clients.aclose()
        if self.connections is not None:
            await self.connections.aclose()
        await self.store.aclose()
