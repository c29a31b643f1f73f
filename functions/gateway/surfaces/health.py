"""`GET /`, `/version`, `/healthz` and `/readyz`, open to everybody."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import JSONResponse

from gateway import SCHEMA_VERSION, __version__
from gateway.http.errors import NOT_READY, GatewayError
from gateway.surfaces.context import context_of


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
    """Whether an account could be leased, and nothing more: anybody may ask. Raises `GatewayError` (503) if none."""
    if not await context_of(request).services.readiness.is_ready(time.monotonic()):
        raise GatewayError(NOT_READY)
    return JSONResponse({"status": "ready"})
