"""Endpoints whose code is loaded by the first request to them, so that a cold start does not pay for all of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from starlette.requests import Request

Endpoint = Callable[[Request], Awaitable[Any]]


def lazy(module: str, name: str) -> Endpoint:
    """The endpoint `name` of `module`, loaded in a thread when first asked for: other requests go on meanwhile."""

    async def endpoint(request: Request) -> Any:
        loaded = sys.modules.get(module)
        # A module that another thread is still loading is in `sys.modules`, too, without all of its names.
        if loaded is None or not hasattr(loaded, name):
            loaded = await asyncio.to_thread(import_module, module)
        return await getattr(loaded, name)(request)

    endpoint.__name__ = name
    return endpoint
