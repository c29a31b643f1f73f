"""Whole requests over the real clients and the faults of the simulators: messages Poe got, and points it charged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from accounts import AccountKind
from gateway.bootstrap import build_services
from gateway.settings import Settings
from local.poe_official import PoeOfficialSimulator
from local.poe_official import Scenario as OfficialScenario
from local.poe_official import faults as official
from local.poe_web import PoeWebSimulator, stream_faults
from local.poe_web import Scenario as WebScenario
from local.poe_web import request_faults as web
from reverse.chat import PoeClient
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials, WebCredentials
from reverse.official import PoeOfficialClient
from reverse.web import PoeWebClient
from tests.gateway.scripted import Answer, House

SECRETS = ("first-account-0123456789abcdef", "second-account-0123456789abcdef", "third-account-0123456789abcdef")
SEND = "SendMessageMutation"
CHATS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/bot/")


@dataclass
class World:
    """A gateway with three accounts of one kind, and what Poe knows of them."""

    house: House
    poe: Any
    kind: AccountKind

    async def ask(self, text: str = "hello", *, bot: str = "Echo", stream: bool = False, **more: Any) -> Answer:
        body: dict[str, Any] = {"model": bot, "messages": [{"role": "user", "content": text}], "stream": stream}
        return await self.house.call(body=body | more)

    @property
    def sends(self) -> int:
        """Messages that reached Poe's door."""
        if self.kind is AccountKind.OFFICIAL:
            return sum(record.path.startswith(CHATS) for record in self.poe.requests)
        return sum((record.query_name or "").lower() == SEND.lower() for record in self.poe.requests)

    @property
    def charged(self) -> int:
        """Points that are gone."""
        accounts = [self.poe.account(secret) for secret in SECRETS]
        return sum(10_000 - account.points for account in accounts)

    @property
    def booked(self) -> int:
        """Points in the gateway's books."""
        return sum(usage.points or 0 for _, usage in self.house.store.released if usage is not None)


def _client(config: PoeConfig) -> Any:
    def make(kind: AccountKind, credentials: Mapping[str, str], session: Mapping[str, Any] | None) -> PoeClient:
        if kind is AccountKind.WEB:
            return PoeWebClient(WebCredentials.from_mapping(credentials), config, session)
        return PoeOfficialClient(OfficialCredentials.from_mapping(credentials), config, session_data=session)

    return make


async def _world(environment: dict[str, str], poe: Any, kind: AccountKind, config: PoeConfig) -> World:
    house = House(Settings.from_env(environment))
    house.services = build_services(
        house.settings, store=house.store, make_client=_client(config), journal=house.services.journal
    )
    await house.add_key()
    for secret in SECRETS:
        poe.add_account(secret, points=10_000)
        await house.add_account(secret, kind)
    return World(house, poe, kind)


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> float:
    """Seconds that clients wait: few where Poe hangs, else more than a busy machine needs."""
    hangs = (official.HangRequest, official.PingOnly, web.HangRequest, stream_faults.HangStream)
    return 0.4 if isinstance(request.node.callspec.params.get("fault"), hangs) else 60.0


@pytest.fixture
async def over_official(environment: dict[str, str], patience: float) -> AsyncIterator[World]:
    async with PoeOfficialSimulator(pace_seconds=0.0) as poe:
        config = PoeConfig(
            official_base_url=poe.base_url,
            first_event_timeout_seconds=patience,
            idle_timeout_seconds=patience,
        )
        world = await _world(environment, poe, AccountKind.OFFICIAL, config)
        yield world
        await world.house.services.aclose()


@pytest.fixture
async def over_web(environment: dict[str, str], patience: float) -> AsyncIterator[World]:
    async with PoeWebSimulator(pace_seconds=0.0, answer_delay_seconds=0.0) as poe:
        config = PoeConfig(
            web_base_url=poe.base_url,
            channel_url=poe.channel_url,
            request_timeout_seconds=patience,
            first_event_timeout_seconds=patience,
            idle_timeout_seconds=patience,
        )
        world = await _world(environment, poe, AccountKind.WEB, config)
        yield world
        await world.house.services.aclose()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fault", "sends"),
    [
        (official.HttpError(500), 2),
        (official.HttpError(500, "provider_error", 500), 2),
        (official.HttpError(502, "upstream_error", 502), 1),
        (official.HttpError(503), 1),
        (official.HttpError(504), 1),
        (official.HttpError(503, retry_after=0), 3),
        (official.HttpError(529, "overloaded_error", 529), 3),
        (official.HttpError(429, "rate_limit_error", 429), 3),
        (official.HttpError(402, "insufficient_credits", 402), 3),
        (official.HttpError(400, "invalid_request_error", 400), 1),
        (official.HttpError(403, "moderation_error", 403), 1),
        (official.DropConnection(), 1),
        (official.HangRequest(), 1),
        (official.PingOnly(0), 1),
        (official.CutSocket(0), 1),
        (official.CutSocket(4), 1),
        (official.EmptyBody(), 1),
        (official.ErrorEvent(0), 2),
        (official.ErrorEvent(4), 1),
        (official.ChallengePage(), 1),
    ],
    ids=lambda value: repr(value)[:70],
)
async def test_what_never_works_is_sent_no_more_often_than_the_plan_says(
    over_official: World, fault: official.Fault, sends: int, stream: bool
) -> None:
    world = over_official
    world.poe.enqueue(OfficialScenario(fault, times=99))
    answer = await world.ask("a b c", stream=stream)
    assert answer.status != 200 or '"error"' in answer.body.decode()
    assert world.sends == sends
    assert world.house.lines("request.ended")[-1]["attempts"] == sends


@pytest.mark.parametrize(
    "fault",
    [
        official.HttpError(500),
        official.HttpError(529, "overloaded_error", 529),
        official.HttpError(429, "rate_limit_error", 429),
        official.HttpError(401, "authentication_error", 401),
    ],
    ids=lambda value: repr(value)[:70],
)
async def test_what_passes_is_answered_and_paid_once(over_official: World, fault: official.Fault) -> None:
    world = over_official
    world.poe.enqueue(OfficialScenario(fault))
    answer = await world.ask()
    assert answer.status == 200
    assert world.sends == 2
    assert world.charged == 0 or len({record.account for record in world.poe.requests}) == 2


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        web.DropConnection(applied=True),
        web.HangRequest(applied=True),
        web.HttpError(500, applied=True),
        web.HttpError(502, applied=True),
        web.HttpError(503, applied=True),
        web.HttpError(504, applied=True),
        web.GraphQLError(applied=True),
    ],
    ids=lambda value: repr(value)[:70],
)
async def test_a_lost_answer_makes_one_chat_and_costs_once(over_web: World, fault: Any, stream: bool) -> None:
    """Poe took the message and charges for it; nobody knows that here."""
    world = over_web
    world.poe.enqueue(WebScenario(fault, operation=SEND, times=99))
    answer = await world.ask(stream=stream)
    assert answer.status in (502, 503, 504)
    assert world.sends == 1
    chats = [chat for secret in SECRETS for chat in world.poe.account(secret).chats]
    assert len(chats) == 1
    assert world.charged <= 20


@pytest.mark.parametrize(
    ("fault", "sends", "status"),
    [
        (web.HttpError(500), 1, 502),
        (web.HttpError(429, retry_after=60), 3, 429),
        (web.HttpError(503, retry_after=0), 3, 503),
        (web.MutationStatus("rate_limit_exceeded"), 3, 429),
        (web.MutationStatus("insufficient_fund"), 3, 429),
        (web.MutationStatus("something_new"), 2, 502),
        (web.ChallengePage(), 1, 503),
        (web.StaleHash(), 1, 502),
        (web.EmptyBody(), 1, 502),
    ],
    ids=lambda value: repr(value)[:70],
)
async def test_what_a_web_account_is_told_is_sent_no_more_often_either(
    over_web: World, fault: Any, sends: int, status: int
) -> None:
    world = over_web
    world.poe.enqueue(WebScenario(fault, operation=SEND, times=99))
    answer = await world.ask()
    assert answer.status == status, answer.body
    assert world.sends == sends
    assert world.charged == 0


@pytest.mark.parametrize("fault", [web.StaleFormKey(), web.HttpError(429), web.MutationStatus("reached_limit")])
async def test_what_a_web_account_was_refused_is_answered_by_the_next_send(over_web: World, fault: Any) -> None:
    world = over_web
    world.poe.enqueue(WebScenario(fault, operation=SEND))
    answer = await world.ask()
    assert answer.status == 200, answer.body
    assert world.sends == 2
    assert world.charged == world.booked == answer.json["usage"]["points"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", [stream_faults.HangStream(0), stream_faults.HangStream(3)], ids=repr)
async def test_a_web_answer_that_hangs_is_not_asked_for_again(over_web: World, fault: Any, stream: bool) -> None:
    world = over_web
    world.poe.enqueue(WebScenario(fault, times=99))
    answer = await world.ask("one two three four five", stream=stream)
    assert answer.status == 504 or '"upstream_timeout"' in answer.body.decode()
    assert world.sends == 1


@pytest.mark.parametrize("fault", [None])
async def test_an_unknown_bot_of_web_accounts_is_a_404(over_web: World, fault: None) -> None:
    for _ in range(4):
        answer = await over_web.ask(bot="No-Such-Bot")
        assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert over_web.sends == 4
    assert over_web.charged == 0


@pytest.mark.parametrize("fault", [None])
async def test_a_bot_of_the_bot_protocol_is_found_by_the_second_send(over_official: World, fault: None) -> None:
    answer = await over_official.ask(bot="BotOnly")
    assert answer.status == 200, answer.body
    assert over_official.sends == 2
    over_official.poe.requests.clear()
    assert (await over_official.ask(bot="No-Such-Bot")).status == 404
    assert over_official.sends == 2
