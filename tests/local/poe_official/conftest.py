from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from local.poe_official import PoeOfficialSimulator

KEY = "simulated-key"


@pytest.fixture
async def simulator() -> AsyncIterator[PoeOfficialSimulator]:
    async with PoeOfficialSimulator(pace_seconds=0) as running:
        running.add_account(KEY)
        yield running


@pytest.fixture
async def http(simulator: PoeOfficialSimulator) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=simulator.base_url, headers=headers, trust_env=False) as opened:
        yield opened
