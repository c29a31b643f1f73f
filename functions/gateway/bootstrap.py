"""Puts the services together: the composition root, which alone knows the implementations.

Nothing here connects; boto3, httpx and the Poe clients are imported when a request first needs them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from accounts import AccountStore, StoreUnavailableError
from gateway import __version__
from gateway.generation.attempt import GenerationPolicy
from gateway.generation.client_pool import WarmClients
from gateway.generation.downloads import Downloads
from gateway.generation.generation import Generations
from gateway.http.auth import AdminGate, Authenticator
from gateway.http.request_log import Journal, RequestKeeper
from gateway.models.catalogue import Catalogue
from gateway.models.live_config import LiveConfig, PoeSettings
from gateway.models.prices import Prices
from gateway.prompt.attachments import AttachmentReader, Fetch
from gateway.settings import Settings
from gateway.surfaces.context import Readiness, Services
from pool.clients import ClientFactory, PoeClients
from reverse.tls import tls_context

if TYPE_CHECKING:
    from gateway.http.telemetry import Telemetry
    from reverse.official import ModelInfo


def build_services(
    settings: Settings,
    *,
    store: AccountStore | None = None,
    make_client: ClientFactory | None = None,
    journal: Journal | None = None,
    fetch: Fetch | None = None,
) -> Services:
    """Make the services. Tests replace the outside world by `store`, `make_client`, `journal` and `fetch`."""
    store = store or _build_store(settings)
    journal = journal or Journal(level=settings.log_level, with_metrics=settings.metrics == "on")
    # One for all: what is due of the list, the prices and the overrides is read together, with the next key.
    live_config = LiveConfig(store, journal)
    catalogue = Catalogue(live_config)
    prices = Prices(live_config)
    poe_settings = PoeSettings(settings.poe_config(), live_config)
    connections = None
    if make_client is None:
        connections = _poe_clients(poe_settings, catalogue)
        make_client = connections.make
    clients = WarmClients(make_client, refresh_settings=poe_settings.refresh)
    policy = GenerationPolicy(
        max_attempts=settings.max_attempts,
        attempts_seconds=settings.attempts_seconds,
        account_wait_seconds=settings.account_wait_seconds,
        lease_ttl_seconds=settings.lease_ttl_seconds,
    )
    keeper = RequestKeeper(settings.request_log_days * 86_400)
    return Services(
        settings=settings,
        store=store,
        clients=clients,
        generations=Generations(store, clients, policy, journal, keeper=keeper),
        catalogue=catalogue,
        prices=prices,
        authenticator=Authenticator(store, find_key=live_config.find_key, unpriced_points=settings.unpriced_points),
        # Not through the live configuration: the administration needs nothing of what would be read along.
        admin=AdminGate(_admin_key_reader(settings), find_key=store.find_key),
        readiness=Readiness(store),
        attachments=AttachmentReader(fetch) if fetch else AttachmentReader(),
        journal=journal,
        keeper=keeper,
        make_client=make_client,
        poe_settings=poe_settings,
        downloads=Downloads((settings.poe_web_base_url, settings.poe_official_base_url)),
        connections=connections,
        telemetry=_telemetry(settings, journal),
    )


def _telemetry(settings: Settings, journal: Journal) -> Telemetry | None:
    if not settings.otlp_endpoint:
        return None
    # Whoever wants no spans does not pay for them at a cold start.
    from gateway.http.telemetry import Telemetry

    return Telemetry(settings.otlp_endpoint, journal, version=__version__)


def _build_store(settings: Settings) -> AccountStore:
    if settings.store == "memory":
        from accounts import InMemoryAccountStore

        return InMemoryAccountStore()
    # The AWS client is left out where the store is in memory.
    from accounts import open_store

    return open_store(table=settings.table, kms_key_id=settings.kms_key_id, tls_context=tls_context)


def _poe_clients(poe_settings: PoeSettings, catalogue: Catalogue) -> PoeClients:
    def find_model(name: str) -> ModelInfo | None:
        """What the official client must know of a model to choose where to ask it."""
        from reverse.official import ModelInfo

        model = catalogue.known(name)
        if model is None:
            return None
        return ModelInfo(
            model.id,
            output_modalities=frozenset(model.output_modalities or ()),
            endpoints=frozenset(model.upstream_endpoints),
            features=frozenset(model.features or ()),
            max_output_tokens=model.max_output_tokens,
            owned_by=model.owned_by,
        )

    # One connection serves all official accounts: a sandbox that goes round them need not connect to each.
    return PoeClients(lambda: poe_settings.config, find_model=find_model, share_connections=True)


def _admin_key_reader(settings: Settings) -> Callable[[], Any]:
    async def read() -> str:
        if settings.admin_key or not settings.admin_secret_id:
            return settings.admin_key
        # boto3 blocks, and its import alone takes a quarter of a second.
        return await asyncio.to_thread(_read_secret, settings.admin_secret_id)

    return read


def _read_secret(secret_id: str) -> str:
    """The admin key from Secrets Manager: the plain secret, or the value `admin_key` of a JSON secret."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    # An administrator waits for it; botocore's own defaults are a minute each.
    config = Config(connect_timeout=2, read_timeout=3, retries={"max_attempts": 2})
    try:
        secret = boto3.client("secretsmanager", config=config).get_secret_value(SecretId=secret_id)["SecretString"]
    except ClientError as error:
        # The code only: the message names the secret and the role.
        raise StoreUnavailableError("read admin key", error.response["Error"]["Code"]) from None
    except BotoCoreError as error:
        raise StoreUnavailableError("read admin key", type(error).__name__) from None
    # Secrets Manager's console stores pairs as JSON.
    if secret.lstrip().startswith("{"):
        secret = str(json.loads(secret).get("admin_key", ""))
    return secret.strip()
