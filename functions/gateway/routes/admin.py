"""The door to the administration: checks the admin key, then loads the FastAPI application behind it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.bodies import read_body
from gateway.context import context_of

MAX_BODY_BYTES = 256 * 1024


class LazyAdmin:
    """Mounted at `/admin`. A caller without the key reaches neither the import nor a body parser."""

    __name__ = "admin"

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await context_of(request).services.admin.check(request.headers)
        body = await read_body(request, max_bytes=MAX_BODY_BYTES)
        if self._app is None:
            # Half a second of imports, during which a server with other callers must go on.
            self._app = await asyncio.to_thread(_load)
        is_read = False

        async def receive_again() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_again, send)


def _load() -> ASGIApp:
    from gateway.admin.app import create_admin_app

    return create_admin_app()
