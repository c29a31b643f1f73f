"""Backing up and restoring, whatever the store keeps it in."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from accounts import (
    CREDENTIALS_MISSING,
    AccountKind,
    AccountState,
    AccountStore,
    BalanceReading,
    InMemoryAccountStore,
    Intention,
    KeyBackup,
    LeaseRequest,
    LedgerEntry,
    Outcome,
    Reservation,
    Restored,
    Selection,
    SendRecord,
    SettlementState,
)

HOUR, DAY = 3_600, 86_400


@pytest.fixture
def other_store(clock) -> AccountStore:
    """Where things are moved to."""
    return InMemoryAccountStore(clock=clock, rng=random.Random(8))


SECRET = "sk-poe-" + "q7Zk1vX9mB4tR2wL8sD6fH3j"


async def emptied(store: AccountStore, account_id: str) -> None:
    """The account gone, as in a new table."""
    await store.delete_account(account_id)


async def test_an_account_comes_back_under_its_id_with_its_credentials(store: AccountStore, clock) -> None:
    added = await store.put_account(
        kind=AccountKind.OFFICIAL, label="me", credentials={"api_key": "k"}, max_concurrency=5
    )
    await store.record_reading(added.id, BalanceReading(700, subscribed=True, allotment=1_000))
    await store.put_settlement_state(added.id, SettlementState(read_until=5.0, claimed={"h1": 4.0}))
    (backup,) = (await store.backup_accounts()).items
    await emptied(store, added.id)
    assert await store.restore_account(backup, {"api_key": "k"}) is Restored.CREATED
    account, credentials, _ = await store.read_credentials(added.id)
    assert (account.label, account.max_concurrency, account.state) == ("me", 5, AccountState.ACTIVE)
    assert account.points == backup.account.points
    assert account.refresh_due_at <= clock(), "it is read soon"
    assert credentials == {"api_key": "k"}
    state = await store.settlement_state(added.id)
    assert (state.read_until, state.claimed) == (5.0, {"h1": 4.0})
    assert await store.restore_account(backup, {"api_key": "other"}) is Restored.SAME
    assert (await store.read_credentials(added.id))[1] == {"api_key": "k"}


async def test_an_account_without_its_credentials_waits_for_new_ones(store: AccountStore, clock) -> None:
    added = await store.put_account(kind=AccountKind.WEB, label="me", credentials={"p_b": "c"})
    (backup,) = (await store.backup_accounts()).items
    await emptied(store, added.id)
    assert await store.restore_account(backup, None) is Restored.CREATED
    back = await store.get_account(added.id)
    assert (back.state, back.last_error) == (AccountState.LOGGED_OUT, CREDENTIALS_MISSING)
    assert await store.count_eligible() == 0
    again = await store.put_account(kind=AccountKind.WEB, label="me", credentials={"p_b": "new"})
    assert (again.id, again.state, again.last_error) == (added.id, AccountState.ACTIVE, None)
    assert await store.count_eligible() == 1


async def test_an_account_that_was_switched_off_stays_so(store: AccountStore) -> None:
    added = await store.put_account(kind=AccountKind.WEB, label="me", credentials={"p_b": "c"})
    await store.set_account_state(added.id, AccountState.DISABLED)
    (backup,) = (await store.backup_accounts()).items
    await emptied(store, added.id)
    await store.restore_account(backup, {"p_b": "c"})
    assert (await store.get_account(added.id)).state is AccountState.DISABLED


async def test_what_is_in_an_accounts_place_stays(store: AccountStore) -> None:
    added = await store.put_account(kind=AccountKind.WEB, label="me", credentials={"p_b": "c"})
    (backup,) = (await store.backup_accounts()).items
    await store.update_account(added.id, label="renamed")
    assert await store.restore_account(backup, {"p_b": "old"}) is Restored.KEPT, "the id"
    await store.delete_account(added.id)
    other = await store.put_account(kind=AccountKind.WEB, label="Me", credentials={"p_b": "other"})
    assert await store.restore_account(backup, {"p_b": "old"}) is Restored.KEPT, "the label"
    assert (await store.read_credentials(other.id))[1] == {"p_b": "other"}
    assert len((await store.list_accounts()).items) == 1


async def backed_up(store: AccountStore) -> KeyBackup:
    (backup,) = (await store.backup_keys()).items
    return backup


async def test_a_key_comes_back_by_its_hash_with_what_it_has_consumed(store: AccountStore, clock) -> None:
    key, secret = await store.create_key(secret=SECRET, name="laptop", models=["gpt-5"], points_per_day=100)
    await store.reserve_budget(key, Reservation(owners=["o"], points=40, tokens=7))
    backup = await backed_up(store)
    assert secret not in repr(backup)
    await store.revoke_key(key.id)
    assert await store.find_key(secret) is None
    assert await store.restore_key(backup) is Restored.CREATED
    assert await store.find_key(secret) == key
    assert await store.restore_key(backup) is Restored.SAME


async def test_a_budget_is_not_spent_twice_by_moving(store: AccountStore, other_store: AccountStore, clock) -> None:
    key, secret = await store.create_key(name="laptop", points_per_day=100, points_per_month=1_000)
    await store.reserve_budget(key, Reservation(owners=["o"], points=90))
    await other_store.restore_key(await backed_up(store))
    moved = await other_store.find_key(secret)
    assert moved is not None
    use = await other_store.key_use(moved.id)
    assert (use.points_today, use.points_this_month) == (90, 90)
    assert (await other_store.reserve_budget(moved, Reservation(owners=["p"], points=20))).over is not None
    assert (await other_store.reserve_budget(moved, Reservation(owners=["q"], points=10))).over is None


async def test_an_old_secret_that_still_works_does_so_after_a_move(
    store: AccountStore, other_store: AccountStore, clock
) -> None:
    key, old = await store.create_key(name="laptop")
    _, new = await store.rotate_key(key.id, overlap_seconds=DAY)
    assert await other_store.restore_key(await backed_up(store)) is Restored.CREATED
    assert await other_store.find_key(new) is not None
    assert await other_store.find_key(old) is not None
    clock.advance(2 * DAY)
    assert await other_store.find_key(new) is not None
    assert await other_store.find_key(old) is None


async def test_a_key_that_was_changed_meanwhile_stays(store: AccountStore) -> None:
    key, _ = await store.create_key(name="laptop")
    backup = await backed_up(store)
    _, new = await store.rotate_key(key.id, overlap_seconds=0)
    assert await store.restore_key(backup) is Restored.KEPT
    assert await store.find_key(new) is not None


async def spend(store: AccountStore, owner: str, points: int | None) -> LedgerEntry:
    intention = Intention(key_id="k1", model="claude", request_id="r", estimate=9)
    lease = await store.lease(LeaseRequest(owner=owner, bot="claude", ttl_seconds=60, intention=intention))
    await store.release(lease, Outcome(), usage=SendRecord(prompt_tokens=3, completion_tokens=4, points=points))
    entry = await store.get_entry(lease.entry_id)
    assert entry is not None
    return entry


async def test_entries_come_back_and_are_added_up_again(store: AccountStore, other_store: AccountStore, clock) -> None:
    added = await store.put_account(kind=AccountKind.WEB, label="me", credentials={"p_b": "c"}, max_concurrency=16)
    entries = [await spend(store, f"o{number}", points) for number, points in enumerate((5, None, 7))]
    clock.advance(5 * HOUR)
    await other_store.close_hours()
    assert await other_store.restore_entries(entries) == [Restored.CREATED] * 3
    assert await other_store.restore_entries(entries) == [Restored.SAME] * 3
    wanted = Selection(since=clock() - DAY, until=clock() + 1)
    assert sorted(e.id for e in (await other_store.list_entries(wanted)).items) == sorted(e.id for e in entries)
    for _ in range(2):
        (row,) = await other_store.sums(since=clock() - DAY, until=clock())
        assert (row.sends, row.settled, row.account_id) == (3, 12, added.id)
        await other_store.close_hours()
    assert [entry.id for entry in await other_store.unsettled(added.id)] == [
        entry.id for entry in entries if entry.settled_by is None
    ], "what was not settled still can be"


async def test_entries_of_a_year_ago_are_added_up_and_older_ones_left_out(store: AccountStore, clock) -> None:
    await store.put_account(kind=AccountKind.WEB, label="me", credentials={"p_b": "c"})
    now = await spend(store, "o", 5)
    old, older = (
        replace(now, id=f"{round(at * 1000):014d}#x", started_at=at)
        for at in (float(int(clock() - 300 * DAY)), float(int(clock() - 401 * DAY)))
    )
    assert await store.restore_entries([old, older]) == [Restored.CREATED, Restored.EXPIRED]
    (row,) = await store.sums(since=old.started_at - DAY, until=old.started_at + DAY)
    assert row.settled == 5


async def test_opened_hours_are_summed_up_in_bounded_steps(store: AccountStore, clock, monkeypatch) -> None:
    from accounts import _dynamodb_sums

    monkeypatch.setattr(_dynamodb_sums, "MAX_OPENED_HOURS", 2)
    await store.put_account(kind=AccountKind.WEB, label="me", credentials={"p_b": "c"})
    now = await spend(store, "o", 5)
    await store.close_hours()
    start = int(clock()) // HOUR * HOUR - 100 * DAY
    restored = [
        replace(now, id=f"{(start + number * HOUR) * 1000:014d}#x", started_at=float(start + number * HOUR))
        for number in range(5)
    ]
    await store.restore_entries(restored)
    assert [await store.close_hours() for _ in range(4)] == [2, 2, 1, 0]
    rows = await store.sums(since=start, until=start + 6 * HOUR)
    assert [row.settled for row in rows] == [5] * 5
