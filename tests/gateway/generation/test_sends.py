"""What the plan of sends makes of whole requests: how often Poe is asked, what is booked, what callers are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from accounts import AccountKind, AccountState, NoAccountError, NoAccountReason
from gateway.generation.rules import Change
from gateway.settings import Settings
from reverse.chat import ChatRequest
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import ChatStarted, Event, Finished, TextDelta, UsageReported
from tests.gateway.generation.test_generation import record, run, task
from tests.gateway.scripted import Hang, House, ask

UNKNOWN = [ErrorCode.CONNECTION_FAILED, ErrorCode.TIMEOUT, ErrorCode.UPSTREAM_FAILED, ErrorCode.PROTOCOL]


@pytest.mark.parametrize("code", UNKNOWN)
async def test_what_may_have_been_delivered_is_not_sent_again(house: House, code: ErrorCode) -> None:
    for secret, kind in ("a", AccountKind.OFFICIAL), ("b", AccountKind.OFFICIAL), ("w", AccountKind.WEB):
        await house.add_account(secret, kind)
    house.poe.enqueue(poe_error(code))
    with pytest.raises(PoeError) as caught:
        await run(house)
    assert caught.value.code is code
    assert len(house.poe.requests) == 1


@pytest.mark.parametrize("accounts", [1, 2])
@pytest.mark.parametrize("code", [ErrorCode.CONNECTION_FAILED, ErrorCode.TIMEOUT])
async def test_what_was_never_sent_is_sent_elsewhere_or_by_the_only_account(
    house: House, code: ErrorCode, accounts: int
) -> None:
    for number in range(accounts):
        await house.add_account(f"key-{number}")
    house.poe.enqueue(poe_error(code, delivery=Delivery.NOT_SENT))
    noted = record()
    assert (await run(house, noted))[-1] == Finished()
    assert noted.attempts == len(house.poe.requests) == 2
    assert len({client.credentials["api_key"] for client in house.poe.clients}) == accounts
    assert house.store.most_held == 1


@pytest.mark.parametrize("accounts", [1, 2, 3])
@pytest.mark.parametrize("script", [[Finished()], [poe_error(ErrorCode.BOT_FAILED)]], ids=["empty", "failed"])
async def test_an_empty_answer_is_asked_for_once_more(house: House, accounts: int, script: list[Any]) -> None:
    for number in range(accounts):
        await house.add_account(f"key-{number}")
    house.poe.enqueue(*script)
    assert (await run(house))[-1] == Finished()
    for _ in range(3):
        house.poe.enqueue(*script)
    with pytest.raises(PoeError):
        await run(house)
    assert len(house.poe.requests) == 4


async def test_a_stale_form_key_is_the_same_again(house: House) -> None:
    await house.add_account("w", AccountKind.WEB)
    house.poe.enqueue(poe_error(ErrorCode.STALE_FORM_KEY))
    assert (await run(house))[-1] == Finished()
    assert house.poe.requests[0] == house.poe.requests[1]


async def test_a_short_limit_of_the_only_account_is_waited_for(house: House) -> None:
    await house.add_account("a")
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=0.05))
    assert (await run(house))[-1] == Finished()
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=60))
    with pytest.raises(PoeError) as caught:
        await run(house)
    assert caught.value.retry_after_seconds == 60


async def test_the_bot_protocol_is_one_of_the_sends(house: House) -> None:
    await house.add_account("a")
    unknown = poe_error(ErrorCode.BOT_NOT_FOUND)
    unknown.may_be_bot_only = True
    house.poe.enqueue(unknown)
    noted = record()
    assert (await run(house, noted))[-1] == Finished()
    assert [request.in_bot_protocol for request in house.poe.requests] == [False, True]
    assert noted.attempts == 2


@pytest.mark.parametrize("most", [1, 2, 3, 5])
@pytest.mark.parametrize("stream", [True, False])
async def test_all_reasons_together_stay_within_the_budget(
    environment: dict[str, str], most: int, stream: bool
) -> None:
    """A refused option, a busy account, a format in words, an answer that does not fit, and more of the like."""
    house = House(Settings.from_env(environment | {"GATEWAY_MAX_ATTEMPTS": str(most)}))
    await house.add_key()
    for secret in "abc":
        await house.add_account(secret)
    house.poe.enqueue(poe_error(ErrorCode.INVALID_REQUEST, param="reasoning_effort"))
    house.poe.enqueue(poe_error(ErrorCode.UNSUPPORTED_FEATURE, param="response_format"))
    house.poe.enqueue(TextDelta("no JSON"), UsageReported(points=20), Finished())
    for _ in range(9):
        house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED))
    body = ask(reasoning_effort="high", response_format={"type": "json_object"}, stream=stream)
    answer = await house.call(body=body)
    assert answer.status != 200
    assert len(house.poe.requests) == most
    assert house.lines("request.ended")[-1]["attempts"] == most
    assert house.store.most_held == 1
    assert not house.store.held


@pytest.mark.parametrize("stream", [True, False])
async def test_what_failed_sends_cost_is_booked_and_shown(house: House, stream: bool) -> None:
    await house.add_account("w", AccountKind.WEB)
    house.poe.enqueue(ChatStarted(1), UsageReported(points=20), poe_error(ErrorCode.EMPTY_ANSWER))
    house.poe.enqueue(ChatStarted(2), TextDelta("Hi"), UsageReported(points=20), Finished())
    answer = await house.call(body=ask(stream=stream, stream_options={"include_usage": True} if stream else None))
    usage = answer.chunks[-1]["usage"] if stream else answer.json["usage"]
    assert usage["points"] == 40
    assert [booked.points for _, booked in house.store.released if booked is not None] == [20, 20]


async def test_what_a_request_that_failed_in_the_end_cost_is_booked(house: House) -> None:
    await house.add_account("a")
    for _ in range(2):
        house.poe.enqueue(UsageReported(points=20), Finished())
    with pytest.raises(PoeError):
        await run(house)
    booked = [usage for _, usage in house.store.released if usage is not None]
    assert [usage.points for usage in booked] == [20, 20]


async def test_an_answer_collected_whole_that_breaks_off_is_not_paid_again(house: House) -> None:
    for secret in "ab":
        await house.add_account(secret)
    house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.BOT_FAILED))
    answer = await house.call(body=ask())
    assert answer.status == 502
    assert len(house.poe.requests) == 1


async def test_an_answer_held_back_that_breaks_off_is_not_paid_again(house: House) -> None:
    """Nothing of it was shown, but Poe has made half of it."""
    for secret in "ab":
        await house.add_account(secret)
    house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.BOT_FAILED))
    answer = await house.call(body=ask(response_format={"type": "json_object"}))
    assert answer.status == 502
    assert len(house.poe.requests) == 1


async def test_an_answer_without_its_end_is_not_taken_for_an_empty_one(house: House) -> None:
    await house.add_account("w", AccountKind.WEB)
    house.poe.enqueue(ChatStarted(1), TextDelta('{"a"'))
    answer = await house.call(body=ask(response_format={"type": "json_object"}))
    assert answer.status == 502
    assert len(house.poe.requests) == 1


class CountingQuestion:
    """Asks as scripted, and remembers the changes that were wanted."""

    def __init__(self) -> None:
        self.asked: list[Change | None] = []

    def ask(self, client: Any, lease: Any, change: Change | None) -> Any:
        self.asked.append(change)
        return client.stream(ChatRequest("GPT-5", ()))

    def changes(self, error: PoeError) -> frozenset[Change]:
        return frozenset(Change)


async def test_the_lease_belongs_to_the_send_and_not_to_the_callers_request_id(house: House) -> None:
    """Two requests may carry the same id, and one of them must not free the other's slot."""
    await house.add_account("a", max_concurrency=2)
    house.poe.enqueue(poe_error(ErrorCode.STALE_FORM_KEY))
    owners: list[str] = []
    lease = house.store.lease

    async def noting(request: Any) -> Any:
        owners.append(request.owner)
        return await lease(request)

    house.store.lease = noting  # type: ignore[method-assign]
    await house.call(body=ask(), headers={"x-request-id": "req_same"})
    await house.call(body=ask(), headers={"x-request-id": "req_same"})
    assert len(owners) == len(set(owners)) == 3
    assert not any("req_same" in owner for owner in owners)
    assert all(len(owner) == 32 for owner in owners)
    assert {line["request_id"] for line in house.lines("request.ended")} == {"req_same"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", ask()),
        ("/v1/chat/completions", ask(n=2)),
        ("/v1/completions", {"model": "GPT-5", "prompt": "Hi"}),
        ("/v1/responses", {"model": "GPT-5", "input": "Hi"}),
        ("/v1/messages", {"model": "GPT-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}),
    ],
    ids=["chat", "choices", "completions", "responses", "messages"],
)
async def test_a_defect_in_mid_stream_is_logged_on_every_surface(house: House, path: str, body: Any) -> None:
    await house.add_account(max_concurrency=4)
    for _ in range(2):
        house.poe.enqueue(TextDelta("Hel"), RuntimeError("a secret of the defect"))
    answer = await house.call(path, body | {"stream": True})
    assert answer.status == 200
    assert "internal_error" in answer.body.decode() or "server_error" in answer.body.decode()
    (line,) = house.lines("request.crashed")
    assert line["error_type"] == "RuntimeError"
    assert line["frames"]
    assert "secret" not in house.log.getvalue()


@pytest.mark.parametrize(
    "accounts",
    [
        ["official"],
        ["web"],
        ["official", "official"],
        ["web", "web"],
        ["official", "web"],
        ["official", "busy web"],
        ["official", "depleted web"],
        ["official", "limited web"],
        ["official", "disabled web"],
        ["official", "denied web"],
        ["denied web", "official"],
    ],
    ids="+".join,
)
async def test_an_unknown_model_is_a_404_whatever_the_accounts(accounts: list[str]) -> None:
    house = House(Settings(store="memory", account_wait_seconds=0.0))
    await house.add_key()
    for number, what in enumerate(accounts):
        kind = AccountKind.WEB if "web" in what else AccountKind.OFFICIAL
        secret = f"{what}-{number}"
        account = await house.add_account(secret, kind, max_concurrency=1)
        failure = poe_error(ErrorCode.BOT_NOT_FOUND)
        match what.split()[0]:
            case "busy":
                house.poe.enqueue(TextDelta("x"), Hang(), secret=secret)
                busy = asyncio.create_task(run(house, kinds=(AccountKind.WEB,)))
                await house.until_asked()
            case "disabled":
                await house.store.set_account_state(account, AccountState.DISABLED)
            case "depleted":
                failure = poe_error(ErrorCode.INSUFFICIENT_POINTS)
            case "limited":
                failure = poe_error(ErrorCode.RATE_LIMITED)
            case "denied":
                failure = poe_error(ErrorCode.BOT_ACCESS_DENIED)
        for _ in range(3):
            house.poe.enqueue(failure, secret=secret)
    for _ in range(2):
        answer = await house.call(body=ask())
        assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    if any(what.startswith("busy") for what in accounts):
        busy.cancel()
        await asyncio.wait({busy})
    await house.services.aclose()


async def test_accounts_are_called_busy_only_when_their_slots_are_taken(house: House) -> None:
    await house.add_account("a")
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=30))
    first = await house.call(body=ask())
    second = await house.call(body=ask())
    for answer in (first, second):
        assert (answer.status, answer.error["code"]) == (429, "accounts_waiting")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "Try again after" in second.error["message"]
    assert len(house.poe.requests) == 1


@pytest.mark.parametrize("others", [[], [AccountKind.WEB], [AccountKind.OFFICIAL]])
async def test_accounts_that_wait_for_points_are_never_called_busy(house: House, others: list[AccountKind]) -> None:
    await house.add_account("a")
    for number, kind in enumerate(others):
        await house.add_account(f"other-{number}", kind)
        house.poe.enqueue(poe_error(ErrorCode.BOT_ACCESS_DENIED), secret=f"other-{number}")
    for _ in range(4):
        house.poe.enqueue(poe_error(ErrorCode.INSUFFICIENT_POINTS), secret="a")
    for _ in range(4):
        answer = await house.call(body=ask())
        assert answer.status in (403, 429), answer.body
        assert answer.error["code"] in ("insufficient_quota", "accounts_waiting", "model_not_allowed")
    assert sum(len(script) for script in house.poe.by_account["a"]) >= 2, "it is not asked again and again"


async def test_a_limit_without_a_time_is_told_with_the_time_that_the_account_waits(house: House) -> None:
    await house.add_account("a")
    house.poe.enqueue(poe_error(ErrorCode.RATE_LIMITED))
    answer = await house.call(body=ask())
    assert (answer.status, answer.error["code"]) == (429, "accounts_waiting")
    assert "Try again after" in answer.error["message"]
    assert int(answer.headers["retry-after"]) > 5


async def test_a_generation_asks_its_question_with_the_changes_of_the_plan(house: House) -> None:
    await house.add_account("a")
    question = CountingQuestion()
    house.poe.enqueue(poe_error(ErrorCode.UNSUPPORTED_FEATURE))
    house.poe.enqueue(poe_error(ErrorCode.CHAT_NOT_FOUND))
    events: list[Event] = []
    async with house.services.generations.start(task(build=None, question=question), record()) as generation:
        await generation.run(events.append)
    assert events[-1] == Finished()
    assert question.asked == [None, Change.WITHOUT_OPTION, Change.NEW_CHAT]


async def test_without_any_account_nothing_is_sent(house: House) -> None:
    with pytest.raises(NoAccountError) as caught:
        await run(house)
    assert caught.value.reason is NoAccountReason.NONE_CONFIGURED
    assert not house.poe.requests
