"""What sends cost by the difference of two balances, and when that is not believed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import (
    AccountKind,
    InMemoryAccountStore,
    Intention,
    LeaseRequest,
    LedgerEntry,
    Outcome,
    SendRecord,
    SettledBy,
)
from refresh_points.balances import Balance, attribute, divided
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error
from tests.accounts.stand_in import SteppedClock
from tests.refresh_points.conftest import House

HOUR = 3_600.0
BEFORE, AFTER = Balance(1_000, 0.0), Balance(900, 2 * HOUR)


def send(number: int, at: float = HOUR, **fields: Any) -> LedgerEntry:
    values: dict[str, Any] = {
        "id": f"{number:014d}#o",
        "account_id": "a",
        "kind": AccountKind.WEB,
        "key_id": "k",
        "model": "m",
        "surface": "chat",
        "request_id": "r",
        "attempt": 1,
        "started_at": at,
        "ended_at": at + 10,
        "outcome": "ok",
        "estimate": 100,
    }
    return LedgerEntry(**(values | fields))


def points(settlements: Sequence[Any] | None) -> list[int | None] | None:
    return None if settlements is None else [settlement.points for settlement in settlements]


def test_one_open_send_cost_what_is_missing() -> None:
    found = attribute(BEFORE, AFTER, [send(1)])
    assert points(found) == [100] and found is not None and found[0].by is SettledBy.BALANCE


def test_what_is_known_of_others_is_taken_off() -> None:
    known = send(2, settled=30, settled_by=SettledBy.REPORTED)
    assert points(attribute(BEFORE, AFTER, [send(1), known])) == [70]
    refused = send(3, settled=0, settled_by=SettledBy.REFUSED)
    assert points(attribute(BEFORE, AFTER, [send(1), refused])) == [100]


def test_several_share_it_by_their_estimates_to_the_point() -> None:
    sends = [send(1, estimate=50), send(2, estimate=25), send(3, estimate=26)]
    assert points(attribute(BEFORE, AFTER, sends)) == [49, 25, 26]


def test_what_was_given_up_may_still_be_found() -> None:
    assert points(attribute(BEFORE, AFTER, [send(1, settled_by=SettledBy.NONE)])) == [100]


def test_a_failed_send_may_have_cost_nothing() -> None:
    failed = send(1, outcome="connection_failed")
    assert points(attribute(BEFORE, Balance(1_000, 2 * HOUR), [failed])) == [0]


@pytest.mark.parametrize(
    ("after", "sends"),
    [
        # Somebody else used the account, or points came in.
        (Balance(700, 2 * HOUR), [send(1)]),
        (Balance(1_000, 2 * HOUR), [send(1)]),
        (Balance(4_000, 2 * HOUR), [send(1)]),
        (Balance(970, 2 * HOUR), [send(1)]),
        # More was charged for known sends than is missing.
        (AFTER, [send(1), send(2, settled=300, settled_by=SettledBy.REPORTED)]),
        # A send near one of the readings may be on either side of it.
        (AFTER, [send(1), send(2, at=100.0)]),
        (AFTER, [send(1), send(2, at=-100.0)]),
        (AFTER, [send(1), send(2, at=2 * HOUR - 100)]),
        (AFTER, [send(1), send(2, at=2 * HOUR + 100)]),
        (AFTER, [send(1, ended_at=None, at=2 * HOUR - 1_000)]),
        # Nothing to compare with.
        (AFTER, [send(1, estimate=None)]),
        (AFTER, [send(1), send(2, estimate=None)]),
        # Too long, or backwards.
        (Balance(900, 4 * 86_400.0), [send(1)]),
        (Balance(900, -1.0), [send(1)]),
    ],
)
def test_what_has_another_explanation_is_not_attributed(after: Balance, sends: list[LedgerEntry]) -> None:
    assert attribute(BEFORE, after, sends) is None


@pytest.mark.parametrize(
    ("grant_at", "is_told"), [(HOUR, False), (2 * HOUR + 100, False), (-5.0, False), (3 * HOUR, True)]
)
def test_a_grant_between_the_readings_hides_the_difference(grant_at: float, is_told: bool) -> None:
    before = Balance(1_000, 0.0, grant_at)
    assert (attribute(before, AFTER, [send(1)]) is not None) is is_told


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), max_size=30))
def test_shares_are_whole_and_add_up(amount: int, weights: list[int]) -> None:
    shares = divided(amount, weights)
    assert len(shares) == len(weights) and all(share >= 0 for share in shares)
    assert sum(shares) == (amount if weights else 0)


class TestRun:
    """The job, for an account whose history can't be read."""

    @pytest.fixture
    def clock(self) -> SteppedClock:
        return SteppedClock()

    @pytest.fixture
    async def house(self, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> House:
        house = House(InMemoryAccountStore(clock=clock, rng=random.Random(3)), wall_clock=clock)

        async def no_history(_: object) -> Any:
            raise poe_error(ErrorCode.STALE_OPERATION)
            yield

        monkeypatch.setattr("tests.refresh_points.conftest.FakeClient.points_history", no_history)
        await house.add("a")
        await self.read(house, 1_000)
        return house

    async def read(self, house: House, balance: int) -> None:
        house.poe.answers["cookie-a"] = PointsReading(balance)
        page = await house.store.list_accounts()
        await house.run({"account_ids": [page.items[0].id]})

    async def send(self, house: House, clock: SteppedClock, owner: str, **usage: Any) -> str:
        intention = Intention(key_id="k", model="m", estimate=40)
        lease = await house.store.lease(LeaseRequest(owner=owner, bot="m", ttl_seconds=60, intention=intention))
        clock.advance(5)
        await house.store.release(lease, Outcome(), usage=SendRecord(**usage))
        return lease.entry_id

    async def settled(self, house: House, entry_id: str) -> tuple[int | None, str | None]:
        entry = await house.store.get_entry(entry_id)
        return entry.settled, entry.settled_by

    async def test_a_quiet_reading_settles_and_the_next_goes_on_from_it(
        self, house: House, clock: SteppedClock
    ) -> None:
        clock.advance(HOUR)
        one, two = [await self.send(house, clock, owner) for owner in ("o1", "o2")]
        known = await self.send(house, clock, "o3", points=7)
        clock.advance(HOUR)
        await self.read(house, 1_000 - 81 - 7)
        assert await self.settled(house, one) == (41, "balance")
        assert await self.settled(house, two) == (40, "balance")
        assert await self.settled(house, known) == (7, "reported")
        clock.advance(HOUR)
        three = await self.send(house, clock, "o4")
        clock.advance(HOUR)
        await self.read(house, 1_000 - 81 - 7 - 44)
        assert await self.settled(house, three) == (44, "balance")

    async def test_a_busy_account_waits_with_the_balance_it_began_with(self, house: House, clock: SteppedClock) -> None:
        clock.advance(HOUR)
        one = await self.send(house, clock, "o1")
        clock.advance(60)
        await self.read(house, 960)  # too near to the send
        assert await self.settled(house, one) == (None, None)
        intention = Intention(key_id="k", model="m", estimate=40)
        lease = await house.store.lease(LeaseRequest(owner="o2", bot="m", ttl_seconds=9_000, intention=intention))
        clock.advance(HOUR)
        await self.read(house, 920)  # a send is under way
        assert await self.settled(house, one) == (None, None)
        await house.store.release(lease, Outcome(), usage=SendRecord())
        clock.advance(HOUR)
        await self.read(house, 920)
        assert await self.settled(house, one) == (40, "balance")
        assert await self.settled(house, lease.entry_id) == (40, "balance")

    async def test_what_can_not_be_told_for_a_day_says_so(self, house: House, clock: SteppedClock) -> None:
        clock.advance(HOUR)
        one = await self.send(house, clock, "o1")
        clock.advance(HOUR)
        await self.read(house, 100)  # the owner used it as well
        assert await self.settled(house, one) == (None, None)
        clock.advance(25 * HOUR)
        await self.read(house, 100)
        assert await self.settled(house, one) == (None, "none")
