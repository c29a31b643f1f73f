"""The addresses of the gateway, those of the administration excepted, and what `/readyz` and the like answer.

Each also answers below `/v1`, which `app` takes off before routing. A route is described in `OPERATIONS` of its
surface's `schema`, under the name of its endpoint; small surfaces have it beside their routes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from accounts import Account, AccountKind, why_none
from gateway import SCHEMA_VERSION, __version__
from gateway.http.errors import NOT_FOUND, NOT_READY, UNREACHABLE, GatewayError, gateway_error
from gateway.surfaces.chat.route import create_chat_completion
from gateway.surfaces.context import Services, authenticate, context_of
from gateway.surfaces.models import list_models, retrieve_model, show_own_usage
from pool.status import AccountStatus, status_of
from reverse.config import PoeConfig

_CHAT = "Use /v1/chat/completions or /v1/responses."
_FILES = "Send files within a message instead: as a data URL, as base64 or as an https address."
_STATE = "Conversations are continued with 'previous_response_id' of /v1/responses, or with 'metadata.session_id'."

_NO_WORK = "nothing runs here while nobody asks"

# The beginning of the address: what is not offered and why. Names in braces stand for any segment.
# Addresses of both SDKs' clients, so that a program is told what to use instead of a bare 404.
NOT_OFFERED = {
    "chat/completions/{completion_id}": f"Chat completions are not stored. {_STATE}",
    "responses/compact": "Compaction is not offered. Send a shorter conversation, or 'truncation': 'auto'.",
    "messages/batches": f"Batches are not offered: {_NO_WORK}. Use /v1/messages.",
    "complete": "Text completions of Anthropic's older API are not offered. Use /v1/messages.",
    "audio/transcriptions": f"Transcription is not offered. Send the audio to a model that listens. {_CHAT}",
    "audio/translations": f"Translation of audio is not offered. Send the audio to a model that listens. {_CHAT}",
    "audio/voice_consents": "Voices are the models' own, and can't be made here.",
    "audio/voices": "Voices are the models' own. Name one in 'voice' of /v1/audio/speech.",
    "images/variations": "Variations are not offered. Use /v1/images/edits with a prompt.",
    "videos/edits": "Editing videos is not offered. Ask for a new one at /v1/videos.",
    "videos/extensions": "Extending videos is not offered. Ask for a new one at /v1/videos.",
    "videos/characters": "Characters are not offered. Use /v1/videos with an image in 'input_reference'.",
    "videos/{video_id}/remix": "Remixing videos is not offered. Ask for a new one at /v1/videos.",
    "embeddings": "Embeddings are not offered: Poe has no model that makes them. Use a provider that does.",
    "moderations": f"Moderation is not offered: Poe has no such endpoint. Ask a model. {_CHAT}",
    "fine_tuning": "Fine-tuning is not offered: Poe's models can't be trained.",
    "fine-tunes": "Fine-tuning is not offered: Poe's models can't be trained.",
    "files": f"File storage is not offered. {_FILES}",
    "uploads": f"File storage is not offered. {_FILES}",
    "batches": f"Batches are not offered: {_NO_WORK}. {_CHAT}",
    "agents": f"Agents are not offered: {_NO_WORK}. {_CHAT}",
    "assistants": f"Assistants are not offered. {_CHAT} {_STATE}",
    "threads": f"Threads are not offered. {_STATE}",
    "chatkit": f"ChatKit is not offered. {_CHAT} {_STATE}",
    "conversations": f"Conversations are not offered. {_STATE}",
    "vector_stores": f"Vector stores are not offered. {_FILES}",
    "containers": "Containers are not offered: no code runs here.",
    "skills": "Skills are not offered: no code runs here.",
    "evals": f"Evaluations are not offered. {_CHAT}",
    "realtime": f"The realtime API is not offered: it needs a connection that stays open. {_CHAT}",
    "live": f"Live sessions are not offered: they need a connection that stays open. {_CHAT}",
    "edits": f"Text edits are not offered. {_CHAT}",
    "engines": "Engines are not offered. Use /v1/models.",
    "organization": "Organizations are not offered. Keys and usage are at /admin.",
}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_SEGMENTS = [(prefix.split("/"), message) for prefix, message in NOT_OFFERED.items()]


def why_not_offered(address: str) -> str | None:
    """What is said of an address that is listed, or below one that is; `None` for any other."""
    asked = address.split("/")
    for listed, message in _SEGMENTS:
        # With everything below it: SDKs ask for `/files/{id}/content` as well.
        if len(asked) >= len(listed) and all(map(_fits, listed, asked)):
            return message
    return None


def _fits(listed: str, asked: str) -> bool:
    return listed == asked or (listed.startswith("{") and asked != "")


class NotOfferedRoute(Route):
    """One route for all these addresses, which are looked up: a pattern for each would cost every start 2 ms."""

    def __init__(self) -> None:
        super().__init__("/{address:path}", not_offered, methods=_METHODS, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        if match is Match.NONE or why_not_offered(found["path_params"]["address"]) is None:
            return Match.NONE, {}
        return match, found


async def not_offered(request: Request) -> None:
    """Refuse what is not offered, with the reason. Raises `GatewayError`."""
    # As for the addresses that exist: without a key nobody learns which ones there are.
    await authenticate(request)
    raise GatewayError(NOT_FOUND, why_not_offered(request.path_params["address"]))


async def index(_request: Request) -> JSONResponse:
    """Says what this is."""
    return JSONResponse({"message": "Poe gateway, compatible with OpenAI's API", "base_url": "/v1"})


async def version(_request: Request) -> JSONResponse:
    """Which version this is, and which version its table has."""
    return JSONResponse({"version": __version__, "schema": SCHEMA_VERSION})


async def healthz(_request: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """Whether an account could be leased, and nothing more: anybody may ask. Raises `GatewayError` (503) if none.

    With an administrator's key it says which accounts there are, and why none can serve.
    """
    if await _is_administrator(request):
        status, found = await _readiness(context_of(request).services)
        return JSONResponse(found, status_code=status)
    if not await context_of(request).services.readiness.is_ready(time.monotonic()):
        raise GatewayError(NOT_READY)
    return JSONResponse({"status": "ready"})


async def _is_administrator(request: Request) -> bool:
    """Whether the request has a key that may see the accounts; whoever has none, or another one, is anybody."""
    # Load balancers ask often: without a key nothing is looked up.
    if "authorization" not in request.headers and "x-api-key" not in request.headers:
        return False
    try:
        await context_of(request).services.admin.check(request.headers, method="GET")
    # A wrong key must not make a health check fail.
    except GatewayError:
        return False
    return True


# One page: in a larger fleet the first two hundred tell enough.
_PAGE = 200
CONNECT_SECONDS = 3.0
_PORTS = {"https": 443, "http": 80}


async def _readiness(services: Services) -> tuple[int, dict[str, Any]]:
    """What an administrator is told, status and body: whether the gateway can serve, and if not, why.

    A page of accounts is looked at, and whether a connection to Poe comes about. Nothing is sent, and nothing is
    changed. Raises `AccountStoreError`.
    """
    accounts = (await services.store.list_accounts(limit=_PAGE)).items
    config = await services.poe_settings.refresh()
    now = time.time()
    kinds = [kind for kind in AccountKind if any(account.kind is kind for account in accounts)]
    # Only towards kinds that there are accounts of: the other address is of no interest.
    reached = await asyncio.gather(*(can_connect(config, kind) for kind in kinds))
    reachable = dict(zip(kinds, reached, strict=True))
    failure = why_not(accounts, reachable, now)
    found: dict[str, Any] = {
        "accounts": {kind.value: _counted(accounts, kind, now) for kind in AccountKind},
        "connects_to_poe": {kind.value: reachable.get(kind) for kind in AccountKind},
    }
    if failure is None:
        return 200, {"status": "ready", **found}
    return failure.status, {"status": "not_ready", **failure.envelope(), **found}


def why_not(accounts: Sequence[Account], reachable: Mapping[AccountKind, bool], now: float) -> GatewayError | None:
    """What a request that any account may serve would be told; `None` where one can. Pure."""
    # The store's own words for a failed lease, so that this page and a refused request say the same.
    none = why_none(accounts, now)
    if none is not None:
        return gateway_error(none, now=now)
    able = [account for account in accounts if status_of(account, now) is AccountStatus.ACTIVE]
    return None if any(reachable[account.kind] for account in able) else GatewayError(UNREACHABLE)


def _counted(accounts: Sequence[Account], kind: AccountKind, now: float) -> dict[str, int]:
    """How many accounts of the kind have each status; empty where there is none."""
    return dict(Counter(status_of(account, now).value for account in accounts if account.kind is kind))


async def can_connect(config: PoeConfig, kind: AccountKind) -> bool:
    """Whether a TCP connection towards Poe, or to the proxy, comes about in time."""
    base = config.official_base_url if kind is AccountKind.OFFICIAL else config.web_base_url
    # Behind a proxy Poe itself can't be reached directly, and need not be.
    parts = urlsplit(config.proxy or base)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    # `UnicodeError`: a host name that IDNA can't encode is no name.
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    # The connection has served its purpose; how it ends does not matter.
    with suppress(OSError):
        await writer.wait_closed()
    return True


Endpoint = Callable[[Request], Awaitable[Any]]


def lazy(module: str, name: str) -> Endpoint:
    """The endpoint `name` of `module`, loaded in a thread when first asked for: other requests go on meanwhile."""

    async def endpoint(request: Request) -> Any:
        # Most requests are chats: what they do not need is not imported at a cold start.
        loaded = sys.modules.get(module)
        # A module that another thread is still loading is in `sys.modules`, too, without all of its names.
        if loaded is None or not hasattr(loaded, name):
            loaded = await asyncio.to_thread(import_module, module)
        return await getattr(loaded, name)(request)

    # The description and the log know endpoints by their names.
    endpoint.__name__ = name
    return endpoint


_MESSAGES = "gateway.surfaces.messages.route"
_MEDIA = "gateway.surfaces.media.route"
_RESPONSES = "gateway.surfaces.responses.route"


def build_routes() -> list[Route]:
    """All of them, the most used first. What needs the admin key is behind `guarded`."""
    return [
        Route("/chat/completions", create_chat_completion, methods=["POST"]),
        Route("/completions", lazy("gateway.surfaces.completions.route", "create_completion"), methods=["POST"]),
        Route("/audio/speech", lazy(_MEDIA, "create_speech"), methods=["POST"]),
        Route("/images/generations", lazy(_MEDIA, "create_image"), methods=["POST"]),
        Route("/images/edits", lazy(_MEDIA, "edit_image"), methods=["POST"]),
        Route("/videos", lazy(_MEDIA, "create_video"), methods=["POST"]),
        Route("/videos/{video_id}", lazy(_MEDIA, "retrieve_video"), methods=["GET"]),
        Route("/videos/{video_id}", lazy(_MEDIA, "delete_video"), methods=["DELETE"]),
        Route("/videos/{video_id}/content", lazy(_MEDIA, "download_video"), methods=["GET"]),
        Route("/responses", lazy(_RESPONSES, "create_response"), methods=["POST"]),
        Route("/responses/input_tokens", lazy(_RESPONSES, "count_input_tokens"), methods=["POST"]),
        Route("/responses/{response_id}", lazy(_RESPONSES, "retrieve_response"), methods=["GET"]),
        Route("/responses/{response_id}", lazy(_RESPONSES, "delete_response"), methods=["DELETE"]),
        Route("/responses/{response_id}/cancel", lazy(_RESPONSES, "cancel_response"), methods=["POST"]),
        Route("/responses/{response_id}/input_items", lazy(_RESPONSES, "list_input_items")),
        Route("/messages", lazy(_MESSAGES, "create_message"), methods=["POST"]),
        Route("/messages/count_tokens", lazy(_MESSAGES, "count_tokens"), methods=["POST"]),
        Route("/models", list_models),
        # Names of models may have slashes: `openai/gpt-5`.
        Route("/models/{model:path}", retrieve_model),
        Route("/usage", show_own_usage),
        Route("/healthz", healthz),
        Route("/version", version),
        Route("/readyz", readyz),
        Route("/", index),
        # Last: it matches whatever begins like them.
        NotOfferedRoute(),
    ]
