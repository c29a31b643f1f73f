"""What the job learns for the estimates of later sends."""

from __future__ import annotations

import random
from typing import Any

import pytest

from accounts import AccountKind, InMemoryAccountStore, Intention, LeaseRequest, Outcome, SendRecord
from pool.config_names import ESTIMATES
from refresh_points.estimates import MAX_MODELS, SAMPLES, merged
from reverse.chat import PointsReading, PointsSpent
from tests.accounts.stand_in import SteppedClock
from tests.refresh_points.conftest import House


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def house(clock: SteppedClock) -> House:
    return House(InMemoryAccountStore(clock=clock, rng=random.Random(3)), wall_clock=clock)


async def send(house: House, clock: SteppedClock, number: int, kind: AccountKind, **usage: object) -> float:
    intention = Intention(key_id="k1", model="gpt-5")
    lease = await house.store.lease(
        LeaseRequest(owner=f"o{number}", bot="gpt-5", ttl_seconds=60, intention=intention, kinds=(kind,))
    )
    clock.advance(3)
    await house.store.release(lease, Outcome(), usage=SendRecord(**usage))  # type: ignore[arg-type]
    return lease.started_at


async def learned(house: House) -> dict[str, Any]:
    return await house.store.get_config(ESTIMATES) or {}


async def test_reported_costs_and_settled_ones_become_the_models_median(house: House, clock: SteppedClock) -> None:
    await house.add("web")
    official = await house.store.put_account(
        kind=AccountKind.OFFICIAL, label="official", credentials={"api_key": "official"}
    )
    for number, points in enumerate((10, 30, 14)):
        await send(house, clock, number, AccountKind.WEB, points=points)
    started = await send(house, clock, 9, AccountKind.OFFICIAL)
    house.poe.history["official"] = [PointsSpent("q1", started + 1, "GPT-5", 15)]
    clock.advance(1_800)
    await house.run({"account_ids": [official.id]})
    costs = (await learned(house))["costs"]
    assert costs["gpt-5"]["points"] == 15  # of 10, 14, 15, 30
    await house.run({"account_ids": [official.id]})
    assert (await learned(house))["costs"] == costs


async def test_the_rate_is_the_median_of_what_balances_say(house: House) -> None:
    for name, rate in {"a": 0.00002, "b": 0.00003, "c": None}.items():
        await house.add(name)
        house.poe.answers[f"cookie-{name}"] = PointsReading(5_000, usd_per_point=rate)
    await house.run()
    assert (await learned(house))["usd_per_point"] == pytest.approx(0.000025)
    # A run that reads nothing leaves it.
    await house.run()
    assert (await learned(house))["usd_per_point"] == pytest.approx(0.000025)


def test_the_document_is_bounded_and_keeps_the_newest() -> None:
    costs = merged({}, [("m", at, at) for at in range(100)])
    assert [at for at, _ in costs["m"]["samples"]] == list(range(100 - SAMPLES, 100))
    many = merged(costs, [(f"m{number}", 1_000 + number, 1) for number in range(MAX_MODELS)])
    assert len(many) == MAX_MODELS and "m" not in many
    assert merged(many, []) == many


def test_half_a_point_is_rounded_up() -> None:
    assert merged({}, [("m", 1, 2), ("m", 2, 3)])["m"]["points"] == 3
