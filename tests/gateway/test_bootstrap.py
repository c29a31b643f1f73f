"""The services as they are really put together: real clients, against stand-ins of Poe on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from accounts import AccountKind, InMemoryAccountStore
from gateway.app import create_app
from gateway.bootstrap import build_services
from gateway.settings import Settings
from local.poe_official import PoeOfficialSimulator
from local.poe_web import PoeWebSimulator
from tests.gateway.scripted import ADMIN_KEY, House, ask

ECHO = {"model": "Echo"}
COOKIE = "cookie-of-the-test-account"
POE_KEY = "poe-key-0123456789abcdef"


class RealHouse(House):
    """A house whose clients are the real ones."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.services = build_services(settings, store=self.store, journal=self.services.journal)
        self.app = create_app(lambda: self.services)


@asynccontextmanager
async def open_web_house() -> AsyncIterator[RealHouse]:
    async with PoeWebSimulator(pace_seconds=0.0, answer_delay_seconds=0.0) as simulator:
        simulator.add_account(COOKIE)
        house = RealHouse(
            Settings.from_env(
                {
                    "GATEWAY_STORE": "memory",
                    "GATEWAY_ADMIN_KEY": ADMIN_KEY,
                    "GATEWAY_POE_WEB_BASE_URL": simulator.base_url,
                    "GATEWAY_POE_WEB_CHANNEL_URL": simulator.channel_url,
                }
            )
        )
        await house.add_key()
        await house.add_account(COOKIE, AccountKind.WEB)
        yield house
        await house.services.aclose()
        assert not house.store.held


@asynccontextmanager
async def open_official_house() -> AsyncIterator[RealHouse]:
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account(POE_KEY)
        house = RealHouse(
            Settings.from_env(
                {
                    "GATEWAY_STORE": "memory",
                    "GATEWAY_ADMIN_KEY": ADMIN_KEY,
                    "GATEWAY_POE_OFFICIAL_BASE_URL": simulator.base_url,
                    "GATEWAY_POE_UPLOAD_URL": simulator.upload_url,
                }
            )
        )
        await house.add_key()
        await house.add_account(POE_KEY)
        yield house
        await house.services.aclose()
        assert not house.store.held


@pytest.fixture
async def web_house() -> AsyncIterator[RealHouse]:
    async with open_web_house() as house:
        yield house


@pytest.fixture(params=[open_web_house, open_official_house], ids=["web", "official"])
async def real_house(request: pytest.FixtureRequest) -> AsyncIterator[RealHouse]:
    async with request.param() as house:
        yield house


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chat_through_a_real_client(real_house: RealHouse, stream: bool) -> None:
    house = real_house
    answer = await house.call(body=ask("tell me something", stream=stream) | ECHO)
    assert answer.status == 200, answer.body
    text = answer.text if stream else answer.json["choices"][0]["message"]["content"]
    assert "tell me something" in text
    line = house.lines("request.ended")[-1]
    assert (line["finish"], line["attempts"]) == ("stop", 1)
    assert house.store.released[-1][0].is_success


async def test_an_unknown_model_is_the_callers_mistake(real_house: RealHouse) -> None:
    """The web side does not tell an unknown bot from one that the account may not use."""
    answer = await real_house.call(body=ask() | {"model": "No-Such-Bot-Anywhere"})
    assert (answer.status, answer.error["code"]) in ((404, "model_not_found"), (403, "model_not_allowed"))
    assert answer.error["param"] == "model"


async def test_points_are_read_through_a_real_client(real_house: RealHouse) -> None:
    house = real_house
    (account,) = (await house.admin("/accounts")).json["data"]
    answer = await house.admin(f"/accounts/{account['id']}/refresh-points", method="POST")
    assert answer.status == 200
    assert answer.json["message_point_balance"] > 0


async def test_a_second_chat_finds_the_connection_warm(web_house: RealHouse) -> None:
    await web_house.call(body=ask() | ECHO)
    session_data = web_house.store.kept_session_data[0]
    assert session_data, "what was derived is kept for other sandboxes"
    await web_house.call(body=ask() | ECHO)
    assert len(web_house.services.clients._idle) == 1
    assert web_house.store.kept_session_data[1] is None


async def test_a_caller_that_leaves_stops_the_bot(web_house: RealHouse) -> None:
    gone = asyncio.Event()
    answer = await web_house.call(
        body=ask("count 200", stream=True) | {"model": "Story"},
        disconnect=gone,
        on_part=lambda answer, part: gone.set(),
    )
    assert answer.status == 200
    assert "[DONE]" not in answer.events
    assert web_house.lines("request.ended")[-1]["error"] == "client_gone"


def test_the_store_is_the_configured_one() -> None:
    assert isinstance(build_services(Settings.from_env({"GATEWAY_STORE": "memory"})).store, InMemoryAccountStore)


class FakeSecretsManager:
    """Answers `get_secret_value`."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.asked: list[str] = []

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:
        self.asked.append(SecretId)
        return {"SecretString": self.secret}


@pytest.mark.parametrize("secret", [ADMIN_KEY, f" {ADMIN_KEY}\n", json.dumps({"admin_key": ADMIN_KEY})])
async def test_the_admin_key_comes_from_secrets_manager(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    fake = FakeSecretsManager(secret)
    monkeypatch.setattr(boto3, "client", lambda service, config: fake)
    house = RealHouse(Settings.from_env({"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_SECRET_ID": "arn:of:secret"}))
    assert (await house.admin("/accounts")).status == 200
    assert (await house.admin("/accounts", key="wrong")).status == 401
    assert fake.asked == ["arn:of:secret"]


async def test_a_secrets_manager_that_fails_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from botocore.exceptions import ClientError, EndpointConnectionError

    for failure in (
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "secret"}}, "GetSecretValue"),
        EndpointConnectionError(endpoint_url="https://secret"),
    ):

        class Failing(FakeSecretsManager):
            def get_secret_value(self, *, SecretId: str, failure: Exception = failure) -> dict[str, str]:
                raise failure

        monkeypatch.setattr(boto3, "client", lambda service, config: Failing(""))
        house = RealHouse(Settings.from_env({"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_SECRET_ID": "arn"}))
        answer = await house.admin("/accounts")
        assert (answer.status, answer.error["code"]) == (503, "store_unavailable")


async def test_without_an_admin_key_there_is_no_administration() -> None:
    house = RealHouse(Settings.from_env({"GATEWAY_STORE": "memory"}))
    assert (await house.admin("/accounts", key="x")).status == 401


async def test_a_hash_is_replaced_while_the_gateway_runs() -> None:
    async with open_web_house() as house:
        assert (await house.call(body=ask() | ECHO)).status == 200
        wrong = {"operation_hashes": {"SendMessageMutation": "0" * 64}}
        assert (await house.admin("/config/poe", wrong, method="PUT")).status == 200
        assert (await house.call(body=ask() | ECHO)).error["code"] == "upstream_error"
        assert (await house.admin("/config/poe", {}, method="PUT")).status == 200
        assert (await house.call(body=ask() | ECHO)).status == 200


async def test_an_official_client_gets_the_data_that_an_earlier_one_derived() -> None:
    house = RealHouse(Settings.from_env({"GATEWAY_STORE": "memory"}))
    client = house.services.make_client(AccountKind.OFFICIAL, {"api_key": POE_KEY}, {"bot_only": ["echo"]})
    assert client.session_data() == {"bot_only": ["echo"]}
