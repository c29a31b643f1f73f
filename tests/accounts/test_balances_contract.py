"""What an account had left on each day, whatever the store keeps it in."""

from __future__ import annotations

from collections import Counter
from typing import Any

from accounts import (
    Account,
    AccountKind,
    AccountStore,
    BalanceReading,
    DayBalance,
    InMemoryAccountStore,
    Outcome,
    _keys,
)
from accounts._ledger import day_of

HOUR, DAY = 3_600, 86_400


async def add(store: AccountStore) -> Account:
    return await store.put_account(kind=AccountKind.OFFICIAL, label="one", credentials={"api_key": "k"})


async def test_each_day_has_its_last_reading_and_says_when_points_came(store: AccountStore, clock) -> None:
    account = await add(store)
    clock.now = start = clock() // DAY * DAY + 8 * HOUR
    assert await store.balances_by_day(account.id, since=start - 30 * DAY) == []
    for hours, reading in (
        (0, BalanceReading(900, addon=100)),
        (2, BalanceReading(700, addon=100)),
        (26, Outcome(code="timeout", scope="network")),
        (27, BalanceReading(None)),
        (50, BalanceReading(1_000, addon=None)),
        (51, BalanceReading(990)),
    ):
        clock.now = start + hours * HOUR
        await store.record_reading(account.id, reading)
    found = await store.balances_by_day(account.id, since=start)
    assert [(day.balance, day.addon, day.read_at, day.rose_at) for day in found] == [
        (700, 100, start + 2 * HOUR, None),
        (990, None, start + 51 * HOUR, start + 50 * HOUR),
    ]
    assert [day.day for day in found] == [day_of(start), day_of(start + 2 * DAY)]
    assert await store.balances_by_day(account.id, since=start + DAY) == found[1:]
    assert await store.balances_by_day("acct_other", since=start) == []
    # Slots and the like stand beside them.
    assert await store.held_slots(account.id) == 0


async def test_a_reading_by_credentials_that_were_replaced_is_not_kept(store: AccountStore, clock) -> None:
    account = await add(store)
    await store.record_reading(account.id, BalanceReading(8))
    clock.advance(1)
    await store.record_reading(account.id, BalanceReading(7), credentials_version=99)
    assert await store.balances_by_day(account.id, since=clock() - DAY) == []


async def test_what_says_nothing_new_is_not_written(clock) -> None:
    store = InMemoryAccountStore(clock=clock)
    account = await add(store)
    clock.now = clock() // DAY * DAY + HOUR
    calls: Counter[str] = Counter()
    engine = store._table._aws
    original = engine.call

    async def call(service: str, operation: str, payload: Any) -> Any:
        calls["BALANCE" in str(payload.get("Key"))] += 1
        return await original(service, operation, payload)

    engine.call = call  # type: ignore[method-assign]
    for hours, balance, written in ((0, 500, 0), (1, 500, 0), (24, 500, 0), (48, 499, 2), (1, 498, 3), (1, 498, 3)):
        clock.now += hours * HOUR
        await store.record_reading(account.id, BalanceReading(balance))
        assert calls[True] == written
    before, after = await store.balances_by_day(account.id, since=clock() - 30 * DAY)
    assert isinstance(before, DayBalance)
    assert (before.balance, after.balance, after.rose_at) == (500, 498, None)
    assert after.read_at - before.read_at == 49 * HOUR


async def test_they_expire_some_weeks_after_their_day(clock) -> None:
    store = InMemoryAccountStore(clock=clock)
    account = await add(store)
    for balance in (5, 4):
        await store.record_reading(account.id, BalanceReading(balance))
        clock.advance(1)
    clock.advance(-1)
    item = await store._table.get(_keys.day_balance(account.id, day_of(clock())))
    assert item is not None
    assert 40 * DAY <= item["expires_at"] - clock() <= 41 * DAY
