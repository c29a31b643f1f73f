"""The log of requests that an owner reads: one item each, however the request ended, and never a prompt."""

from __future__ import annotations

import time
from typing import Any

import pytest

from accounts import RequestRecord as KeptRequest
from accounts import Selection, StoreUnavailableError
from gateway.http.request_log import RequestKeeper, RequestRecord
from gateway.settings import Settings
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import ADMIN_KEY, API_KEY, House, ask


async def kept(house: House) -> list[KeptRequest]:
    now = time.time()
    return list((await house.store.list_requests(Selection(since=now - 3600, until=now + 60))).items)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_an_answer_is_kept_with_its_costs_and_times(house: House, is_streamed: bool) -> None:
    account = await house.add_account()
    house.poe.enqueue(TextDelta("secret answer"), UsageReported(10, 5, points=7), Finished())
    answer = await house.call(body=ask("secret prompt", stream=is_streamed), headers={"x-request-id": "r1"})
    assert answer.status == 200
    (request,) = await kept(house)
    assert (request.request_id, request.model, request.surface, request.status) == ("r1", "gpt-5", "chat", 200)
    assert (request.prompt_tokens, request.completion_tokens, request.points) == (10, 5, 7)
    assert (request.account_id, request.attempts, request.code) == (account, 1, None)
    assert request.first_token_seconds is not None
    assert request.total_seconds is not None
    assert request.first_token_seconds <= request.total_seconds
    assert "secret" not in repr(request)


async def test_the_release_writes_it_so_that_a_chat_costs_no_write_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add_account()

    async def separately(_: KeptRequest) -> None:
        raise AssertionError("a write of its own")

    monkeypatch.setattr(house.store, "record_request", separately)
    assert (await house.call(body=ask())).status == 200
    assert len(await kept(house)) == 1


async def test_several_answers_are_one_request(house: House) -> None:
    for number in range(2):
        await house.add_account(f"secret-{number}")
    for _ in range(2):
        house.poe.enqueue(TextDelta("x"), UsageReported(10, 5, points=7), Finished())
    await house.call(body=ask() | {"n": 2}, headers={"x-request-id": "r2"})
    (request,) = await kept(house)
    assert (request.request_id, request.attempts, request.points, request.prompt_tokens) == ("r2", 2, 14, 20)
    shown = (await house.admin("/requests/r2")).json
    assert len(shown["tries"]) == 2


async def test_failures_are_kept_with_code_and_cause(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.CONTENT_REFUSED))
    assert (await house.call(body=ask())).status == 400
    (request,) = await kept(house)
    assert (request.status, request.code, request.cause) == (400, "content_filter", "content_refused")
    (line,) = house.lines("request.ended")
    assert (line["error"], line["cause"], line["last_failure"]) == (
        "content_filter",
        "content_refused",
        "content_refused",
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_the_line_of_a_request_has_the_last_failure_whatever_came_of_it(house: House, stream: bool) -> None:
    account = await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.BOT_FAILED))
    assert (await house.call(body=ask(stream=stream))).status == 200
    line = house.lines("request.ended")[-1]
    assert (line["last_failure"], line["attempts"], line["account"]) == ("bot_failed", 2, account)
    assert "error" not in line and "cause" not in line
    for _ in range(2):
        house.poe.enqueue(poe_error(ErrorCode.BOT_FAILED))
    assert (await house.call(body=ask(stream=stream))).status == 502
    line = house.lines("request.ended")[-1]
    assert (line["error"], line["cause"], line["last_failure"]) == ("upstream_error", "bot_failed", "bot_failed")


async def test_the_line_says_why_there_was_no_account(house: House) -> None:
    await house.call(body=ask())
    assert house.lines("request.ended")[-1]["cause"] == "none_configured"
    account = await house.add_account()
    await house.admin(f"/accounts/{account}/disable", method="POST")
    await house.call(body=ask())
    line = house.lines("request.ended")[-1]
    assert (line["error"], line["cause"]) == ("accounts_disabled", "disabled")


async def test_a_request_that_finds_no_account_is_kept(house: House) -> None:
    assert (await house.call(body=ask())).status == 503
    (request,) = await kept(house)
    assert (request.status, request.code, request.account_id, request.points) == (503, "no_accounts", None, None)


async def test_what_ends_in_mid_stream_is_kept_with_its_code(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("x"), poe_error(ErrorCode.BOT_FAILED))
    await house.call(body=ask(stream=True))
    (request,) = await kept(house)
    assert (request.status, request.code, request.cause) == (502, "upstream_error", "bot_failed")


@pytest.mark.parametrize("key", ["sk-nobody", ADMIN_KEY])
async def test_strangers_fill_no_log(house: House, key: str) -> None:
    assert (await house.call(body=ask(), key=key)).status == 401
    assert await kept(house) == []


async def test_a_table_that_fails_costs_no_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: KeptRequest) -> None:
        raise StoreUnavailableError("PutItem", "timeout")

    monkeypatch.setattr(house.store, "record_request", broken)
    assert (await house.call(body=ask())).status == 503
    assert [line["code"] for line in house.lines("request.not_kept")] == ["StoreUnavailableError"]


async def test_it_can_be_switched_off(environment: dict[str, str]) -> None:
    house = House(Settings.from_env(environment | {"GATEWAY_REQUEST_LOG_DAYS": "0"}))
    await house.add_key()
    await house.add_account()
    assert (await house.call(body=ask(), key=API_KEY)).status == 200
    assert await kept(house) == []
    await house.services.aclose()


def record(**more: Any) -> RequestRecord:
    return RequestRecord("r", "POST", 10.0, key_id="k", model="M", **more)


def test_each_request_is_kept_once() -> None:
    keeper = RequestKeeper(60, clock=lambda: 12.0, now=lambda: 1000.0)
    one = record(first_token_at=11.5)
    item = keeper.item(one)
    assert item is not None
    assert (item.at, item.first_token_seconds, item.total_seconds, item.ttl_seconds) == (1000.0, 1.5, 2.0, 60)
    assert keeper.item(one) is None
    assert keeper.item(record().part(0)) is None
    assert keeper.item(RequestRecord("r", "GET", 0.0)) is None
