"""Fixtures of the gateway's tests."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.settings import Settings
from tests.gateway.scripted import ADMIN_KEY, House


@pytest.fixture
def environment() -> dict[str, str]:
    """What the gateway under test is configured with; tests override the fixture or change the mapping."""
    return {
        "GATEWAY_STORE": "memory",
        "GATEWAY_ADMIN_KEY": ADMIN_KEY,
        "GATEWAY_KEEP_ALIVE_SECONDS": "5",
        "GATEWAY_ACCOUNT_WAIT_SECONDS": "0.2",
    }


@pytest.fixture
async def house(environment: dict[str, str]) -> AsyncIterator[House]:
    """A gateway with one API key and no account."""
    house = House(Settings.from_env(environment))
    await house.add_key()
    yield house
    await house.services.aclose()
    assert house.poe.active == 0, "every answer was ended"
    assert not house.store.held, "every lease was released"


@pytest.fixture
def capture_root_log() -> Iterator[io.StringIO]:
    """Everything that any library logs."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
