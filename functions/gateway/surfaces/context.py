"""What a route works with: the services of the sandbox, and the request that it serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from accounts import AccountKind, AccountStore, ApiKey
from gateway.generation.client_pool import WarmClients
from gateway.generation.downloads import Downloads
from gateway.generation.generation import Generations
from gateway.http.auth import AdminGate, Authenticator, may_use
from gateway.http.deadline import bounded, deadline_of
from gateway.http.errors import GatewayError, gateway_error
from gateway.http.request_log import Journal, RequestKeeper, RequestRecord
from gateway.http.sse import EventStream, Put, encode_error_event
from gateway.models.catalogue import Catalogue, Resolved
from gateway.models.live_config import PoeSettings
from gateway.models.prices import Prices
from gateway.prompt.attachments import AttachmentReader
from gateway.prompt.request import FieldNames
from gateway.settings import Settings
from gateway.surfaces.kept_bodies import KeptBodies
from lazy_dataclasses import dataclass
from pool.clients import ClientFactory, PoeClients
from reverse.errors import PoeError

if TYPE_CHECKING:
    from gateway.http.telemetry import Telemetry

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
            # One is enough to know, and costs one read whatever the number of accounts.
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
    prices: Prices
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
    telemetry: Telemetry | None = None
    """Sends spans to a collector; `None` where there is none."""
    model_bodies: KeptBodies = field(default_factory=KeptBodies)
    """What `GET /v1/models` answered."""

    def prepare(self) -> None:
        """Begin to connect to Poe where a chat will need it. Never raises, and nobody has to wait."""
        if self.connections is not None:
            self.connections.prepare()

    async def warm_up(self) -> Collection[AccountKind]:
        """Read what every first chat needs of the table, and tell which kinds of account there are.

        Bounded, and no failure: what can't be read now is read with the first chat.
        """
        # A table that does not answer now must not keep the sandbox from starting: a failed init is billed and
        # repeated.
        with suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP_SECONDS):
                # The list and the overrides travel in one read (see `LiveConfig.refresh`).
                await self.catalogue.refresh_early()
        return self.store.known_kinds()

    async def connect(self, kinds: Collection[AccountKind]) -> None:
        """Open the connections that a first chat over these kinds of account wants. Bounded, and no failure."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP_SECONDS):
                opening = [] if self.connections is None else [self.connections.connect(kinds)]
                await asyncio.gather(self.store.prepare(), *opening)

    async def aclose(self) -> None:
        """Close connections."""
        # First, since these tasks still write to the store, which is closed last.
        await self.generations.late.aclose()
        await self.clients.aclose()
        if self.connections is not None:
            await self.connections.aclose()
        await self.store.aclose()


SCOPE_KEY = "gateway.context"


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Carried in the scope under `SCOPE_KEY`."""

    services: Services
    record: RequestRecord


def context_of(request: Request) -> RequestContext:
    """The context of a request."""
    context: RequestContext = request.scope[SCOPE_KEY]
    return context


async def authenticate(request: Request) -> ApiKey:
    """The caller's key, noted in the record. Comes before the body is read. Raises `GatewayError` (401, 403)."""
    context = context_of(request)
    key = await context.services.authenticator.authenticate(
        request.headers,
        path=request.scope["path"],
        client=request.client.host if request.client else None,
        will_lease=request.method == "POST",
    )
    # The log names the key by both: names are for people and may change.
    context.record.key, context.record.key_id = key.name, key.id
    return key


async def admit(request: Request, key: ApiKey, model_name: str, answers: int = 1) -> Resolved:
    """What is meant by the name, noted in the record; the key may use it, and is counted.

    A key that may use an alias may use what stands behind it; of another one's fallbacks only those of its own list are
    left. Raises `GatewayError` (403, 429).
    """
    context = context_of(request)
    # The connection is opened while the request is made ready, so that the answer does not wait for TLS.
    context.services.prepare()
    meant = await context.services.catalogue.resolve(model_name)
    # Noted before the key is checked: refusals are in the log with their model.
    context.record.model, context.record.is_listed = meant.bot, meant.model is not None
    if meant.alias is not None:
        context.record.alias = meant.alias.name
    price = partial(context.services.prices.price, meant.model, meant.bot)
    context.record.budget = await context.services.authenticator.admit(
        key, model_name, *meant.names, answers=answers, price=price
    )
    if meant.fallbacks and not may_use(key, (model_name,)):
        return replace(meant, fallbacks=tuple(other for other in meant.fallbacks if may_use(key, other.names)))
    return meant


def request_deadline(request: Request) -> float:
    """When the request must begin to end, on the running loop's clock."""
    settings = context_of(request).services.settings
    return deadline_of(
        request.scope, margin_seconds=settings.deadline_margin_seconds, longest_seconds=settings.max_answer_seconds
    )


@asynccontextmanager
async def answering(request: Request, deadline: float, names: FieldNames) -> AsyncIterator[None]:
    """Bounds the making of an answer that is not streamed. Errors of Poe name the caller's fields.

    Raises what `bounded` raises. The request's body must have been read.
    """
    async with bounded(request.receive, deadline):
        try:
            yield
        except PoeError as error:
            # Translated here, where the caller's names for the fields are still known.
            raise gateway_error(error, now=time.time(), field_name=names.of) from error


def event_stream(
    request: Request,
    produce: Callable[[Put], Coroutine[Any, Any, None]],
    *,
    deadline: float,
    headers: Callable[[], Mapping[str, str]],
    names: FieldNames,
    encode_error: Callable[[GatewayError], bytes] = encode_error_event,
    encode_abort: Callable[[GatewayError], bytes] | None = None,
) -> EventStream:
    """A response that streams what `produce` puts. `headers` are asked for when the status line leaves.

    Errors of Poe name the caller's fields.
    """
    context = context_of(request)
    return EventStream(
        produce,
        record=context.record,
        deadline=deadline,
        keep_alive_seconds=context.services.settings.keep_alive_seconds,
        translate=lambda error: gateway_error(error, now=time.time(), field_name=names.of),
        encode_error=encode_error,
        encode_abort=encode_abort,
        headers=lambda: tuple((name.encode(), value.encode()) for name, value in headers().items()),
    )


def speaks_anthropic(path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a caller expects Anthropic's shapes: by the address, or by the header that all its clients send."""
    # The address alone decides here: without the header, too, these callers can't read OpenAI's errors.
    if path == "/messages" or path.startswith("/messages/"):
        return True
    # Both APIs have `/models`: there only the header tells which one is spoken.
    return any(name == b"anthropic-version" for name, _ in headers)
