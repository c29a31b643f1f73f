"""Every answer says what it cost: Poe's figure, an estimate that is marked as one, or null."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts import AccountKind, BalanceReading
from reverse.errors import Delivery, ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import Answer, House

QUESTION = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
PRICED, UNPRICED = "Priced-Bot", "Unlisted-Bot"
MODELS = {"updated_at": 1, "created": 1, "models": [{"id": PRICED, "pricing": {"request": "0.0039"}}]}


def of_events(answer: Answer) -> dict[str, Any]:
    """The last usage object of a stream."""
    found = None
    for line in answer.body.decode().splitlines():
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            found = event.get("usage") or (event.get("response") or {}).get("usage") or found
    assert found is not None
    return found


def of_body(answer: Answer) -> dict[str, Any]:
    return answer.json["usage"]


SURFACES: dict[str, tuple[str, dict[str, Any], Callable[[Answer], dict[str, Any]]]] = {
    "chat": ("/v1/chat/completions", QUESTION, of_body),
    "chat, streamed": (
        "/v1/chat/completions",
        QUESTION | {"stream": True, "stream_options": {"include_usage": True}},
        of_events,
    ),
    "completions": ("/v1/completions", {"prompt": "Hi"}, of_body),
    "completions, streamed": (
        "/v1/completions",
        {"prompt": "Hi", "stream": True, "stream_options": {"include_usage": True}},
        of_events,
    ),
    "responses": ("/v1/responses", {"input": "Hi"}, of_body),
    "responses, streamed": ("/v1/responses", {"input": "Hi", "stream": True}, of_events),
    "messages": ("/v1/messages", QUESTION, of_body),
    "messages, streamed": ("/v1/messages", QUESTION | {"stream": True}, of_events),
}


async def ask(house: House, surface: str, **more: Any) -> dict[str, Any]:
    path, body, read = SURFACES[surface]
    answer = await house.call(path, {"model": UNPRICED} | body | more)
    assert answer.status == 200, answer.body
    usage = read(answer)
    return {name: usage[name] for name in ("points", "points_estimated")}


async def add_priced(house: House) -> None:
    """An account that tells what its points are worth, and a model with a price in dollars."""
    account = await house.add_account()
    await house.store.record_reading(account, BalanceReading(50_000, usd_per_point=0.00003))
    await house.store.put_config("models", MODELS)


@pytest.mark.parametrize("surface", SURFACES)
async def test_poes_own_figure_is_shown_as_it_is(house: House, surface: str) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.enqueue(TextDelta("Hello"), UsageReported(points=42), Finished())
    assert await ask(house, surface) == {"points": 42, "points_estimated": False}


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_cost_that_nobody_knows_is_null(house: House, surface: str) -> None:
    await house.add_account()
    assert await ask(house, surface) == {"points": None, "points_estimated": False}


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_estimate_is_marked_as_one_and_is_what_the_ledger_has(house: House, surface: str) -> None:
    await add_priced(house)
    assert await ask(house, surface, model=PRICED) == {"points": 130, "points_estimated": True}
    [lease] = house.store.leases
    entry = await house.store.get_entry(lease.entry_id)
    assert entry is not None and (entry.estimate, entry.reported, entry.points) == (130, None, 130)


async def test_a_try_that_may_have_cost_something_counts(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.enqueue(poe_error(ErrorCode.CONNECTION_FAILED, delivery=Delivery.NOT_SENT))
    house.poe.enqueue(poe_error(ErrorCode.UPSTREAM_FAILED, delivery=Delivery.REFUSED))
    house.poe.enqueue(TextDelta("Hello"), UsageReported(points=42), Finished())
    # What was not sent, and what was refused, is free: the cost is known.
    assert await ask(house, "chat") == {"points": 42, "points_estimated": False}


async def test_several_answers_of_which_one_is_unknown_are_unknown_together(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB, max_concurrency=1)
    house.poe.enqueue(TextDelta("Hello"), UsageReported(points=42), Finished())
    house.poe.enqueue(TextDelta("Hello"), Finished())
    assert await ask(house, "chat", n=2) == {"points": None, "points_estimated": False}


async def test_the_log_of_requests_says_what_the_answer_said(house: House) -> None:
    await add_priced(house)
    shown = await ask(house, "chat", model=PRICED)
    headers = {"authorization": f"Bearer {house.settings.admin_key}"}
    [request] = (await house.call("/admin/requests", headers=headers, key=None)).json["data"]
    assert {name: request[name] for name in shown} == shown
