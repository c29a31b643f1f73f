"""The way into the console: static files, and `/console/api`, which is loaded with its first request.

Every answer tells browsers to run nothing but our files, to load nothing from elsewhere, and to keep others out.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.console.answers import NO_STORE, Answer, accepts_gzip, send_answer
from gateway.console.files import IMMUTABLE, File, FileSet, read_files

CONTENT_SECURITY_POLICY = "; ".join(
    (
        # Everything is refused that is not allowed below.
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No text becomes markup or code: what models and callers wrote is shown on these pages.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Addresses of the console name accounts and requests.
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    # Ignored on plain http, so that the gateway of `make run` stays reachable.
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-robots-tag", b"noindex, nofollow"),
)


PATH = "/console"
_API, _STATIC = f"{PATH}/api/", f"{PATH}/static/"
_API_MODULE = "gateway.console.api"
ORIGINAL_PATH = "gateway.original_path"
"""Where the scope has the path as it was asked for: addresses lose their last slash before they are routed."""


def is_console(path: str) -> bool:
    """Whether a path, as it was asked for, is the console's."""
    return path == PATH or path.startswith(f"{PATH}/")


class ConsoleFront:
    """Serves what is below `/console`, and leaves everything else to `rest`, which has the administration, too."""

    def __init__(self, rest: ASGIApp) -> None:
        self._rest = rest
        self._files: FileSet | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `GatewayError`, `HTTPException` (404, 405), and what `rest` raises."""
        path = scope["path"]
        if not is_console(path):
            await self._rest(scope, receive, send)
            return
        if not is_console(scope[ORIGINAL_PATH]):
            # It came as `/v1/console`, where the session must open nothing.
            raise HTTPException(404)
        if path.startswith(_API):
            # Named for the log, as Starlette's router does for its routes.
            scope["endpoint"] = serve_api
            await serve_api(self._rest, scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"allow": "GET, HEAD"})
        scope["endpoint"] = serve_file
        # Without the slash the page's relative addresses would lead beside it.
        if path == PATH and scope[ORIGINAL_PATH] == PATH:
            # Relative, because a REST API has a stage before it.
            redirect = Answer(b"", None, 308, (("location", "console/"), ("cache-control", NO_STORE)))
            await send_answer(scope, send, redirect)
            return
        if self._files is None:
            self._files = await asyncio.to_thread(read_files)
        file = self._files.index if path == PATH else None
        if path.startswith(_STATIC):
            file = self._files.find(path.removeprefix(_STATIC))
        if file is None:
            raise HTTPException(404)
        await serve_file(file, scope, send)


async def serve_file(file: File, scope: Scope, send: Send) -> None:
    """Send a file, or nothing where the caller has it."""
    cache = IMMUTABLE if file.is_immutable else "no-cache"
    headers = [("cache-control", cache), ("etag", file.etag)]
    if file.compressed is not None:
        headers.append(("vary", "accept-encoding"))
    # Several tags may be sent, weak ones among them (RFC 9110, 13.1.2).
    asked = b",".join(value for name, value in scope["headers"] if name.lower() == b"if-none-match").decode("latin-1")
    if file.etag in (tag.strip().removeprefix("W/") for tag in asked.split(",")):
        await send_answer(scope, send, Answer(b"", None, 304, headers))
        return
    body = file.body
    if file.compressed is not None and accepts_gzip(scope):
        body = file.compressed
        headers.append(("content-encoding", "gzip"))
    await send_answer(scope, send, Answer(body, file.media_type, headers=headers, is_as_sent=True))


async def serve_api(rest: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Hand the request to the API, whose modules are loaded in a thread when first asked for."""
    loaded: Any = sys.modules.get(_API_MODULE)
    # A module that another thread is still loading is in `sys.modules`, too, without all of its names.
    if loaded is None or not hasattr(loaded, "serve"):
        loaded = await asyncio.to_thread(import_module, _API_MODULE)
    await loaded.serve(rest, scope, receive, send)
