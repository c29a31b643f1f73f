"""Which account answers, what happens when one fails, and how each ending is booked."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from accounts import (
    AccountKind,
    BalanceReading,
    Lease,
    LeaseRequest,
    NoAccountError,
    NoAccountReason,
    StoreUnavailableError,
)
from gateway.generation.task import GenerationTask
from gateway.http.errors import GatewayError
from gateway.http.request_log import RequestRecord
from gateway.settings import Settings
from reverse.chat import ChatRequest, Message
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import ChatStarted, Event, Finished, TextDelta, UsageReported
from tests.gateway.scripted import Hang, House, Pause

pytestmark = pytest.mark.virtual_time

BOT = "GPT-5"


def task(**changes: Any) -> GenerationTask:
    plain = GenerationTask(
        key_id="key1",
        model=BOT,
        build=lambda kind: ChatRequest(BOT, (Message("user", f"for {kind}"),)),
        prompt_tokens=3,
    )
    return replace(plain, **changes)


def record() -> RequestRecord:
    return RequestRecord("req_1", "POST", 0.0)


async def run(house: House, noted: RequestRecord | None = None, **changes: Any) -> list[Event]:
    events: list[Event] = []
    async with house.services.generations.start(task(**changes), noted or record()) as generation:
        await generation.run(events.append)
    return events


async def test_a_failed_account_is_replaced_before_the_first_event(house: House) -> None:
    await house.add_account("a")
    await house.add_account("b")
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=9))
    house.poe.enqueue(TextDelta("fine"), Finished())
    noted = record()
    assert await run(house, noted) == [TextDelta("fine"), Finished()]
    assert noted.attempts == 2
    assert len({client.credentials["api_key"] for client in house.poe.clients}) == 2
    assert house.poe.requests[0] == house.poe.requests[1], "the same model is asked"
    (failed, nothing), (good, usage) = house.store.released
    assert (failed.code, failed.scope, failed.retry_after_seconds) == ("rate_limited", "account", 9)
    assert nothing is not None
    assert nothing.is_refused, "Poe charged nothing"
    assert good.is_success
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, 1)
    assert house.store.most_held == 1, "no account is held while another is asked"


async def test_a_chat_that_only_started_has_said_nothing(house: House) -> None:
    """Silent events are held back until an account really answers."""
    await house.add_account("a")
    await house.add_account("b")
    house.poe.enqueue(ChatStarted(1), UsageReported(points=5), poe_error(ErrorCode.BOT_UNAVAILABLE))
    house.poe.enqueue(ChatStarted(2), TextDelta("x"), Finished())
    events: list[Event] = []
    async with house.services.generations.start(task(), record()) as generation:
        await generation.run(events.append)
        assert generation.chat == ChatStarted(2)
    assert events == [ChatStarted(2), TextDelta("x"), Finished()]


async def test_nothing_is_retried_after_the_first_event(house: House) -> None:
    await house.add_account("a")
    await house.add_account("b")
    house.poe.enqueue(TextDelta("x"), poe_error(ErrorCode.CONNECTION_FAILED))
    with pytest.raises(PoeError):
        await run(house)
    assert len(house.poe.requests) == 1
    outcome, usage = house.store.released[0]
    assert outcome.code == "connection_failed"
    assert usage is not None


@pytest.mark.parametrize("code", [ErrorCode.CONTENT_REFUSED, ErrorCode.BOT_NOT_FOUND, ErrorCode.CHALLENGE])
async def test_what_another_account_can_not_help_is_raised_at_once(house: House, code: ErrorCode) -> None:
    await house.add_account("a")
    await house.add_account("b")
    house.poe.enqueue(poe_error(code))
    with pytest.raises(PoeError) as caught:
        await run(house)
    assert caught.value.code is code
    assert len(house.poe.requests) == 1


async def test_tries_are_bounded(house: House) -> None:
    for name in "abcde":
        await house.add_account(name)
        house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED))
    noted = record()
    with pytest.raises(PoeError):
        await run(house, noted)
    assert noted.attempts == len(house.poe.requests) == 3


async def test_no_try_begins_after_the_time_for_tries(house: House) -> None:
    await house.add_account("a")
    await house.add_account("b")
    now = 0.0
    house.services.generations.clock = lambda: now
    pause = Pause()
    house.poe.enqueue(pause, poe_error(ErrorCode.UPSTREAM_FAILED))
    running = asyncio.create_task(run(house))
    await house.until_asked()
    now = 61.0
    pause.event.set()
    with pytest.raises(PoeError):
        await running
    assert len(house.poe.requests) == 1


@pytest.mark.parametrize("code", [ErrorCode.INSUFFICIENT_POINTS, ErrorCode.UPSTREAM_FAILED])
async def test_the_failure_tells_more_than_that_no_account_is_left(house: House, code: ErrorCode) -> None:
    await house.add_account("a")
    house.poe.enqueue(poe_error(code))
    with pytest.raises(PoeError) as caught:
        await run(house)
    assert caught.value.code is code


async def test_whoever_finds_the_points_gone_hears_of_the_next_grant(house: House) -> None:
    soon = time.time() + 600
    for name, grant in ("a", soon), ("b", None):
        account = await house.add_account(name)
        await house.store.record_reading(account, BalanceReading(5000, next_grant_at=grant))
        house.poe.enqueue(poe_error(ErrorCode.INSUFFICIENT_POINTS))
    with pytest.raises(NoAccountError) as caught:
        await run(house)
    assert (caught.value.reason, caught.value.retry_at) == (NoAccountReason.NO_POINTS, soon)


async def test_points_are_not_called_gone_while_another_account_is_only_busy() -> None:
    """SDKs do not come back from a used up quota, although trying again helps."""
    house = House(Settings(store="memory", account_wait_seconds=0.0))
    await house.add_account("a")
    await house.add_account("web", AccountKind.WEB, max_concurrency=1)
    await house.store.lease(LeaseRequest(owner="other", bot=BOT, ttl_seconds=60, kinds=(AccountKind.WEB,)))
    house.poe.enqueue(poe_error(ErrorCode.INSUFFICIENT_POINTS), secret="a")
    with pytest.raises(NoAccountError) as caught:
        await run(house)
    assert caught.value.reason is NoAccountReason.BUSY


async def test_without_accounts_that_is_said(house: House) -> None:
    with pytest.raises(NoAccountError) as caught:
        await run(house)
    assert caught.value.reason is NoAccountReason.NONE_CONFIGURED


@pytest.mark.parametrize(
    ("has", "wants"), [(AccountKind.WEB, AccountKind.OFFICIAL), (AccountKind.OFFICIAL, AccountKind.WEB)]
)
async def test_accounts_of_another_kind_are_told_from_none(house: House, has: AccountKind, wants: AccountKind) -> None:
    await house.add_account("a", has)
    with pytest.raises(GatewayError) as caught:
        await run(house, kinds=(wants,))
    assert (caught.value.status, caught.value.code) == (503, "no_account_of_kind")
    assert f"'{wants.value}'" in caught.value.message
    assert not house.poe.requests


async def test_a_busy_account_is_waited_for(house: House) -> None:
    await house.add_account("a", max_concurrency=1)
    pause = Pause()
    house.poe.enqueue(TextDelta("first"), pause, Finished())
    first = asyncio.create_task(run(house))
    await house.until_asked()
    second = asyncio.create_task(run(house))
    await asyncio.sleep(0.01)
    pause.event.set()
    assert (await second)[-1] == Finished()
    await first


async def test_waiting_for_a_busy_account_is_bounded(house: House) -> None:
    await house.add_account("a", max_concurrency=1)
    pause = Pause()
    house.poe.enqueue(TextDelta("first"), pause, Finished())
    first = asyncio.create_task(run(house))
    await house.until_asked()
    with pytest.raises(NoAccountError) as caught:
        await run(house)
    assert caught.value.reason is NoAccountReason.BUSY
    pause.event.set()
    await first


async def test_the_request_is_built_for_the_kind_of_account(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    await run(house)
    assert house.poe.requests[0].messages[0].text == "for web"
    with pytest.raises(GatewayError):
        await run(house, kinds=(AccountKind.OFFICIAL,))


async def test_a_sticky_account_is_taken_first(house: House) -> None:
    ids = [await house.add_account(name) for name in "abcd"]
    for wanted in (ids[2], ids[0], ids[3]):
        async with house.services.generations.start(task(sticky_account_id=wanted), record()) as generation:
            await generation.run(lambda _: None)
            assert generation.account_id == wanted


class LeavingError(Exception):
    """Raised by who takes the events."""


async def test_leaving_early_stops_the_upstream(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("x"), Hang())

    def leave(_: Event) -> NoReturn:
        raise LeavingError

    with pytest.raises(LeavingError):
        async with house.services.generations.start(task(), record()) as generation:
            await generation.run(leave)
    assert house.poe.stopped == 1
    outcome, usage = house.store.released[0]
    assert outcome.is_success, "the account did its part"
    assert usage is not None


@pytest.mark.parametrize(("script", "code"), [([Hang()], "cancelled"), ([TextDelta("x"), Hang()], "ok")])
async def test_cancellation_cleans_up_and_goes_on(house: House, script: list[Any], code: str) -> None:
    await house.add_account()
    house.poe.enqueue(*script)
    running = asyncio.create_task(run(house))
    await house.until_asked()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert house.poe.stopped == 1
    assert house.store.released[0][0].code == code
    assert house.store.released[0][0].scope in ("request", "account")


async def test_cancellation_in_the_midst_of_booking_waits_for_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often: the lease is given back first, and what was used is booked."""
    await house.add_account()
    is_booking, may_book, release = asyncio.Event(), asyncio.Event(), house.store.release

    async def slow(*arguments: Any, **more: Any) -> None:
        is_booking.set()
        await may_book.wait()
        await release(*arguments, **more)

    monkeypatch.setattr(house.store, "release", slow)
    running = asyncio.create_task(run(house))
    await is_booking.wait()
    for _ in range(2):
        running.cancel()
        await asyncio.sleep(0)
    may_book.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    (outcome, usage) = house.store.released[0]
    assert outcome.is_success
    assert usage is not None


async def test_a_long_answer_keeps_its_lease(environment: dict[str, str]) -> None:
    house = House(Settings.from_env(environment | {"GATEWAY_LEASE_TTL_SECONDS": "2"}))
    object.__setattr__(house.services.generations.policy, "lease_ttl_seconds", 0.02)
    await house.add_account(max_concurrency=1)
    pause = Pause()
    house.poe.enqueue(TextDelta("x"), pause, Finished())
    running = asyncio.create_task(run(house))
    async with asyncio.timeout(30):
        while house.store.extended < 3:  # noqa: ASYNC110 - counts calls of a timer
            await asyncio.sleep(0.005)
    pause.event.set()
    await running
    extended = house.store.extended
    await asyncio.sleep(0.03)
    assert house.store.extended == extended, "the renewal ends with the answer"


async def test_the_next_request_finds_the_client_warm(house: House) -> None:
    await house.add_account()
    await run(house)
    await run(house)
    assert len(house.poe.clients) == 1


async def test_a_failed_connection_is_not_kept(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.CONNECTION_FAILED))
    with pytest.raises(PoeError):
        await run(house)
    assert house.poe.clients[0].is_closed
    await run(house)
    assert len(house.poe.clients) == 2


async def test_changed_session_data_is_kept_for_the_next_sandbox(house: House) -> None:
    await house.add_account()
    await run(house)
    house.poe.clients[0].derived = {"form_key": "derived"}
    await run(house)
    await run(house)
    assert house.store.kept_session_data == [None, {"form_key": "derived"}, None]
    await house.services.clients.aclose()
    await run(house)
    assert house.poe.clients[1].derived == {"form_key": "derived"}


async def test_credentials_that_can_not_be_used_are_an_accounts_failure(house: House) -> None:
    await house.add_account("a")

    def refuse(*_: Any) -> Any:
        raise ValueError("credential api_key is missing")

    house.services.clients._make = refuse
    with pytest.raises(PoeError) as caught:
        await run(house)
    assert caught.value.code is ErrorCode.NOT_AUTHENTICATED
    assert house.store.released[0][0].scope == "account"


async def test_a_store_that_fails_at_the_end_does_not_spoil_the_answer(house: House) -> None:
    await house.add_account()

    async def fail(lease: Lease, *_: Any, **__: Any) -> None:
        raise StoreUnavailableError("release", "Throttled")

    release, house.store.release = house.store.release, fail  # type: ignore[method-assign]
    assert (await run(house))[-1] == Finished()
    assert house.lines("lease.release_failed")
    house.store.release = release  # type: ignore[method-assign]
    house.store.held.clear()


async def test_an_unexpected_error_while_building_the_request_frees_the_account(house: House) -> None:
    await house.add_account()

    def build(kind: AccountKind) -> ChatRequest:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError):
        await run(house, build=build)
    outcome, usage = house.store.released[0]
    assert (outcome.code, outcome.scope) == ("cancelled", "request"), "no account is to blame"
    assert usage is None, "nothing was sent"


@pytest.mark.parametrize("code", [ErrorCode.BOT_NOT_FOUND, ErrorCode.UNSUPPORTED_FEATURE])
async def test_what_one_api_does_not_offer_the_other_may(house: House, code: ErrorCode) -> None:
    await house.add_account("a")
    await house.add_account("b", AccountKind.WEB)
    house.poe.enqueue(poe_error(code))
    house.poe.enqueue(TextDelta("fine"), Finished())
    assert await run(house) == [TextDelta("fine"), Finished()]


async def test_all_accounts_of_an_api_that_does_not_know_the_bot_are_left_out(house: House) -> None:
    for name in ("a", "b"):
        await house.add_account(name)
        house.poe.enqueue(poe_error(ErrorCode.BOT_NOT_FOUND), secret=name)
    await house.add_account("web", AccountKind.WEB)
    house.poe.enqueue(TextDelta("fine"), Finished(), secret="web")
    noted = record()
    assert await run(house, noted) == [TextDelta("fine"), Finished()]
    assert noted.attempts == 2


async def test_a_bot_is_called_unknown_by_those_who_were_asked_whoever_is_busy_meanwhile() -> None:
    house = House(Settings(store="memory", account_wait_seconds=0.0))
    await house.add_account("a")
    await house.add_account("web", AccountKind.WEB, max_concurrency=1)
    await house.store.lease(LeaseRequest(owner="other", bot=BOT, ttl_seconds=60, kinds=(AccountKind.WEB,)))
    house.poe.enqueue(poe_error(ErrorCode.BOT_NOT_FOUND), secret="a")
    with pytest.raises(PoeError) as caught:
        await run(house)
    assert caught.value.code is ErrorCode.BOT_NOT_FOUND


@pytest.mark.parametrize("first", [ErrorCode.EMPTY_ANSWER, ErrorCode.BOT_FAILED, ErrorCode.INSUFFICIENT_POINTS])
async def test_how_an_account_failed_that_has_the_bot_tells_more_than_one_without_it(
    house: House, first: ErrorCode
) -> None:
    """Else callers are told that they may not use a model, because it once did not answer."""
    await house.add_account("a")
    await house.add_account("b", AccountKind.WEB)
    house.poe.enqueue(poe_error(first), secret="a")
    house.poe.enqueue(poe_error(ErrorCode.BOT_ACCESS_DENIED), secret="b")
    with pytest.raises(PoeError) as told:
        await run(house)
    assert told.value.code is first
    assert len(house.poe.requests) == 2


async def test_a_model_that_nobody_has_is_not_called_busy_the_second_time(house: House) -> None:
    """Programs with a misspelt model were told to come back in six hours."""
    await house.add_account("a")
    await house.add_account("b", AccountKind.WEB)
    for _ in range(2):
        house.poe.enqueue(poe_error(ErrorCode.BOT_NOT_FOUND), secret="a")
    house.poe.enqueue(poe_error(ErrorCode.BOT_ACCESS_DENIED), secret="b")
    for _ in range(2):
        with pytest.raises(PoeError) as told:
            await run(house)
        assert told.value.code is ErrorCode.BOT_NOT_FOUND
    assert len(house.poe.requests) == 3


async def test_a_model_that_web_accounts_are_refused_is_not_called_busy_the_second_time(house: House) -> None:
    await house.add_account("b", AccountKind.WEB)
    house.poe.enqueue(poe_error(ErrorCode.BOT_ACCESS_DENIED))
    with pytest.raises(PoeError):
        await run(house)
    with pytest.raises(NoAccountError) as told:
        await run(house)
    assert told.value.reason is NoAccountReason.BOT_DENIED
    assert len(house.poe.requests) == 1


async def test_a_feature_that_nobody_offers_is_not_called_busy_the_second_time(house: House) -> None:
    """The web account was refused the bot by then, and is not asked again for hours."""
    await house.add_account("a")
    await house.add_account("b", AccountKind.WEB)
    for _ in range(2):
        house.poe.enqueue(poe_error(ErrorCode.UNSUPPORTED_FEATURE), secret="a")
    house.poe.enqueue(poe_error(ErrorCode.BOT_ACCESS_DENIED), secret="b")
    for _ in range(2):
        with pytest.raises(PoeError) as told:
            await run(house)
        assert told.value.code is ErrorCode.UNSUPPORTED_FEATURE
    assert len(house.poe.requests) == 3


@pytest.mark.parametrize("code", [ErrorCode.CONNECTION_FAILED, ErrorCode.CHALLENGE])
async def test_a_bot_is_not_called_unknown_because_the_other_api_can_not_be_reached(
    house: House, code: ErrorCode
) -> None:
    await house.add_account("a")
    await house.add_account("b", AccountKind.WEB)
    house.poe.enqueue(poe_error(ErrorCode.BOT_NOT_FOUND))
    house.poe.enqueue(poe_error(code))
    with pytest.raises(PoeError) as told:
        await run(house)
    assert told.value.code is code
    assert len(house.poe.requests) == 2


async def test_where_neither_api_helps_the_first_word_counts(house: House) -> None:
    await house.add_account("a")
    await house.add_account("b", AccountKind.WEB)
    house.poe.enqueue(poe_error(ErrorCode.BOT_NOT_FOUND))
    house.poe.enqueue(poe_error(ErrorCode.BOT_ACCESS_DENIED))
    with pytest.raises(PoeError) as told:
        await run(house)
    assert told.value.code is ErrorCode.BOT_NOT_FOUND
    assert house.store.most_held == 1
