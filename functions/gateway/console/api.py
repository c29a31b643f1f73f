"""`/console/api`: who is signed in, the pages, and changes, which are those of the administration."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts import KeyRole
from gateway import __version__
from gateway.admin.gate import ADMIN_PATH, is_secret
from gateway.admin.shown import iso_time
from gateway.console.answers import NO_STORE, Answer, json_answer, send_answer
from gateway.console.origin import check_origin
from gateway.console.session import set_cookie
from gateway.console.sign_in import WRONG_PAGE, Sessions, Visit, show_session
from gateway.http.auth import CALLER_KEY, CLIENT_KEY, VIEWER_ONLY_READS, check_rights
from gateway.http.bodies import read_json
from gateway.http.errors import GatewayError, Situation, invalid
from gateway.surfaces.context import context_of

ROOT = "/console/api"
_SESSION, _END_ALL = f"{ROOT}/session", f"{ROOT}/session/end-all"
_ADMIN = f"{ROOT}{ADMIN_PATH}/"
_MAX_SIGN_IN_BYTES = 4096
_MAX_KEY_CHARS = 1024
POLL_HEADER = "x-console-poll"
"""Says that nobody asked: a page that is left open looks for news, and that does not keep its session."""
# Not the console's: they move secrets in bulk, or are about a key that the console does not send.
_NOT_OFFERED = tuple(f"{ADMIN_PATH}/{name}" for name in ("export", "import", "whoami", "stream-check"))
_OF_A_KEY = frozenset({b"authorization", b"x-api-key", b"cookie"})

SIGN_IN_AGAIN = Situation(
    403,
    "permission_error",
    "sign_in_again",
    "A secret is shown only within 15 minutes of signing in. Sign in again, and repeat this.",
)
"""So that a cookie that was stolen can't be turned into a key."""

# Page: its module and who may see it. Each has a function `answer(visit, services, path, query)`.
_FOR_OWNERS = frozenset({KeyRole.ADMIN, KeyRole.VIEWER})
_FOR_CLIENTS = frozenset({KeyRole.CLIENT})
PAGES: Mapping[str, frozenset[KeyRole]] = {
    "overview": _FOR_OWNERS,
    "accounts": _FOR_OWNERS,
    "requests": _FOR_OWNERS,
    "usage": _FOR_OWNERS,
    "keys": _FOR_OWNERS,
    "models": _FOR_OWNERS,
    "playground": _FOR_OWNERS,
    "health": _FOR_OWNERS,
    "me": _FOR_CLIENTS,
}


async def serve(rest: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """One request. `rest` has the administration. Raises `GatewayError`, and `HTTPException` (404, 405)."""
    request = Request(scope, receive)
    # Before anything is read, signing in included: another site must not sign a browser in either.
    check_origin(scope["method"], request.headers)
    services = context_of(request).services
    # Made for each request: it keeps nothing.
    sessions = Sessions(services.store, services.admin, clock=time.time)
    path = scope["path"]
    if path in (_SESSION, _END_ALL):
        await send_answer(scope, send, await _session_answer(request, sessions, path))
        return
    visit = await sessions.open(scope["headers"], _client(scope))
    send = _renewing(send, sessions, visit, request)
    if path.startswith(_ADMIN):
        await _administer(rest, scope, receive, send, visit)
        return
    await send_answer(scope, send, await _page_answer(request, visit))


async def _session_answer(request: Request, sessions: Sessions, path: str) -> Answer:
    method = request.method
    if path == _END_ALL:
        if method != "POST":
            raise HTTPException(405, headers={"allow": "POST"})
        visit = await sessions.open(request.scope["headers"], _client(request.scope))
        # Signing everybody out is a change for all, so it is for admins only.
        if visit.session.role is not KeyRole.ADMIN:
            raise GatewayError(VIEWER_ONLY_READS if visit.session.role is KeyRole.VIEWER else CLIENT_KEY)
        await sessions.end_all()
        return _signed_out()
    # Without looking at the session: whoever wants to leave can, whatever the cookie holds.
    if method == "DELETE":
        return _signed_out()
    if method == "POST":
        body = await read_json(request, max_bytes=_MAX_SIGN_IN_BYTES)
        key = body.get("key")
        if not isinstance(key, str) or not key.strip() or len(key) > _MAX_KEY_CHARS:
            raise invalid("'key' must be the admin key, or an API key.", param="key", code="invalid_value")
        # Pasted keys often bring white space along.
        visit = await sessions.sign_in(key.strip(), _client(request.scope))
        return json_answer(_shown(visit), headers=[("set-cookie", visit.cookie(time.time()))])
    if method in ("GET", "HEAD"):
        visit = await sessions.open(request.scope["headers"], _client(request.scope))
        return json_answer(_shown(visit))
    raise HTTPException(405, headers={"allow": "GET, POST, DELETE"})


def _shown(visit: Visit) -> dict[str, Any]:
    shown = show_session(visit)
    # As everywhere in the API: ISO 8601 instead of epoch seconds.
    times = {
        name: iso_time(value)
        for name, value in shown.items()
        if isinstance(value, int) and name.endswith(("_at", "_until"))
    }
    return shown | times | {"version": __version__}


def _signed_out() -> Answer:
    return json_answer(
        # The browser forgets what the pages kept, so that the next person at it finds nothing.
        {"ended": True},
        headers=[("set-cookie", set_cookie("", 0)), ("clear-site-data", '"cache", "storage"')],
    )


async def _administer(rest: ASGIApp, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
    """Do what the same request with a key does at the administration, which also keeps the audit trail."""
    path = scope["path"].removeprefix(ROOT)
    if path.startswith(_NOT_OFFERED):
        raise HTTPException(404)
    check_rights(visit.caller, method=scope["method"], is_secret=is_secret(path))
    # A stolen cookie must not become a key, which outlives every session.
    if _shows_secret(scope["method"], path) and time.time() >= visit.session.show_once_until:
        raise GatewayError(SIGN_IN_AGAIN)
    # Without the cookie and any key: behind this only the checked caller counts.
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _OF_A_KEY]
    inner = {**scope, "path": path, "headers": headers, CALLER_KEY: visit.caller}
    await rest(inner, receive, _without_store(send))


def _shows_secret(method: str, path: str) -> bool:
    """Whether the answer has the secret of a key, or that of the webhook."""
    # By path and method, because the answer's content is not known before it is made.
    is_key = method == "POST" and (path == f"{ADMIN_PATH}/keys" or path.endswith("/rotate"))
    return is_key or (method == "PUT" and path == f"{ADMIN_PATH}/config/alert-webhook")


async def _page_answer(request: Request, visit: Visit) -> Answer:
    if request.method not in ("GET", "HEAD"):
        raise HTTPException(405, headers={"allow": "GET, HEAD"})
    name, _, rest = request.scope["path"].removeprefix(f"{ROOT}/").partition("/")
    roles = PAGES.get(name)
    if roles is None:
        raise HTTPException(404)
    if visit.session.role not in roles:
        # Of a page that exists, unlike the 404 above: the holder of the other role should know.
        raise GatewayError(CLIENT_KEY if visit.session.role is KeyRole.CLIENT else WRONG_PAGE)
    answer = await _page(name)
    made: Answer = await answer(context_of(request).services, visit, rest, request.query_params)
    return made


async def _page(name: str) -> Any:
    """The function of a page's module, which is loaded in a thread when first asked for."""
    module = f"gateway.console.pages.{name}"
    loaded = sys.modules.get(module)
    if loaded is None or not hasattr(loaded, "answer"):
        loaded = await asyncio.to_thread(import_module, module)
    return loaded.answer


def _renewing(send: Send, sessions: Sessions, visit: Visit, request: Request) -> Send:
    """Adds the cookie to an answer that moves the end of the session."""
    # A page that polls must not keep a session alive that nobody is sitting at.
    renewed = None if request.headers.get(POLL_HEADER) == "1" else sessions.renewed(visit)

    async def send_renewed(message: Message) -> None:
        if renewed is not None and message["type"] == "http.response.start":
            cookie = (b"set-cookie", renewed.cookie(time.time()).encode())
            message = {**message, "headers": [*message.get("headers", ()), cookie]}
        await send(message)

    return send_renewed


def _without_store(send: Send) -> Send:
    """Adds that nobody keeps the answer."""

    async def send_unkept(message: Message) -> None:
        if message["type"] == "http.response.start":
            # The administration's own word for it would be a second one beside it.
            headers = [(name, value) for name, value in message.get("headers", ()) if name.lower() != b"cache-control"]
            message = {**message, "headers": [*headers, (b"cache-control", NO_STORE.encode())]}
        await send(message)

    return send_unkept


def _client(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
