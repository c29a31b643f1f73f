"""Each equation fails where it should."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from accounts import (
    AccountKind,
    InMemoryAccountStore,
    Intention,
    LeaseRequest,
    LedgerEntry,
    Outcome,
    SendRecord,
    SettledBy,
    Settlement,
)
from tests.accounts.stand_in import SteppedClock
from tests.simulation import equations
from tests.simulation.equations import Charged, Ends, Violated

NOON = 1_800_000_000.0 - 1_800_000_000.0 % 86_400 + 43_200.0


async def booked(clock: SteppedClock, points: int) -> tuple[InMemoryAccountStore, list[LedgerEntry]]:
    """A store with one settled send."""
    store = InMemoryAccountStore(clock=clock, rng=random.Random(1))
    await store.put_account(kind=AccountKind.OFFICIAL, label="a", credentials={"api_key": "k"}, account_id="acct_a")
    intention = Intention(key_id="key", model="m", request_id="r1", estimate=20)
    lease = await store.lease(LeaseRequest(owner="o", bot="m", ttl_seconds=60, intention=intention))
    await store.release(lease, Outcome(), usage=SendRecord())
    await store.settle([Settlement(entry_id=lease.entry_id, points=points, by=SettledBy.HISTORY)])
    return store, await equations.all_entries(store, NOON - 60, NOON + 60)


async def test_a_point_too_little_or_too_much_is_found() -> None:
    store, entries = await booked(SteppedClock(NOON), 20)
    account = Charged(name="a", account_id="acct_a", kind=AccountKind.OFFICIAL, ours=20)
    await equations.check_books(store, entries, [account])
    for ours in (19, 21):
        with pytest.raises(Violated, match=f"booked 20, charged {ours}"):
            await equations.check_books(store, entries, [replace(account, ours=ours)])


async def test_with_skewed_clocks_what_is_missing_must_be_among_what_was_spent_elsewhere() -> None:
    store, entries = await booked(SteppedClock(NOON), 20)
    account = Charged(name="a", account_id="acct_a", kind=AccountKind.OFFICIAL, ours=27, others=5)
    with pytest.raises(Violated):
        await equations.check_books(store, entries, [account], has_skew=True)
    state = await store.settlement_state("acct_a")
    await store.put_settlement_state("acct_a", replace(state, elsewhere={"2027-01-15": 9}))
    await equations.check_books(store, entries, [account], has_skew=True)


async def test_sums_without_an_entry_are_found() -> None:
    store, entries = await booked(SteppedClock(NOON), 20)
    await equations.check_sums(store, entries, NOON - 3_600, NOON + 3_600)
    with pytest.raises(Violated, match="sums are not"):
        await equations.check_sums(store, [], NOON - 3_600, NOON + 3_600)


async def test_a_budget_may_be_overrun_by_the_error_of_the_estimates_only() -> None:
    store, [entry] = await booked(SteppedClock(NOON), 20)
    key, _ = await store.create_key(name="k", points_per_day=30)

    def check(*costs: tuple[int | None, int]) -> None:
        entries = [replace(entry, key_id=key.id, estimate=estimate, settled=cost) for estimate, cost in costs]
        equations.check_budgets(entries, [key], unpriced_points=10)

    check((20, 20), (10, 10))
    check((20, 25), (10, 10))
    check((None, 40))
    with pytest.raises(Violated, match="a budget of 30 was overrun: 31, bound 30"):
        check((20, 20), (11, 11))
    with pytest.raises(Violated):
        check((None, 10), (25, 21))


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (equations.check_slots, (["ACCOUNT#a"],)),
        (equations.check_deliveries, ({"r1": 2}, {"r1": 1}, {})),
        (equations.check_deliveries, ({"r1": 3}, {"r1": 1}, {"r1": 1})),
        (equations.check_ends, (Ends(asked=3, ended=2, cut=0),)),
        (equations.check_ends, (Ends(asked=2, ended=3, cut=1),)),
    ],
)
def test_what_must_not_be_is_found(check: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(Violated):
        check(*arguments)


async def test_a_failed_answer_may_be_repeated() -> None:
    _, [entry] = await booked(SteppedClock(NOON), 20)
    failed = equations.failed_answers([replace(entry, outcome="bot_failed"), entry])
    assert failed == {"r1": 1}
    equations.check_deliveries({"r1": 2}, {"r1": 1}, failed)
