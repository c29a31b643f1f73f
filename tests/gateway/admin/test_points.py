"""What is left, how long it lasts, and whether the books agree with Poe's."""

from __future__ import annotations

import time

import pytest

from accounts import BalanceReading, SettlementState
from gateway.admin.shown import pace_of
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import House, ask

NOW = 1_000_000.0


async def test_points_are_told_with_their_age_and_use(house: House) -> None:
    account = await house.add_account()
    await house.store.record_reading(account, BalanceReading(1000, True, 3000, time.time() + 7200))
    house.poe.enqueue(TextDelta("x"), UsageReported(1, 1, points=240), Finished())
    await house.call(body=ask())
    (row,) = (await house.admin("/points")).json["data"]
    assert (row["account"], row["balance"], row["allotment"]) == (account, 1000, 3000)
    assert (row["used_today"], row["points_per_hour"]) == (240, 10.0)
    assert row["as_of"] is not None
    assert row["runs_out_at"] is None, "the next grant comes first"


async def test_an_account_that_was_never_read_is_unknown(house: House) -> None:
    await house.add_account()
    (row,) = (await house.admin("/points")).json["data"]
    assert (row["balance"], row["as_of"], row["points_per_hour"], row["runs_out_at"]) == (None, None, None, None)


@pytest.mark.parametrize(
    ("balance", "used", "grant", "told"),
    [
        (None, 100, None, (None, None)),
        (1000, 0, None, (None, None)),
        (1000, 20, None, (None, None)),
        (240, 240, None, (10.0, NOW + 24 * 3600)),
        (240, 240, NOW + 3600, (10.0, None)),
        (240, 240, NOW + 48 * 3600, (10.0, NOW + 24 * 3600)),
        (240, 240, NOW - 60, (10.0, NOW + 24 * 3600)),
        (0, 240, None, (10.0, NOW)),
    ],
)
def test_a_pace_is_told_only_where_it_means_something(
    balance: int | None, used: int, grant: float | None, told: tuple[float | None, float | None]
) -> None:
    assert pace_of(balance, used, grant, NOW) == told


async def test_the_books_are_compared_with_poes(house: House) -> None:
    account = await house.add_account()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    state = SettlementState(read_until=time.time(), elsewhere={today: 55})
    await house.store.put_settlement_state(account, state)
    (row,) = (await house.admin("/points?reconcile=1")).json["reconciled"]
    assert (row["day"], row["booked"], row["elsewhere"], row["charged"]) == (today, 0, 55, 55)


async def test_without_a_history_nothing_is_claimed(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("x"), UsageReported(1, 1, points=7), Finished())
    await house.call(body=ask())
    (row,) = (await house.admin("/points?reconcile=1")).json["reconciled"]
    assert (row["elsewhere"], row["charged"]) == (None, None)
