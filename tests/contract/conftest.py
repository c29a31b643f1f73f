"""The gateway behind a real socket, with a scripted Poe behind it, and the official SDK in front, in strict mode."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from anthropic import DefaultAsyncHttpxClient as AnthropicsHttpxClient
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from gateway.settings import Settings
from local.listener import Listener
from streaming_runtime.lifespan import Lifespan
from tests.gateway.scripted import ADMIN_KEY, API_KEY, House

# Each client would read all certificate authorities for itself.
TLS = ssl.create_default_context()


@dataclass
class Front:
    """The front door as a client program sees it, and the house behind it."""

    house: House
    base_url: str
    requests: list[str] = field(default_factory=list)
    """Paths of all requests that arrived."""
    remaining_milliseconds: int | None = None
    """What Lambda's context says is left of the time, if there is one."""

    def client(self, **options: Any) -> AsyncOpenAI:
        given = {"api_key": API_KEY, "base_url": self.base_url, "_strict_response_validation": True}
        return AsyncOpenAI(http_client=DefaultAsyncHttpxClient(verify=TLS), **given | options)

    def anthropic(self, **options: Any) -> AsyncAnthropic:
        given = {
            "api_key": API_KEY,
            "base_url": self.base_url.removesuffix("/v1"),
            "_strict_response_validation": True,
        }
        return AsyncAnthropic(http_client=AnthropicsHttpxClient(verify=TLS), **given | options)


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    house = House(
        Settings.from_env(
            {"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY, "GATEWAY_ACCOUNT_WAIT_SECONDS": "0.05"}
        )
    )
    await house.add_key()
    async with serving(house) as front:
        yield front
    assert house.poe.active == 0, "every answer was ended"


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[Front]:
    """The house behind a socket. Every lease must be released in the end."""
    front = Front(house, "")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            front.requests.append(scope["path"])
            if (left := front.remaining_milliseconds) is not None:
                scope["aws.context"] = SimpleNamespace(get_remaining_time_in_millis=lambda: left)
        await house.app(scope, receive, send)

    lifespan = Lifespan(app, "on")
    await lifespan.start(timeout_seconds=30)
    listener = await Listener.open(app, "127.0.0.1", 0)
    front.base_url = f"http://127.0.0.1:{listener.port}/v1"
    yield front
    await listener.aclose()
    await lifespan.stop(timeout_seconds=30)
    assert not house.store.held, "every lease was released"
