"""Models, points, history."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import HttpError, WrongJson
from local.poe_official.world import Expense
from reverse.chat import ChatRequest, Message, PointsReading
from reverse.errors import ErrorCode, PoeError
from reverse.official import PoeOfficialClient
from reverse.official.catalogue import ModelInfo, parse_models
from reverse.official.points import parse_balance, parse_history

pytestmark = pytest.mark.virtual_time

KEY = "test-key-0123456789abcdef"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


async def test_the_list_is_read_with_all_its_oddities(client: PoeOfficialClient) -> None:
    models = {model.id: model for model in await client.models()}
    assert len(models) == 362
    gpt = models["gpt-4o"]
    assert gpt.created_at is not None and 1.6e9 < gpt.created_at < 2e9
    assert gpt.prices is not None and gpt.prices.prompt == Decimal("0.0000016")
    assert (gpt.display_name, gpt.context_length, gpt.supports_tools) == ("GPT-4o", 128_000, True)
    assert models["bare"] == ModelInfo("bare", display_name="bare")
    assert models["painter"].makes_media and not models["echo"].makes_media
    assert [parameter.name for parameter in models["strict"].parameters] == ["aspect", "quality"]
    reasoning = models["claude-sonnet-4.5"].reasoning
    assert reasoning is not None and (reasoning.required, reasoning.effort, reasoning.budget) == (False, False, True)


async def test_the_list_needs_no_key(simulator: PoeOfficialSimulator, client: PoeOfficialClient) -> None:
    simulator.account(KEY).revoked = True
    assert await client.models()


@pytest.mark.parametrize("documented", [True, False])
async def test_points_are_read_in_both_shapes(
    simulator: PoeOfficialSimulator, client: PoeOfficialClient, documented: bool
) -> None:
    grant = time.time() + 3600
    simulator.add_account(KEY, 1200, addon_points=300, next_daily_grant_at=grant, documented_balance=documented)
    reading = await client.points()
    assert reading.balance == 1500
    if documented:
        assert reading == PointsReading(1500)
    else:
        assert (reading.allotment, reading.subscribed) == (3000, None)
        assert reading.next_grant_at == pytest.approx(grant, abs=1)


def test_the_next_grant_is_the_earlier_one_and_zero_is_never() -> None:
    body = {
        "plan_points_balance": 5,
        "addon_point_balance": 2,
        "next_daily_grant_time": 0,
        "next_daily_grant_amount": 0,
        "next_monthly_grant_time": 1_795_000_000_000_000,
        "next_monthly_grant_amount": 1_000_000,
    }
    expected = PointsReading(7, subscribed=True, allotment=1_000_000, next_grant_at=1_795_000_000, addon=2)
    assert parse_balance(body) == expected


def test_what_the_upstream_does_not_say_stays_unknown() -> None:
    assert parse_balance({}) == PointsReading(None)


@pytest.mark.parametrize(
    ("body", "rate"),
    [
        ({"current_point_balance": 10_000, "total_balance_usd": "0.300000"}, 0.00003),
        (
            {
                "plan_points_balance": 1_000_000,
                "addon_point_balance": 500_000,
                "plan_balance_usd": "20.00",
                "addon_balance_usd": "15",
            },
            35 / 1_500_000,
        ),
        ({"current_point_balance": 1_500}, None),
        ({"current_point_balance": 1_500, "plan_balance_usd": "0.04"}, None),
        # Two decimals say nothing of a small balance.
        ({"current_point_balance": 500, "total_balance_usd": "0.02"}, None),
        ({"current_point_balance": 0, "total_balance_usd": "0.00"}, None),
        ({"current_point_balance": -5, "total_balance_usd": "0.30"}, None),
        ({"current_point_balance": 10, "total_balance_usd": "30.00"}, None),
        ({"current_point_balance": 10_000, "total_balance_usd": "NaN"}, None),
        ({"current_point_balance": 10_000, "total_balance_usd": "9" * 5_000}, None),
        ({"current_point_balance": 10_000, "total_balance_usd": ["0.3"]}, None),
        ({"total_balance_usd": "0.3000"}, None),
    ],
)
def test_a_balance_in_dollars_says_what_a_point_is_worth(body: dict[str, object], rate: float | None) -> None:
    assert parse_balance(body).usd_per_point == (None if rate is None else pytest.approx(rate))


async def test_a_wrong_balance_is_unknown_and_a_broken_one_an_error(
    simulator: PoeOfficialSimulator, client: PoeOfficialClient
) -> None:
    simulator.enqueue(Scenario(WrongJson()), Scenario(WrongJson("<html>")))
    assert (await client.points()).balance is None
    with pytest.raises(PoeError) as caught:
        await client.points()
    assert caught.value.code is ErrorCode.PROTOCOL


async def test_an_endpoint_that_is_gone_is_no_missing_bot(
    simulator: PoeOfficialSimulator, client: PoeOfficialClient
) -> None:
    simulator.enqueue(Scenario(HttpError(404, "not_found_error", 404), times=2))
    for read in (client.points, client.models):
        with pytest.raises(PoeError) as caught:
            await read()
        assert (caught.value.code, caught.value.status) == (ErrorCode.PROTOCOL, 404)


async def test_an_expired_key_is_the_accounts_fault(simulator: PoeOfficialSimulator, client: PoeOfficialClient) -> None:
    simulator.account(KEY).revoked = True
    with pytest.raises(PoeError) as caught:
        await client.points()
    assert caught.value.code is ErrorCode.NOT_AUTHENTICATED


async def test_the_cost_of_an_answer_lands_late_in_the_history(
    simulator: PoeOfficialSimulator, client: PoeOfficialClient
) -> None:
    async for _ in client.stream(ChatRequest("Painter", [Message("user", "x")])):
        pass
    first = [entry async for entry in client.points_history()]
    assert [(entry.bot, entry.points, entry.usage_type) for entry in first] == [("Painter", 0, "API")]
    async with asyncio.timeout(30):
        while first[0].points == 0:
            await asyncio.sleep(0.02)
            first = [entry async for entry in client.points_history()]
    assert first[0].points == 300


async def test_history_is_paged_to_its_end(simulator: PoeOfficialSimulator, client: PoeOfficialClient) -> None:
    simulator.account(KEY).history += [Expense(f"q{n}", time.time(), "Echo", 1, settled_at=0.0) for n in range(251)]
    entries = [entry async for entry in client.points_history()]
    assert len(entries) == 251 and len({entry.query_id for entry in entries}) == 251
    assert entries[0].query_id == "q250"
    assert len(simulator.requests) == 3
    assert entries[0].spent_at == pytest.approx(time.time(), abs=60)
    assert len([entry async for entry in client.points_history(max_entries=120)]) == 120


async def test_a_history_that_repeats_itself_ends(simulator: PoeOfficialSimulator, client: PoeOfficialClient) -> None:
    page = WrongJson('{"has_more": true, "data": [{"query_id": "same", "cost_points": "7"}]}')
    simulator.enqueue(Scenario(page, times=50))
    entries = [entry async for entry in client.points_history()]
    assert [entry.points for entry in entries] == [7, 7]


@given(JSON)
def test_any_json_is_read_without_an_exception(value: object) -> None:
    body = {"data": [value, {"id": "x", "architecture": value, "pricing": value, "created": value}], "has_more": value}
    assert len(parse_models(body)) >= 1
    parse_history({"data": [value, {"query_id": value, "creation_time": value, "cost_points": value}]})
    parse_balance({"current_point_balance": value, "next_daily_grant_time": value})
    parse_balance({"current_point_balance": 1_000, "total_balance_usd": value})
