"""A lease of a remembered account takes one step, and goes by what the account is at that moment."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from accounts import (
    AccountKind,
    AccountState,
    Intention,
    Lease,
    LeaseRequest,
    NoAccountError,
    NoAccountReason,
    Outcome,
    SendRecord,
    StoreUnavailableError,
)
from accounts._dynamodb import PAGE, DynamoDBAccountStore
from accounts._remembered import READ_AGAIN_SECONDS, REMEMBER_SECONDS
from accounts._table import Table, put
from accounts._vault import PlainVault
from tests.accounts.stand_in import SteppedClock
from tests.accounts.watched import WatchedAws


class World:
    """Stores over one table; each is a process of its own."""

    def __init__(self, clock: SteppedClock) -> None:
        self.table = WatchedAws()
        self.clock = clock

    def store(self) -> DynamoDBAccountStore:
        return DynamoDBAccountStore(Table(self.table, "t"), PlainVault(), clock=self.clock, rng=random.Random(3))

    async def add(self, label: str, kind: AccountKind = AccountKind.OFFICIAL, **options: Any) -> str:
        credentials = {"api_key": label} if kind is AccountKind.OFFICIAL else {"p_b": label}
        return (await self.store().put_account(kind=kind, label=label, credentials=credentials, **options)).id

    async def warm(self) -> DynamoDBAccountStore:
        """A process that has read which accounts there are, and nothing else."""
        store = self.store()
        await store.remember_accounts()
        self.table.clear()
        return store


@pytest.fixture
def world(clock: SteppedClock) -> World:
    return World(clock)


def wants(owner: str = "r", **options: Any) -> LeaseRequest:
    return LeaseRequest(owner=owner, bot="m", ttl_seconds=60, intention=Intention(key_id="k", model="m"), **options)


async def end(store: DynamoDBAccountStore, lease: Lease, **outcome: Any) -> None:
    await store.release(lease, Outcome(**outcome), usage=SendRecord(points=5))


ONE_STEP = [{"PutItem": 1, "GetItem": 1}]


async def test_the_slot_is_taken_in_one_step(world: World) -> None:
    account_id = await world.add("a")
    store = await world.warm()
    lease = await store.lease(wants())
    assert lease.account.id == account_id
    assert lease.credentials == {"api_key": "a"}
    assert world.table.steps == ONE_STEP
    assert world.table.calls == {"PutItem": 1, "GetItem": 1}


async def test_a_conversations_account_is_taken_in_one_step(world: World) -> None:
    ids = [await world.add(label) for label in "abcd"]
    store = await world.warm()
    for number, account_id in enumerate(ids):
        world.table.clear()
        lease = await store.lease(wants(f"r{number}", sticky_account_id=account_id))
        assert lease.account.id == account_id
        assert world.table.steps == ONE_STEP


async def test_chats_one_after_the_other_take_one_step_each(world: World, clock: SteppedClock) -> None:
    await world.add("a")
    store = await world.warm()
    for number in range(5):
        clock.advance(REMEMBER_SECONDS / 6)
        world.table.clear()
        lease = await store.lease(wants(f"r{number}"))
        assert world.table.steps == ONE_STEP
        await end(store, lease)


async def test_the_lease_has_the_account_as_it_is_now(world: World) -> None:
    account_id = await world.add("a")
    store = await world.warm()
    await world.store().update_account(account_id, label="renamed")
    assert (await store.lease(wants())).account.label == "renamed"


async def test_the_choice_follows_the_preferred_kinds(world: World) -> None:
    web, official = await world.add("w", AccountKind.WEB), await world.add("o")
    for first, second, account_id in ((*AccountKind, official), (*reversed(AccountKind), web)):
        store = await world.warm()
        lease = await store.lease(wants(f"r-{account_id}", kinds=(first, second)))
        assert lease.account.id == account_id
        assert world.table.steps == ONE_STEP


async def disable(store: DynamoDBAccountStore, account_id: str) -> None:
    await store.set_account_state(account_id, AccountState.DISABLED)


async def delete(store: DynamoDBAccountStore, account_id: str) -> None:
    await store.delete_account(account_id)


async def refuse_credentials(store: DynamoDBAccountStore, account_id: str) -> None:
    lease = await store.lease(wants("other", sticky_account_id=account_id))
    await end(store, lease, code="not_authenticated")


async def limit_rate(store: DynamoDBAccountStore, account_id: str) -> None:
    lease = await store.lease(wants("other", sticky_account_id=account_id))
    await end(store, lease, code="rate_limited", retry_after_seconds=30)


async def deny_bot(store: DynamoDBAccountStore, account_id: str) -> None:
    lease = await store.lease(wants("other", sticky_account_id=account_id))
    await end(store, lease, code="bot_access_denied", bot="m")


CHANGES = (disable, delete, refuse_credentials, limit_rate, deny_bot)


@pytest.mark.parametrize("during", [False, True], ids=["before", "while the slot is taken"])
@pytest.mark.parametrize("change", CHANGES)
async def test_what_another_process_did_to_an_account_counts_at_once(
    world: World, change: Callable[[DynamoDBAccountStore, str], Awaitable[None]], during: bool
) -> None:
    first = await world.add("a")
    store = await world.warm()
    second = await world.add("b", AccountKind.WEB)
    if during:
        world.table.before["GetItem"] = lambda: change(world.store(), first)
    else:
        await change(world.store(), first)
    lease = await store.lease(wants())
    assert lease.account.id == second
    assert await world.store().held_slots(first) == 0, "the slot was freed"
    await end(store, lease)
    await world.store().set_account_state(second, AccountState.DISABLED)
    with pytest.raises(NoAccountError):
        await store.lease(wants("again"))


async def test_credentials_that_another_process_replaced_are_not_used(world: World) -> None:
    account_id = await world.add("a")
    store = await world.warm()
    await world.store().put_account(
        kind=AccountKind.OFFICIAL, label="a", credentials={"api_key": "new"}, account_id=account_id
    )
    lease = await store.lease(wants())
    assert lease.credentials == {"api_key": "new"}
    assert await store.held_slots(account_id) == 1


async def test_a_slot_that_the_account_no_longer_has_is_given_back(world: World) -> None:
    account_id = await world.add("a", max_concurrency=16)
    store = await world.warm()
    await world.store().update_account(account_id, max_concurrency=1)
    lease = await store.lease(wants())
    assert lease.slot == 0
    assert await store.held_slots(account_id) == 1


async def test_nothing_is_booked_for_a_slot_that_was_given_back(world: World, clock: SteppedClock) -> None:
    account_id = await world.add("a")
    store = await world.warm()
    await disable(world.store(), account_id)
    with pytest.raises(NoAccountError) as refused:
        await store.lease(wants())
    assert refused.value.reason is NoAccountReason.DISABLED
    clock.advance(3_600)
    assert await store.recover_slots() == 0
    assert await store.unsettled(account_id) == []


async def test_a_slot_that_another_process_holds_is_not_given_twice(world: World) -> None:
    account_id = await world.add("a", max_concurrency=2)
    stores = [await world.warm() for _ in range(4)]
    leases = []
    for number, store in enumerate(stores):
        with suppress(NoAccountError):
            leases.append(await store.lease(wants(f"r{number}")))
    assert sorted(lease.slot for lease in leases) == [0, 1]
    assert await stores[0].held_slots(account_id) == 2


async def test_a_process_that_finds_no_slot_free_does_not_ask_from_memory_again(world: World) -> None:
    await world.add("a", max_concurrency=1)
    store = await world.warm()
    await world.store().lease(wants("other"))
    for _ in range(2):
        world.table.clear()
        with pytest.raises(NoAccountError):
            await store.lease(wants())
    assert world.table.calls["GetItem"] == 0


async def test_an_account_that_came_is_known_with_the_next_key(world: World) -> None:
    await world.add("w", AccountKind.WEB)
    store = world.store()
    _, secret = await store.create_key(name="k")
    await store.find_key(secret)
    await store.remember_accounts()
    official = await world.add("o")
    await store.find_key(secret)
    assert (await store.lease(wants())).account.id == official


@pytest.mark.parametrize("change", ["put", "enable", "delete", "limit"])
async def test_what_this_process_changes_it_knows_at_once(world: World, change: str) -> None:
    web, official = await world.add("w", AccountKind.WEB), await world.add("o")
    if change == "enable":
        await disable(world.store(), official)
    store = await world.warm()
    expected = web
    match change:
        case "put":
            account = await store.put_account(kind=AccountKind.OFFICIAL, label="p", credentials={"api_key": "p"})
            await disable(store, official)
            expected = account.id
        case "enable":
            await store.set_account_state(official, AccountState.ACTIVE)
            expected = official
        case "delete":
            await store.delete_account(official)
        case "limit":
            await end(store, await store.lease(wants("limited")), code="rate_limited", retry_after_seconds=30)
    world.table.clear()
    assert (await store.lease(wants())).account.id == expected
    assert world.table.calls["PutItem"] == 1, "nothing was tried that could not be had"


async def test_what_is_too_old_is_not_gone_by(world: World, clock: SteppedClock) -> None:
    await world.add("a")
    for seconds in (REMEMBER_SECONDS, -1.0):
        store = await world.warm()
        clock.advance(seconds)
        world.table.clear()
        await end(store, await store.lease(wants(f"r{seconds}")))
        assert world.table.calls["Query"] == 1


async def test_requests_that_come_together_read_the_accounts_once(world: World, clock: SteppedClock) -> None:
    await world.add("a")
    store = await world.warm()
    await store.remember_accounts()
    assert world.table.calls.total() == 0
    clock.advance(READ_AGAIN_SECONDS)
    await asyncio.gather(*(store.remember_accounts() for _ in range(5)))
    assert world.table.calls == {"Query": 1}


async def test_a_reading_that_was_cancelled_is_made_again(world: World) -> None:
    await world.add("a")
    store = world.store()
    reading = asyncio.create_task(store.remember_accounts())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await store.remember_accounts()
    world.table.clear()
    await store.lease(wants())
    assert world.table.steps == ONE_STEP


async def test_a_fleet_larger_than_a_page_is_looked_for_as_ever(world: World, clock: SteppedClock) -> None:
    for number in range(PAGE + 1):
        await world.add(f"a{number}")
    store = await world.warm()
    await store.lease(wants())
    assert world.table.calls["Query"] > 0
    assert world.table.calls["GetItem"] == 0
    _, secret = await store.create_key(name="k")
    await store.find_key(secret)
    world.table.clear()
    await store.remember_accounts()
    assert world.table.calls.total() == 0, "it is known to be large"


async def test_shares_follow_the_points_that_are_left(world: World) -> None:
    """The choice among remembered accounts is the one that a query would have led to."""
    ids = [await world.add(label, max_concurrency=50) for label in "ab"]
    for account_id, balance in zip(ids, (300, 100), strict=True):
        item = await world.store()._item(account_id)
        await world.store()._table.write(put({**item, "balance": balance, "read_at": world.clock()}))
    store = await world.warm()
    used: Counter[str] = Counter()
    for number in range(400):
        lease = await store.lease(wants(f"r{number}"))
        used[lease.account.id] += 1
        await end(store, lease)
    assert used[ids[0]] / used[ids[1]] == pytest.approx(3, rel=0.35)
    assert world.table.calls["Query"] == 0


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
async def test_a_table_that_fails_leaves_no_slot_taken(world: World, operation: str) -> None:
    account_id = await world.add("a")
    store = await world.warm()
    world.table.failing.add(operation)
    with pytest.raises(StoreUnavailableError):
        await store.lease(wants())
    world.table.failing.clear()
    assert await store.held_slots(account_id) == 0
    assert store._own_slots.free(account_id, 2, world.clock()) == [0, 1]


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
async def test_a_cancelled_lease_leaves_no_slot_taken(world: World, operation: str) -> None:
    account_id = await world.add("a")
    store = await world.warm()
    leasing: list[asyncio.Task[Lease]] = []

    async def cancel() -> None:
        leasing[0].cancel()

    world.table.before[operation] = cancel
    leasing.append(asyncio.create_task(store.lease(wants())))
    with pytest.raises(asyncio.CancelledError):
        await leasing[0]
    assert await store.held_slots(account_id) == 0


async def test_a_cancellation_while_a_slot_is_given_back_is_not_lost(world: World) -> None:
    """Else a request would go on after its deadline, with the account that the query finds."""
    first = await world.add("a")
    store = await world.warm()
    second = await world.add("b", AccountKind.WEB)
    await disable(world.store(), first)
    leasing: list[asyncio.Task[Lease]] = []

    async def cancel() -> None:
        leasing[0].cancel()

    world.table.before["DeleteItem"] = cancel
    leasing.append(asyncio.create_task(store.lease(wants())))
    with pytest.raises(asyncio.CancelledError):
        await leasing[0]
    assert [await store.held_slots(account_id) for account_id in (first, second)] == [0, 0]


async def test_what_this_process_adds_while_it_reads_is_not_forgotten(world: World) -> None:
    await world.add("w", AccountKind.WEB)
    store = world.store()
    query, added = store._table.query, []

    async def answered_late(*args: Any, **options: Any) -> Any:
        found = await query(*args, **options)
        store._table.query = query  # type: ignore[method-assign]
        account = await store.put_account(kind=AccountKind.OFFICIAL, label="o", credentials={"api_key": "o"})
        added.append(account.id)
        return found

    store._table.query = answered_late  # type: ignore[method-assign]
    await store.remember_accounts()
    assert [(await store.lease(wants())).account.id] == added


async def test_a_reading_that_fails_is_left_to_the_lease(world: World) -> None:
    account_id = await world.add("a")
    store = world.store()
    world.table.failing.add("Query")
    await store.remember_accounts()
    world.table.failing.clear()
    assert (await store.lease(wants())).account.id == account_id
