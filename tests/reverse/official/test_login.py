"""Signing in, with the simulator as Poe and a plain HTTP request as the browser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import HangRequest, HttpError, WrongJson
from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError
from reverse.official import PoeLogin, PoeOfficialClient

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as opened:
        yield opened


async def test_a_sign_in_ends_with_a_key_that_works(config: PoeConfig, browser: httpx.AsyncClient) -> None:
    async with PoeLogin("client", config) as login:
        page = await browser.get(login.authorize_url)
        assert (page.status_code, "Signed in" in page.text) == (200, True)
        done = await login.wait(2)
    assert done.expires_at is None
    assert done.credentials.api_key not in repr(done)
    async with PoeOfficialClient(done.credentials, config) as client:
        assert (await client.points()).balance == 10_000


async def test_a_key_that_expires_says_when(config: PoeConfig, browser: httpx.AsyncClient) -> None:
    async with PoeLogin("short-lived", config) as login:
        await browser.get(login.authorize_url)
        assert (await login.wait(2)).expires_at == pytest.approx(time.time() + 3600, abs=60)


async def test_the_challenge_is_asked_for_and_the_verifier_stays_here(config: PoeConfig) -> None:
    async with PoeLogin("client", config) as one, PoeLogin("client", config) as two:
        first, second = (parse_qs(urlsplit(login.authorize_url).query) for login in (one, two))
    assert first["code_challenge_method"] == ["S256"] and first["scope"] == ["apikey:create"]
    assert first["state"] != second["state"] and first["code_challenge"] != second["code_challenge"]
    assert len(first["code_challenge"][0]) == 43
    assert first["redirect_uri"][0].startswith("http://127.0.0.1:")


async def test_a_return_with_another_state_changes_nothing(config: PoeConfig, browser: httpx.AsyncClient) -> None:
    async with PoeLogin("client", config) as login:
        back = parse_qs(urlsplit(login.authorize_url).query)["redirect_uri"][0]
        for query in (
            "state=forged&code=evil",
            "code=evil",
            "state=&code=evil",
            "state=%FF%00&error=access_denied",
            "",
        ):
            assert (await browser.get(f"{back}?{query}")).status_code == 400
        assert (await browser.get(back.replace("/callback", "/favicon.ico"))).status_code == 404
        assert (await browser.post(back)).status_code == 404
        await browser.get(login.authorize_url)
        assert (await login.wait(2)).credentials.api_key


async def test_the_code_counts_once(config: PoeConfig, browser: httpx.AsyncClient) -> None:
    async with PoeLogin("client", config) as login:
        await browser.get(login.authorize_url)
        assert (await browser.get(login.authorize_url)).status_code == 409
        await login.wait(2)


async def test_a_wrong_verifier_gets_no_key(config: PoeConfig, browser: httpx.AsyncClient) -> None:
    async with PoeLogin("client", config) as login:
        await browser.get(login.authorize_url)
        login._sign_in = replace(login._sign_in, verifier="another-verifier")
        with pytest.raises(PoeError) as caught:
            await login.wait(2)
    assert caught.value.code is ErrorCode.NOT_AUTHENTICATED


async def test_a_user_who_refuses_is_an_error(config: PoeConfig, browser: httpx.AsyncClient) -> None:
    async with PoeLogin("refused", config) as login:
        page = await browser.get(login.authorize_url)
        assert "refused" in page.text
        with pytest.raises(PoeError) as caught:
            await login.wait(2)
    assert caught.value.code is ErrorCode.NOT_AUTHENTICATED


async def test_nobody_coming_is_a_timeout_and_leaving_unwaited_is_silent(
    config: PoeConfig, browser: httpx.AsyncClient
) -> None:
    async with PoeLogin("refused", config) as login:
        with pytest.raises(PoeError) as caught:
            await login.wait(0.05)
        await browser.get(login.authorize_url)
    assert caught.value.code is ErrorCode.TIMEOUT


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (HttpError(400, "invalid_request_error"), ErrorCode.INVALID_REQUEST),
        (HttpError(500, body="oops"), ErrorCode.UPSTREAM_FAILED),
        (WrongJson(), ErrorCode.PROTOCOL),
        (WrongJson('{"api_key": "two words"}'), ErrorCode.PROTOCOL),
        (HangRequest(), ErrorCode.TIMEOUT),
    ],
    ids=repr,
)
async def test_a_failing_exchange_is_typed(
    simulator: PoeOfficialSimulator, config: PoeConfig, browser: httpx.AsyncClient, fault: HttpError, code: ErrorCode
) -> None:
    simulator.enqueue(Scenario(fault, operation="/token"))
    async with PoeLogin("client", replace(config, request_timeout_seconds=0.3)) as login:
        await browser.get(login.authorize_url)
        with pytest.raises(PoeError) as caught:
            await login.wait(2)
    assert caught.value.code is code


async def test_garbage_on_the_loopback_port_changes_nothing(config: PoeConfig, browser: httpx.AsyncClient) -> None:
    async with PoeLogin("client", config) as login:
        port = urlsplit(parse_qs(urlsplit(login.authorize_url).query)["redirect_uri"][0]).port
        for data in (b"\x16\x03\x01", b"\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"x" * 40_000 + b"\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writer.write_eof()
            await asyncio.wait_for(reader.read(1), 30)
            writer.close()
        await browser.get(login.authorize_url)
        assert (await login.wait(2)).credentials.api_key
