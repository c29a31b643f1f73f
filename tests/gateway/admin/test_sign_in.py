"""Adding an account by signing in at Poe, with the simulator as Poe and a plain request as the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.bootstrap import build_services
from local.poe_official import PoeOfficialSimulator
from tests.gateway.scripted import House


@pytest.fixture
async def simulator() -> AsyncIterator[PoeOfficialSimulator]:
    async with PoeOfficialSimulator() as running:
        yield running


@pytest.fixture
async def signing_in(simulator: PoeOfficialSimulator, house: House) -> House:
    """A gateway that speaks to the simulator and has a client registered there."""
    settings = replace(
        house.services.settings,
        poe_client_id="client",
        poe_official_base_url=simulator.base_url,
        poe_web_base_url=simulator.base_url,
    )
    house.app = type(house.app)(lambda: build_services(settings, store=house.store))
    return house


async def returned(authorize_url: str) -> str:
    """The address that the browser is sent back to."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(authorize_url)
    assert answer.status_code == 302
    return answer.headers["location"]


async def test_signing_in_adds_an_account_and_shows_no_key(signing_in: House) -> None:
    begun = await signing_in.admin("/accounts/sign-in", {}, method="POST")
    assert begun.status == 201
    assert parse_qs(urlsplit(begun.json["authorize_url"]).query)["scope"] == ["apikey:create"]
    url = await returned(begun.json["authorize_url"])
    added = await signing_in.admin(
        f"/accounts/sign-in/{begun.json['sign_in_id']}", {"redirected_url": url, "label": "me"}
    )
    assert (added.status, added.json["label"], added.json["kind"]) == (201, "me", "official")
    assert added.json["message_point_balance"] == 10_000
    _, credentials, _ = await signing_in.store.read_credentials(added.json["id"])
    assert credentials["api_key"] not in added.body.decode()


async def test_a_second_account_without_a_name_does_not_replace_the_first(signing_in: House) -> None:
    labels = []
    for given in ({}, {}, {"label": "official-3"}, {}, {"label": "official"}):
        begun = (await signing_in.admin("/accounts/sign-in", {}, method="POST")).json
        body = {"redirected_url": await returned(begun["authorize_url"]), **given}
        labels.append((await signing_in.admin(f"/accounts/sign-in/{begun['sign_in_id']}", body)).json["label"])
    assert labels == ["official", "official-2", "official-3", "official-4", "official"]
    assert len((await signing_in.admin("/accounts")).json["data"]) == 4


async def test_a_sign_in_counts_once(signing_in: House) -> None:
    begun = (await signing_in.admin("/accounts/sign-in", {}, method="POST")).json
    body = {"redirected_url": await returned(begun["authorize_url"])}
    assert (await signing_in.admin(f"/accounts/sign-in/{begun['sign_in_id']}", body)).status == 201
    assert (await signing_in.admin(f"/accounts/sign-in/{begun['sign_in_id']}", body)).status == 404


async def test_the_return_of_another_sign_in_is_refused(signing_in: House) -> None:
    mine, other = [(await signing_in.admin("/accounts/sign-in", {}, method="POST")).json for _ in range(2)]
    body = {"redirected_url": await returned(other["authorize_url"])}
    refused = await signing_in.admin(f"/accounts/sign-in/{mine['sign_in_id']}", body)
    assert (refused.status, refused.error["param"]) == (400, "redirected_url")
    assert (await signing_in.admin("/accounts")).json["data"] == []


async def test_a_code_that_poe_does_not_take_is_refused(signing_in: House) -> None:
    begun = (await signing_in.admin("/accounts/sign-in", {}, method="POST")).json
    url = await returned(begun["authorize_url"])
    forged = url.replace("code=", "code=forged-")
    refused = await signing_in.admin(f"/accounts/sign-in/{begun['sign_in_id']}", {"redirected_url": forged})
    assert (refused.status, refused.error["code"]) == (400, "sign_in_refused")


@pytest.mark.parametrize(
    "address", ["https://evil.example/callback", "http://127.0.0.1.evil.example/", "file:///etc", ""]
)
async def test_the_browser_is_sent_to_this_machine_only(signing_in: House, address: str) -> None:
    refused = await signing_in.admin("/accounts/sign-in", {"redirect_uri": address}, method="POST")
    assert (refused.status, refused.error["param"]) == (400, "redirect_uri")


async def test_without_a_registered_client_it_is_not_offered(house: House) -> None:
    refused = await house.admin("/accounts/sign-in", {}, method="POST")
    assert (refused.status, refused.error["code"]) == (400, "sign_in_not_configured")
