"""Large fleets: every account has its share, those who can serve are found, and that costs the same for any number."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from accounts import (
    AccountKind,
    Intention,
    LeaseRequest,
    NoAccountError,
    NoAccountReason,
    Outcome,
    Reservation,
    SendRecord,
)
from accounts import _keys as keys
from accounts._dynamodb import DynamoDBAccountStore
from accounts._engine import Engine
from accounts._items import to_wire
from accounts._table import Table, update
from tests.accounts.stand_in import SteppedClock

READS = {"GetItem", "Query", "BatchGetItem"}


class OpenVault:
    """Seals nothing and binds nothing, so that one account's item can be copied to make a fleet."""

    async def seal(self, values: Mapping[str, Any], *, account_id: str, purpose: str) -> bytes:
        return json.dumps(dict(values)).encode()

    async def unseal(self, sealed: bytes, *, account_id: str, purpose: str) -> dict[str, Any]:
        return json.loads(sealed)


class Fleet:
    """A table with many accounts; each store on it is a sandbox that has seen nothing yet."""

    def __init__(self, clock: SteppedClock) -> None:
        self.engine = Engine()
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.rng = random.Random(11)

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.calls[operation] += 1
        return self.engine.call(operation, payload)

    def store(self) -> DynamoDBAccountStore:
        rng = random.Random(self.rng.random())
        return DynamoDBAccountStore(Table(self, "t"), OpenVault(), clock=self.clock, rng=rng)

    @property
    def cost(self) -> tuple[int, int]:
        """Reads and writes so far."""
        reads = sum(count for name, count in self.calls.items() if name in READS)
        return reads, self.calls.total() - reads

    async def fill(self, count: int, **fields: Any) -> None:
        """Accounts `acct_0` and so on; a field may be a function of the number."""
        store = self.store()
        await store.put_account(kind=AccountKind.WEB, label="first", credentials={"p_b": "x"}, account_id="acct_0")
        stored = next(item for item in self.engine.items() if item["sk"]["S"] == "META" and "sel_pk" in item)
        for number in range(count):
            own = {name: value(number) if callable(value) else value for name, value in fields.items()}
            name = f"acct_{number}"
            own |= {**keys.account(name), "account_id": name, "eligible_at": 2 + 2 * self.rng.random()}
            # Beside the door: what accounts have in common is shared, so that 100,000 of them fit.
            copy = {**stored, **to_wire({name: value for name, value in own.items() if value is not None})}
            self.engine._store(copy, copy)
        await store._table.write(update(keys.fleet(), "SET {web} = :count", count=count))


@pytest.fixture
def fleet(clock: SteppedClock) -> Fleet:
    return Fleet(clock)


def wants(owner: str, **options: Any) -> LeaseRequest:
    return LeaseRequest(owner=owner, bot="b", ttl_seconds=60, intention=Intention(key_id="k", model="b"), **options)


async def use(store: DynamoDBAccountStore, owner: str, **options: Any) -> str:
    lease = await store.lease(wants(owner, **options))
    await store.release(lease, Outcome(), usage=SendRecord(points=5))
    return lease.account.id


async def test_uses_follow_the_points_that_are_left_however_cold_the_sandboxes_are(
    fleet: Fleet, clock: SteppedClock
) -> None:
    """A thousand accounts, rich, middling and poor; every request comes to a sandbox that has seen nothing."""
    balances = (3_000, 1_000, 200)
    await fleet.fill(1_000, balance=lambda number: balances[number % 3], read_at=clock())
    used: Counter[str] = Counter()
    requests = 4_000
    for number in range(requests):
        clock.advance(15)
        used[await use(fleet.store(), f"o{number}")] += 1
    groups = [sum(count for name, count in used.items() if int(name[5:]) % 3 == rest) for rest in range(3)]
    for group, balance in zip(groups, balances, strict=True):
        assert group == pytest.approx(requests * balance / sum(balances), rel=0.1)
    rich = [used[f"acct_{number}"] for number in range(0, 1_000, 3)]
    assert min(rich) > 0, "no account starves of those that should serve most"


async def test_requests_of_one_process_do_not_race_each_other_for_slots(fleet: Fleet) -> None:
    await fleet.fill(4, max_concurrency=15)
    store = fleet.store()
    for _ in range(2):
        fleet.calls.clear()
        leases = await asyncio.gather(*(store.lease(wants(f"o{number}")) for number in range(60)))
        assert len({(lease.account.id, lease.slot) for lease in leases}) == 60
        assert fleet.calls["PutItem"] == 60, "each slot is asked for once"
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants("one too many"))
        assert refused.value.reason is NoAccountReason.BUSY
        assert fleet.calls["PutItem"] == 60, "nothing is free, as this process knows"
        await asyncio.gather(*(store.release(lease, Outcome(), usage=SendRecord(points=5)) for lease in leases))


@pytest.mark.parametrize("count", [10, 1_000, 100_000])
async def test_a_chat_costs_the_same_with_any_number_of_accounts(fleet: Fleet, clock: SteppedClock, count: int) -> None:
    await fleet.fill(count)
    limits: list[tuple[dict[str, int], int]] = [
        ({}, 2),
        ({"requests_per_minute": 100}, 3),
        ({"points_per_day": 1_000, "requests_per_minute": 100}, 4),
    ]
    for settings, most_writes in limits:
        _, secret = await fleet.store().create_key(name="k", **settings)
        for number in range(4):
            store = fleet.store()
            fleet.calls.clear()
            key = await store.find_key(secret)
            assert key is not None
            owner = f"{most_writes}-{number}"
            admission = await store.reserve_budget(key, Reservation(owners=[owner], requests=1, points=5))
            intention = Intention(key_id=key.id, model="b", estimate=5, reserved=admission.reserved)
            lease = await store.lease(LeaseRequest(owner=owner, bot="b", ttl_seconds=60, intention=intention))
            await store.release(lease, Outcome(), usage=SendRecord(points=5))
            reads, writes = fleet.cost
            assert (reads, writes) == (2, most_writes)
            clock.advance(61)


async def test_the_ten_of_a_thousand_that_may_use_a_bot_are_found(fleet: Fleet, clock: SteppedClock) -> None:
    denied = {"b": {"until": clock() + 9_000, "code": "bot_access_denied"}}
    await fleet.fill(1_000, bot_limits=lambda number: None if number % 100 == 7 else denied)
    found: Counter[str] = Counter()
    for number in range(60):
        store = fleet.store()
        await store.find_key("sk-poe-unknown")
        fleet.calls.clear()
        found[await use(store, f"o{number}")] += 1
        reads, writes = fleet.cost
        assert reads <= 4
        assert writes <= 3
    assert {int(name[5:]) % 100 for name in found} == {7}
    assert len(found) >= 8


async def test_where_nobody_may_use_the_bot_that_is_the_reason(fleet: Fleet, clock: SteppedClock) -> None:
    denied = {"b": {"until": clock() + 9_000, "code": "bot_access_denied"}}
    await fleet.fill(300, bot_limits=denied)
    with pytest.raises(NoAccountError) as refused:
        await fleet.store().lease(wants("o"))
    assert refused.value.reason is NoAccountReason.BOT_DENIED


async def test_a_fleet_too_large_to_be_searched_refuses_nothing_for_good(fleet: Fleet, clock: SteppedClock) -> None:
    denied = {"b": {"until": clock() + 9_000, "code": "bot_access_denied"}}
    await fleet.fill(6_000, bot_limits=denied)
    with pytest.raises(NoAccountError) as refused:
        await fleet.store().lease(wants("o"))
    assert refused.value.reason is NoAccountReason.COOLING_DOWN


async def test_clocks_five_minutes_apart_take_no_slot_from_its_holder(fleet: Fleet, clock: SteppedClock) -> None:
    await fleet.fill(1, max_concurrency=2)
    stores = []
    for offset in (-150.0, 0.0, 150.0):
        store = fleet.store()
        store._clock = lambda offset=offset: clock() + offset
        stores.append(store)
    held = [await stores[0].lease(wants("slow-1")), await stores[0].lease(wants("slow-2"))]
    for seconds in (10, 30, 19):
        clock.advance(seconds)
        for number, store in enumerate(stores[1:]):
            with pytest.raises(NoAccountError) as refused:
                await store.lease(wants(f"fast-{number}-{seconds}"))
            assert refused.value.reason is NoAccountReason.BUSY
    for lease in held:
        await stores[2].release(lease, Outcome(), usage=SendRecord(points=5))
    sums = await stores[1].sums(since=clock() - 7_200, until=clock() + 3_600)
    assert sum(row.sends for row in sums) == 2
