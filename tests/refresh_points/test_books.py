"""What a run does for the books: lost sends, settlement, sums, reservations."""

from __future__ import annotations

import random

import pytest

from accounts import (
    DEFAULT_POLICY,
    InMemoryAccountStore,
    Intention,
    Lease,
    LeaseRequest,
    Outcome,
    Reservation,
    Selection,
    SendRecord,
    StoreUnavailableError,
)
from reverse.chat import PointsSpent
from reverse.errors import ErrorCode, poe_error
from tests.accounts.stand_in import SteppedClock
from tests.refresh_points.conftest import House

HOUR = 3_600


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def house(clock: SteppedClock) -> House:
    return House(InMemoryAccountStore(clock=clock, rng=random.Random(3)), wall_clock=clock)


async def take(house: House, owner: str, **intention: object) -> Lease:
    values = {"key_id": "k1", "model": "gpt-5", "estimate": 10} | intention
    wanted = Intention(**values)  # type: ignore[arg-type]
    return await house.store.lease(LeaseRequest(owner=owner, bot="gpt-5", ttl_seconds=60, intention=wanted))


async def send(house: House, owner: str, clock: SteppedClock, **usage: object) -> Lease:
    lease = await take(house, owner)
    clock.advance(3)
    await house.store.release(lease, Outcome(), usage=SendRecord(**usage))  # type: ignore[arg-type]
    return lease


def spent(number: int, at: float, points: int, bot: str = "GPT-5") -> PointsSpent:
    return PointsSpent(query_id=f"q{number}", spent_at=at, bot=bot, points=points)


async def test_a_reading_settles_what_the_history_shows_and_repeating_it_changes_nothing(
    house: House, clock: SteppedClock
) -> None:
    await house.add("a")
    leases = [await send(house, f"o{number}", clock) for number in range(3)]
    house.poe.history["cookie-a"] = [
        spent(number, lease.started_at + 1, 20 + number) for number, lease in enumerate(leases)
    ][::-1]
    for expected in (3, 0):
        clock.advance(HOUR)
        answer = await house.run({"account_ids": [leases[0].account.id]})
        assert answer["books"]["settled"] == expected
    facts = [(await house.store.get_entry(lease.entry_id)).settled for lease in leases]
    assert facts == [20, 21, 22]
    assert house.poe.histories_read == 1, "nothing is left to settle"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (poe_error(ErrorCode.STALE_OPERATION), "stale_operation"),
        (RuntimeError("a defect"), "unexpected_RuntimeError"),
    ],
)
async def test_a_history_that_can_not_be_read_does_not_hurt_the_reading(
    house: House, clock: SteppedClock, error: Exception, code: str
) -> None:
    account = await house.add("a")
    await send(house, "o", clock)

    async def broken(self):
        raise error
        yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.refresh_points.conftest.FakeClient.points_history", broken)
        answer = await house.run({"account_ids": [account.id]})
    assert (answer["succeeded"], answer["books"]["settled"]) == (1, 0)
    [line] = [line for line in house.lines() if line["message"] == "books.kept"]
    assert line["history_failures"] == {code: 1}


async def test_lost_sends_are_found_before_the_readings_that_settle_them(house: House, clock: SteppedClock) -> None:
    account = await house.add("a")
    key, _ = await house.store.create_key(name="k", points_per_day=100)
    admission = await house.store.reserve_budget(key, Reservation(owners=["killed"], points=30))
    killed = await take(house, "killed", key_id=key.id, reserved=admission.reserved)
    house.poe.history["cookie-a"] = [spent(1, killed.started_at + 2, 44)]
    clock.advance(61 + DEFAULT_POLICY.clock_tolerance_seconds)
    answer = await house.run({"account_ids": [account.id]})
    assert (answer["books"]["recovered"], answer["books"]["settled"]) == (1, 1)
    entry = await house.store.get_entry(killed.entry_id)
    assert (entry.outcome, entry.settled) == ("lost", 44)
    assert (await house.store.key_use(key.id)).points_today == 44


async def test_hours_are_summed_up_once_and_sums_checked_once_a_day(house: House, clock: SteppedClock) -> None:
    await house.add("a")
    await send(house, "o", clock, points=7)
    assert (await house.run())["books"]["hours"] == 0
    clock.advance(3 * HOUR)
    assert (await house.run())["books"]["hours"] == 1
    answer = await house.run()
    assert (answer["books"]["hours"], answer["books"]["corrected"]) == (0, 0)
    [row] = await house.store.sums(since=clock() - 5 * HOUR, until=clock())
    assert (row.sends, row.settled) == (1, 7)


async def test_the_last_use_of_every_key_is_known_after_a_run(house: House, clock: SteppedClock) -> None:
    await house.add("a")
    lease = await send(house, "o", clock)
    await house.run()
    assert (await house.store.key_use("k1")).last_used_at == lease.started_at


async def test_a_part_that_fails_leaves_the_others_to_their_work(
    house: House, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add("a")
    await send(house, "o", clock, points=7)
    clock.advance(3 * HOUR)

    async def unavailable(**_: object) -> int:
        raise StoreUnavailableError("Query", "ThrottlingException")

    monkeypatch.setattr(house.store, "recover_slots", unavailable)
    answer = await house.run()
    assert answer["books"]["failures"] == {"recover": "StoreUnavailableError"}
    assert (answer["succeeded"], answer["books"]["hours"]) == (1, 1)


async def test_a_dry_run_writes_nothing(house: House, clock: SteppedClock) -> None:
    await house.add("a")
    await take(house, "killed")
    clock.advance(1_000)
    assert "books" not in await house.run({"dry_run": True})
    page = await house.store.list_entries(Selection(since=0, until=clock() + HOUR))
    assert page.items == []


async def test_sends_of_an_account_that_is_not_read_any_more_say_that_nothing_is_known(
    house: House, clock: SteppedClock
) -> None:
    gone = await house.add("a")
    lease = await send(house, "o1", clock)
    paid = await send(house, "o2", clock, points=5)
    await house.store.delete_account(gone.id)
    clock.advance(26 * HOUR)
    assert (await house.run())["books"]["given_up"] == 0
    clock.advance(2 * HOUR)
    assert (await house.run())["books"]["given_up"] == 1
    entry, other = await house.store.get_entry(lease.entry_id), await house.store.get_entry(paid.entry_id)
    assert (entry.settled, entry.settled_by, entry.points) == (None, "none", 10)
    assert other.settled == 5
    clock.advance(2 * HOUR)
    assert (await house.run())["books"]["given_up"] == 0
    day = await house.store.sums(since=clock() - 40 * HOUR, until=clock())
    assert sum(row.unattributed for row in day) == 1
