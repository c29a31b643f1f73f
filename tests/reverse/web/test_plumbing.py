"""The steps of connecting, taken one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from local.poe_web import PoeWebSimulator, SimulatedAccount
from reverse.credentials import WebCredentials
from reverse.errors import ErrorCode, PoeError
from reverse.web import PoeWebClient

Connect = Callable[..., PoeWebClient]


async def test_every_step_can_be_taken_alone(
    connect: Connect, simulator: PoeWebSimulator, account: SimulatedAccount
) -> None:
    async with connect(credentials=WebCredentials(account.p_b)) as client:
        page = await client.plumbing.home_page()
        assert page.channel is not None
        assert await client.plumbing.form_key() == account.form_key
        assert (await client.plumbing.channel_settings())["baseHost"] == simulator.base_url.removeprefix("http://")
        await client.plumbing.subscribe()
        await client.plumbing.connect()
        assert [request.status for request in simulator.requests if request.path.startswith("/up/")] == [101]


async def test_a_dropped_channel_is_opened_again_by_the_next_message(
    connect: Connect, ask: Callable[..., Awaitable[Any]], simulator: PoeWebSimulator
) -> None:
    async with connect() as client:
        await client.plumbing.connect()
        client.plumbing.disconnect()
        assert (await ask(client, "still there?")).text == "You said: still there?"
    assert len([request for request in simulator.requests if request.path.startswith("/up/")]) == 2


async def test_an_operation_can_be_called_by_name(connect: Connect) -> None:
    async with connect() as client:
        data = await client.plumbing.call("SettingsPageQuery", {})
        assert data["viewer"]["messagePointInfo"]["messagePointBalance"] == 3000
        with pytest.raises(PoeError) as raised:
            await client.plumbing.call("NoSuchOperation", {})
        assert raised.value.code is ErrorCode.STALE_OPERATION
