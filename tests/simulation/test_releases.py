"""Many releases at once on DynamoDB's stand-in, which cancels what collides: nothing is lost, and no slot leaks."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from accounts import (
    DEFAULT_POLICY,
    AccountKind,
    AccountStoreError,
    Intention,
    Lease,
    LeaseRequest,
    NoAccountError,
    Outcome,
    SendRecord,
)
from accounts._aws import Retrying
from accounts._dynamodb import DynamoDBAccountStore
from accounts._table import Table
from accounts._vault import PlainVault
from tests.simulation import equations
from tests.simulation.dynamodb import SimulatedDynamoDB, StoreFaults
from tests.simulation.history import START, seeded
from tests.virtual_time import VirtualTimeLoop

LONG_SECONDS = 3_000.0


class House:
    """Sandboxes on one table; each store is one."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.db = SimulatedDynamoDB(random.Random(seed + 1), StoreFaults())
        self.loop = asyncio.get_running_loop()

    def now(self) -> float:
        return START + self.loop.time()

    def store(self) -> DynamoDBAccountStore:
        rng = random.Random(self.rng.random())
        table = Table(Retrying(self.db.send, rng=rng), "t", rng=rng)
        return DynamoDBAccountStore(table, PlainVault(), clock=self.now, rng=rng, policy=DEFAULT_POLICY)

    async def add_account(self, slots: int) -> None:
        await self.store().put_account(
            kind=AccountKind.OFFICIAL, label="a", credentials={"api_key": "k"}, max_concurrency=slots
        )
        await asyncio.sleep(5)  # the index

    async def lease(self, store: DynamoDBAccountStore, owner: str) -> Lease:
        intention = Intention(key_id="one key", model="one model", request_id=owner, estimate=3)
        return await store.lease(LeaseRequest(owner=owner, bot="m", ttl_seconds=LONG_SECONDS, intention=intention))

    def held_slots(self) -> list[str]:
        return [item["sk"]["S"] for item in self.db.engine.items() if item["sk"]["S"].startswith("SLOT#")]

    async def booked(self) -> Counter[str]:
        entries = await equations.all_entries(self.store(), START - 60, self.now() + 60)
        return Counter(entry.request_id for entry in entries)


def in_virtual_time(seed: int, history: Callable[[House], object]) -> None:
    async def run() -> None:
        await history(House(seed))  # type: ignore[misc]

    with seeded(seed), asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())


@pytest.mark.parametrize("faults", [StoreFaults(), StoreFaults(throttled=0.3, lost=0.05, slow=0.2)], ids=["", "faults"])
@pytest.mark.parametrize("count", [16, 60])
@pytest.mark.parametrize("seed", range(5))
def test_releases_at_once_lose_no_booking_and_leak_no_slot(count: int, seed: int, faults: StoreFaults) -> None:
    """On one account, with one key and one model, each from a sandbox of its own."""

    async def history(house: House) -> None:
        await house.add_account(count)
        stores = [house.store() for _ in range(count)]
        leases = [await house.lease(store, f"o{number}") for number, store in enumerate(stores)]
        assert len(house.held_slots()) == count
        house.db.faults = faults

        async def release(store: DynamoDBAccountStore, lease: Lease) -> None:
            # A sandbox gives up at some time; what it left is completed by whoever finds it.
            try:
                await store.release(lease, Outcome(), usage=SendRecord(points=3))
            except AccountStoreError:
                pass

        await asyncio.gather(*(release(store, lease) for store, lease in zip(stores, leases, strict=True)))
        house.db.faults = StoreFaults()
        if faults == StoreFaults():
            assert not house.held_slots(), "without faults everything is booked at once"
        await asyncio.sleep(LONG_SECONDS + DEFAULT_POLICY.clock_tolerance_seconds + 60)
        await house.store().recover_slots()
        assert await house.booked() == {f"o{number}": 1 for number in range(count)}
        assert not house.held_slots()

    in_virtual_time(seed, history)


@pytest.mark.parametrize("seed", range(10))
def test_with_half_of_all_calls_throttled_no_more_leases_than_slots(seed: int) -> None:
    slots, sandboxes = 3, 12

    async def history(house: House) -> None:
        await house.add_account(slots)
        house.db.faults = StoreFaults(throttled=0.5, lost=0.05)
        holding = most = 0

        async def work(number: int) -> None:
            nonlocal holding, most
            store = house.store()
            for turn in range(3):
                try:
                    lease = await house.lease(store, f"o{number}-{turn}")
                except (NoAccountError, AccountStoreError):
                    await asyncio.sleep(house.rng.uniform(1, 20))
                    continue
                holding += 1
                most = max(most, holding)
                await asyncio.sleep(house.rng.uniform(1, 20))
                try:
                    lease = await store.extend(lease, LONG_SECONDS)
                except AccountStoreError:
                    pass
                holding -= 1
                try:
                    await store.release(lease, Outcome(), usage=SendRecord(points=3))
                except AccountStoreError:
                    pass

        await asyncio.gather(*(work(number) for number in range(sandboxes)))
        assert 0 < most <= slots

    in_virtual_time(seed, history)
