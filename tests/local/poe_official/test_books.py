"""What answers cost, when the history tells, and that the control API always tells it exactly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.bots import echo
from local.poe_official.charges import Consumed, points_for
from local.poe_official.faults import CutSocket, DropConnection, ErrorEvent, NoPoints, PointsRunOut
from local.poe_official.model import Model, prices

KEY = "simulated-key"


class Clock:
    """Epoch seconds that only tests move."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def simulator(clock: Clock) -> AsyncIterator[PoeOfficialSimulator]:
    async with PoeOfficialSimulator(pace_seconds=0, clock=clock) as running:
        running.add_account(KEY, 10_000, key_name="gateway")
        yield running


async def chat(http: httpx.AsyncClient, model: str, text: str = "hi", **fields: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    return await http.post("/v1/chat/completions", json=body)


async def charged(http: httpx.AsyncClient) -> list[int]:
    found = (await http.get("/_sim/charges", params={"api_key": KEY})).json()
    return [entry["points"] for entry in found]


async def history(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get("/usage/points_history", params=query)).json()["data"]
    return found


@pytest.mark.parametrize(
    ("pricing", "consumed", "points"),
    [
        (prices(request="0.00060"), Consumed(5, 5), 20),
        (prices(request="0.00"), Consumed(5, 5), 0),
        (prices(request="0.0023"), Consumed(), 77),
        (prices(prompt="0.000003", completion="0.000015"), Consumed(10, 4), 3),
        (prices(prompt="0.000003", completion="0.000015"), Consumed(0, 0), 0),
        (prices(prompt="0.00003", completion="0", input_cache_read="0.000003"), Consumed(100, 0, cached=50), 55),
        (None, Consumed(9, 9), 7),
    ],
)
def test_points_are_dollars_at_one_rate(pricing: Any, consumed: Consumed, points: int) -> None:
    assert points_for(Model("X", echo, cost=7, pricing=pricing), consumed) == points


async def test_an_entry_is_listed_late_and_its_cost_later_still(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator, clock: Clock
) -> None:
    simulator.world.listing_seconds, simulator.world.settle_seconds = 5.0, 10.0
    await chat(http, "Story")
    assert simulator.account(KEY).left == 9_980
    assert await history(http) == [] and await charged(http) == [20]
    clock.now += 5
    assert [entry["cost_points"] for entry in await history(http)] == [0]
    clock.now += 10
    (entry,) = await history(http)
    assert (entry["cost_points"], entry["cost_usd"], entry["api_key_name"]) == (20, "0.000600", "gateway")
    assert entry["creation_time"] == int((clock.now - 15) * 1_000_000)


async def test_the_breakdown_names_points_and_tokens(http: httpx.AsyncClient, clock: Clock) -> None:
    await chat(http, "GPT-4o", "count 500")
    clock.now += 1
    shown = (await history(http))[0]["cost_breakdown_in_points"]
    assert shown["Output"] == "217 points (500 tokens)"
    assert shown["Total"] == f"{(await charged(http))[0]} points"


async def test_entries_of_one_moment_page_in_order(http: httpx.AsyncClient, clock: Clock) -> None:
    for _ in range(5):
        await chat(http, "Echo")
    clock.now += 1
    first = await history(http, limit=2)
    second = await history(http, limit=3, starting_after=first[-1]["query_id"])
    booked = (await http.get("/_sim/charges", params={"api_key": KEY})).json()
    ids = [entry["query_id"] for entry in (*first, *second)]
    assert ids == [entry["query_id"] for entry in reversed(booked)]
    assert len({entry["creation_time"] for entry in (*first, *second)}) == 1


async def test_other_programs_spend_on_the_same_account(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator, clock: Clock
) -> None:
    given = {"api_key": "other-key", "account": KEY, "name": "notebook"}
    assert (await http.post("/_sim/keys", json=given)).status_code == 200
    await http.post(
        "/v1/chat/completions",
        json={"model": "Echo", "messages": [{"role": "user", "content": "x"}]},
        headers={"authorization": "Bearer other-key"},
    )
    spent = {"api_key": KEY, "bot": "Assistant", "points": 30}
    assert (await http.post("/_sim/charges", json=spent)).status_code == 200
    assert (await http.post("/_sim/charges", json={"api_key": "unknown"})).status_code == 400
    clock.now += 1
    shown = [(entry["usage_type"], entry["api_key_name"], entry["cost_points"]) for entry in await history(http)]
    assert shown == [("Chat", None, 30), ("API", "notebook", 1)]
    assert simulator.account(KEY).left == 10_000 - 31


@pytest.mark.parametrize(
    ("fault", "points"),
    [
        (CutSocket(3), [20]),
        (ErrorEvent(3), []),
        (DropConnection(), []),
        (DropConnection(charged=True), [20]),
        (PointsRunOut(3), [10_000]),
        (NoPoints(), [10_000]),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_fault_costs_is_in_the_books(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator, fault: Any, points: list[int], stream: bool
) -> None:
    simulator.enqueue(Scenario(fault))
    try:
        await chat(http, "Story", stream=stream)
    except httpx.TransportError:
        pass
    in_stream = isinstance(fault, CutSocket | ErrorEvent | PointsRunOut)
    assert await charged(http) == ([20] if in_stream and not stream else points)
    account = simulator.account(KEY)
    assert account.left + account.spent == 10_000


async def test_an_answer_that_nobody_waits_for_is_charged_by_what_was_made(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator
) -> None:
    simulator.settings.pace_seconds = 0.005
    body = {"model": "GPT-4o", "messages": [{"role": "user", "content": "count 5000"}], "stream": True}
    async with http.stream("POST", "/v1/chat/completions", json=body) as reply:
        async for _ in reply.aiter_bytes():
            break
    for _ in range(1000):
        if simulator.requests[-1].ended:
            break
        await asyncio.sleep(0.01)
    (points,) = await charged(http)
    whole = points_for(simulator.models["gpt-4o"], Consumed(5, 5000))
    assert 0 < points < whole


async def test_the_limit_per_minute_says_when_to_come_back(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator, clock: Clock
) -> None:
    simulator.settings.requests_per_minute = 2
    statuses = [(await chat(http, "Echo")).status_code for _ in range(2)]
    clock.now += 20
    refused = await chat(http, "Echo")
    assert (statuses, refused.status_code, refused.headers["retry-after"]) == ([200, 200], 429, "40")
    assert refused.json()["error"].keys() == {"message", "type"}
    clock.now += 40
    assert (await chat(http, "Echo")).status_code == 200


async def test_the_delays_are_settings(http: httpx.AsyncClient, simulator: PoeOfficialSimulator) -> None:
    wanted = {"settle_seconds": 3, "listing_seconds": 2.5, "requests_per_minute": 7, "compresses": False}
    changed = (await http.patch("/_sim/settings", json=wanted)).json()
    assert {name: changed[name] for name in wanted} == wanted
    assert simulator.world.settle_seconds == 3.0
