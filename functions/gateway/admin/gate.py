"""The door to what only the admin may see: checks the key, then loads the FastAPI application behind it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.auth import CALLER_KEY, Administrator
from gateway.http.bodies import read_body
from gateway.http.errors import invalid
from gateway.surfaces.context import context_of

ADMIN_PATH = "/admin"
DESCRIPTION_PATH = "/openapi.json"
PAGE_PATH = "/docs"
MAX_BODY_BYTES = 256 * 1024
MAX_IMPORT_BYTES = 2 * 1024 * 1024
_OF_THE_BODY = (b"content-type", b"content-encoding", b"content-length")
# Overrides and exports hold what a viewer must not see.
_FOR_ADMINS = (f"{ADMIN_PATH}/config", f"{ADMIN_PATH}/export")


def is_secret(path: str) -> bool:
    """Whether an address below `ADMIN_PATH` is for admins only, whatever the method."""
    return path.startswith(_FOR_ADMINS)


class GuardedApplication:
    """Serves addresses that need the admin key. A caller without it reaches neither the import nor a body parser.

    `load` makes the application; it runs in a thread, once, with the first request that is let in.
    With `serves_everything` the application serves all other addresses too, as the tests of its equivalence need it.
    """

    def __init__(self, load: Callable[[], ASGIApp], *, serves_everything: bool = False) -> None:
        self._load = load
        self._serves_everything = serves_everything
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `GatewayError` (401, 413), `HTTPException` (404) and what the application raises."""
        request = Request(scope, receive)
        path = scope["path"]
        caller: Administrator | None = None
        body = b""
        if path == ADMIN_PATH or path.startswith(f"{ADMIN_PATH}/"):
            # The console has checked who calls; nothing from outside sets names of a scope.
            caller = scope.get(CALLER_KEY) or await context_of(request).services.admin.check(
                request.headers, method=scope["method"], is_secret=is_secret(path)
            )
            _check_query(request)
            is_import = path.startswith(f"{ADMIN_PATH}/import/")
            # After the key was checked, so that nobody else can make the sandbox read megabytes. Read here and not by
            # FastAPI, because the audit trail needs the names of its fields, too.
            body = await read_body(request, max_bytes=MAX_IMPORT_BYTES if is_import else MAX_BODY_BYTES)
            # No copy: the router notes the endpoint in it, which names the request in the log.
            scope[CALLER_KEY] = caller
            scope["headers"] = _as_json(scope["headers"]) if body else scope["headers"]
            receive = _Replay(body, receive)
        elif path in (DESCRIPTION_PATH, PAGE_PATH) and context_of(request).services.settings.docs == "admin":
            await context_of(request).services.admin.check_reader(request.headers)
        # The same 404 for a description that is off and for an address that there is not: nobody learns which it is.
        elif path in (DESCRIPTION_PATH, PAGE_PATH) or not self._serves_everything:
            raise HTTPException(404)
        if self._app is None:
            # Half a second of imports, during which a server with other callers must go on.
            self._app = await asyncio.to_thread(self._load)
        # The description only, which changes nothing.
        if caller is None:
            await self._app(scope, receive, send)
        else:
            # Loaded with the application, as all that needs FastAPI.
            from gateway.admin.audit import serve_audited

            await serve_audited(self._app, scope, receive, send, caller=caller, body=body)


def _check_query(request: Request) -> None:
    """Raise `GatewayError` (400) for a parameter that is given twice: one of its values would count for nothing."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    if twice := next((name for name, count in counts.items() if count > 1), None):
        raise invalid(f"'{twice[:80]}' was given more than once.", param=twice[:80], code="invalid_value")


def _as_json(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a body that was unpacked and is read as JSON whatever it says it is, as on other addresses."""
    # Length and encoding are those of the packed body.
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_BODY]
    return [*kept, (b"content-type", b"application/json")]


class _Replay:
    """A body that was read already, then what else the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        # The disconnect comes from here: a handler that waits for it must not hang.
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
