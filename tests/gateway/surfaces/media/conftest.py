"""Gateways whose clients are the real ones, over both simulators of Poe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from tests.gateway.test_bootstrap import RealHouse, open_official_house, open_web_house


@pytest.fixture
async def web_house() -> AsyncIterator[RealHouse]:
    async with open_web_house() as house:
        yield house


@pytest.fixture
async def official_house() -> AsyncIterator[RealHouse]:
    async with open_official_house() as house:
        yield house


@pytest.fixture(params=[open_web_house, open_official_house], ids=["web", "official"])
async def real_house(request: pytest.FixtureRequest) -> AsyncIterator[RealHouse]:
    async with request.param() as house:
        await learn_models(house)
        yield house


async def learn_models(house: RealHouse) -> None:
    """What the scheduled job does: read the list of models into the table. And what the gateway does minutes later."""
    from pool.clients import PoeClients
    from refresh_points.catalogue import CatalogueSources, refresh_catalogue
    from reverse.config import PoeConfig

    settings = house.settings
    config = PoeConfig(
        web_base_url=settings.poe_web_base_url or "http://127.0.0.1:1",
        official_base_url=settings.poe_official_base_url or "http://127.0.0.1:1",
        channel_url=settings.poe_web_channel_url or "ws://127.0.0.1:1",
    )
    async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
        sources = CatalogueSources(house.store, config, clients.make)
        source = {"official": sources.official} if settings.poe_official_base_url else {"web": sources.web}
        report = await refresh_catalogue(house.store, source, now=1e9, max_age_seconds=1, seconds=10)
    assert report is not None and not report.failures and report.models > 10
    await house.services.catalogue.reload()
