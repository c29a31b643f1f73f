"""What `/readyz` tells an administrator, and nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from accounts import AccountKind
from gateway.settings import Settings
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error
from tests.gateway.scripted import ADMIN_KEY, API_KEY, Answer, House, ask


@pytest.fixture
async def listening() -> AsyncIterator[str]:
    """An address that takes connections, as Poe would."""

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def environment(environment: dict[str, str], listening: str) -> dict[str, str]:
    return {**environment, "GATEWAY_POE_OFFICIAL_BASE_URL": listening, "GATEWAY_POE_WEB_BASE_URL": listening}


async def asked(house: House, key: str = ADMIN_KEY) -> Answer:
    return await house.call("/readyz", key=key)


async def reason(house: House) -> tuple[int, str, Any]:
    """What an administrator is told, which must be what a request gets."""
    told = await asked(house)
    got = await house.call(body=ask())
    assert (told.error["code"], told.error["message"]) == (got.error["code"], got.error["message"])
    assert told.json["status"] == "not_ready" and told.status == got.status
    return told.status, told.error["code"], told.json["accounts"]


async def test_without_an_account_that_is_said(house: House) -> None:
    assert await reason(house) == (503, "no_accounts", {"official": {}, "web": {}})
    assert (await asked(house)).json["connects_to_poe"] == {"official": None, "web": None}


async def test_disabled_accounts_are_said_to_be_disabled(house: House) -> None:
    account = await house.add_account()
    await house.admin(f"/accounts/{account}/disable", method="POST")
    assert await reason(house) == (503, "accounts_disabled", {"official": {"disabled": 1}, "web": {}})


async def test_refused_credentials_are_said_to_be_refused(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.NOT_AUTHENTICATED))
    assert (await house.call(body=ask())).error["code"] == "accounts_signed_out"
    status, code, _ = await reason(house)
    assert (status, code) == (503, "accounts_signed_out")


async def test_accounts_without_points_are_said_to_have_none(house: House) -> None:
    await house.add_account()
    (account,) = (await house.admin("/accounts")).json["data"]
    house.poe.readings.append(PointsReading(0, next_grant_at=time.time() + 3600))
    await house.admin(f"/accounts/{account['id']}/refresh-points", method="POST")
    assert await reason(house) == (429, "insufficient_quota", {"official": {"depleted": 1}, "web": {}})


async def test_accounts_that_wait_are_said_to_wait(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=600))
    await house.call(body=ask())
    assert await reason(house) == (429, "accounts_waiting", {"official": {"cooldown": 1}, "web": {}})


async def test_an_account_that_can_serve_is_enough(house: House) -> None:
    await house.add_account("a")
    disabled = await house.add_account("b", AccountKind.WEB)
    await house.admin(f"/accounts/{disabled}/disable", method="POST")
    told = await asked(house)
    assert (told.status, told.json) == (
        200,
        {
            "status": "ready",
            "accounts": {"official": {"active": 1}, "web": {"disabled": 1}},
            "connects_to_poe": {"official": True, "web": True},
        },
    )


async def test_without_a_network_that_is_said(environment: dict[str, str]) -> None:
    settings = Settings.from_env({**environment, "GATEWAY_POE_OFFICIAL_BASE_URL": "http://127.0.0.1:1"})
    house = House(settings)
    await house.add_account()
    told = await asked(house)
    assert (told.status, told.error["code"]) == (502, "upstream_unreachable")
    assert told.json["connects_to_poe"] == {"official": False, "web": None}
    await house.services.aclose()


@pytest.mark.parametrize("key", [None, API_KEY, "wrong"])
async def test_nobody_else_learns_more_than_yes_or_no(house: House, key: str | None) -> None:
    await house.add_account()
    assert (await asked(house, key)).json == {"status": "ready"}  # type: ignore[arg-type]  # none is one of the cases
    house.services.readiness._until = 0
    for account in (await house.admin("/accounts")).json["data"]:
        await house.admin(f"/accounts/{account['id']}", method="DELETE")
    told = await asked(house, key)  # type: ignore[arg-type]
    assert (told.status, set(told.json), told.error["code"]) == (503, {"error"}, "not_ready")
