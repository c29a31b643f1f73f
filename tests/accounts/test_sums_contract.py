"""Sums and counts are those of the entries and requests, whatever of them is stored, packed, or still open."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import (
    AccountStore,
    InMemoryAccountStore,
    Intention,
    LeaseRequest,
    LedgerEntry,
    RequestRecord,
    Selection,
    SettledBy,
    Settlement,
    Sums,
)
from accounts._ledger import add_up, total
from tests.accounts.sample_ledger import entry, request, write
from tests.accounts.stand_in import SteppedClock

HOUR, DAY = 3_600, 86_400


async def every_entry(store: AccountStore, since: float, until: float) -> list[LedgerEntry]:
    found: list[LedgerEntry] = []
    cursor = None
    while True:
        page = await store.list_entries(Selection(since=since, until=until), limit=200, cursor=cursor)
        found += page.items
        if (cursor := page.cursor) is None:
            return found


def by_names(rows: Iterable[Sums], names: tuple[str, ...]) -> dict[tuple[Any, ...], Sums]:
    groups: dict[tuple[Any, ...], list[Sums]] = {}
    for row in rows:
        groups.setdefault(tuple(getattr(row, name) for name in names), []).append(row)
    return {key: total(group) for key, group in groups.items()}


async def check(store: AccountStore, since: float, until: float) -> None:
    """Compare with the entries themselves."""
    entries = await every_entry(store, since // HOUR * HOUR, until)
    expected = add_up(entries)
    ways = [
        (),
        ("hour",),
        ("hour", "model"),
        ("hour", "account_id"),
        ("key_id", "model", "account_id"),
        ("hour", "key_id", "model", "account_id"),
    ]
    for names, rows in zip(ways, await store.tally(since=since, until=until, by=ways), strict=True):
        assert by_names(rows, names) == by_names(expected, names), names
    [kept] = await store.tally(since=since, until=until, by=[("account_id",)], key_id="key_1", model="model-1")
    wanted = [row for row in expected if (row.key_id, row.model) == ("key_1", "model-1")]
    assert by_names(kept, ("account_id",)) == by_names(wanted, ("account_id",))


@pytest.mark.parametrize("runs", [0, 1, 20], ids=["never summed up", "once", "every hour"])
async def test_sums_are_those_of_the_entries(store: AccountStore, clock: SteppedClock, runs: int) -> None:
    start = clock() // DAY * DAY - DAY
    clock.now = start
    made = [entry(number, start + number * HOUR * 0.7) for number in range(60)]
    for number in range(runs):
        clock.now = start + number * 2 * HOUR
        await write(store, [one for one in made if clock() - 2 * HOUR <= one.started_at < clock()])
        await store.close_hours()
    clock.now = start + 44 * HOUR
    await write(store, made)
    if runs:
        await store.close_hours()
    for since, until in ((start, clock()), (start + 5 * HOUR, start + 30 * HOUR), (start + 47 * HOUR, clock() + HOUR)):
        await check(store, since, until)
    late = next(one for one in made if one.settled is None)
    assert await store.settle([Settlement(entry_id=late.id, points=1000, by=SettledBy.HISTORY)]) == 1
    await check(store, start, clock())
    await store.close_hours()
    await check(store, start, clock())
    assert await store.check_sums(since=start) == 0


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 90 * HOUR), st.booleans()), max_size=40),
    st.lists(st.integers(0, 100 * HOUR), max_size=6),
    st.integers(0, 100 * HOUR),
    st.integers(1, 100 * HOUR),
)
def test_sums_are_those_of_the_entries_in_any_history(
    sends: list[tuple[int, bool]], runs: list[int], since: int, length: int
) -> None:
    """Entries begin, the job runs, and some are settled late, in any order that time allows."""

    async def live() -> None:
        start = 20_000 * DAY
        clock = SteppedClock(start)
        store = InMemoryAccountStore(clock=clock, rng=random.Random(1))
        ordered = sorted(enumerate(sends), key=lambda send: send[1][0])
        for at in sorted(runs):
            due = [send for send in ordered if send[1][0] < at]
            ordered = ordered[len(due) :]
            await write(store, [entry(number, start + offset) for number, (offset, _) in due])
            clock.now = start + at
            await store.close_hours()
            for number, (offset, is_late) in due:
                if is_late:
                    name = entry(number, start + offset).id
                    await store.settle([Settlement(entry_id=name, points=number, by=SettledBy.HISTORY)])
        await write(store, [entry(number, start + offset) for number, (offset, _) in ordered])
        clock.now = start + 101 * HOUR
        await check(store, start + since, -(-(start + since + length) // HOUR) * HOUR)

    asyncio.run(live())


async def test_a_table_of_an_older_version_is_read_and_packed_bit_by_bit(
    store: AccountStore, clock: SteppedClock
) -> None:
    """It has sums of hours, and no packs; the version before this one may run in between."""
    start = clock() // DAY * DAY - 20 * DAY
    await write(store, [entry(number, start + number * 7 * HOUR) for number in range(60)])
    await store.close_hours()
    await store.put_config("sums", {"closed_until": int(clock() // HOUR - 2) * HOUR})
    await check(store, start, clock())
    for _ in range(4):
        clock.advance(HOUR)
        await store.close_hours()
        await check(store, start, clock())
    stored = await store.get_config("sums")
    assert stored is not None
    assert stored["packed_from"] < start


async def test_requests_are_counted_by_outcome_and_time_to_the_first_token(
    store: AccountStore, clock: SteppedClock
) -> None:
    start = clock() // DAY * DAY - DAY
    made = [request(number, start + number * HOUR * 0.7) for number in range(60)]
    await write(store, requests=made)
    clock.now = start + 44 * HOUR
    for _ in range(2):
        [rows] = await store.count_requests(since=start, until=clock(), by=[("hour", "code")])
        expected = Counter((int(one.at // HOUR) * HOUR, one.code) for one in made)
        assert Counter({(row.hour, row.code): row.requests for row in rows}) == expected
        await store.close_hours()
    [errors] = await store.count_requests(since=start, until=clock(), by=[("key_id",)], outcome="error")
    assert {row.key_id: row.requests for row in errors} == Counter(one.key_id for one in made if one.code)
    [ok] = await store.count_requests(
        since=start, until=clock(), by=[("first_token_class",)], outcome="ok", key_id="key_1"
    )
    assert sum(row.requests for row in ok) == sum(one.code is None and one.key_id == "key_1" for one in made)
    assert all(row.first_token_class is not None for row in ok)
    [some] = await store.count_requests(since=start + 10 * HOUR, until=start + 12 * HOUR, by=[()], model="model-1")
    assert sum(row.requests for row in some) == sum(
        one.model == "model-1" and start + 10 * HOUR <= one.at < start + 12 * HOUR for one in made
    )
    assert await store.count_requests(since=start, until=clock(), by=[()], outcome="no_such_code") == [[]]


async def test_requests_of_a_day_that_was_counted_in_part_are_all_counted(
    store: AccountStore, clock: SteppedClock
) -> None:
    """The job stopped at noon; its packs by fewer names, which have no hours, do not serve for the day then."""
    start = clock() // DAY * DAY - 2 * DAY
    made = [request(number, start + number * HOUR * 0.9) for number in range(50)]
    await write(store, requests=made)
    clock.now = start + 14 * HOUR
    await store.close_hours()
    clock.now = start + 2 * DAY
    [by_class, by_hour] = await store.count_requests(
        since=start, until=start + 2 * DAY, by=[("code", "first_token_class"), ("hour",)]
    )
    assert Counter({row.hour: row.requests for row in by_hour}) == Counter(int(one.at // HOUR) * HOUR for one in made)
    assert sum(row.requests for row in by_class) == len(made)
    [alone] = await store.count_requests(since=start, until=start + 2 * DAY, by=[("code", "first_token_class")])
    assert alone == by_class


async def test_what_a_page_reads_grows_with_days_and_not_with_requests(clock: SteppedClock) -> None:
    """Calls of the table, counted: the same for ten times as many entries."""
    calls = []
    for per_hour in (1, 10):
        store = InMemoryAccountStore(clock=clock)
        start = clock() // DAY * DAY - 3 * DAY
        step = HOUR / per_hour
        made = [entry(number, start + number * step) for number in range(60 * per_hour)]
        await write(store, made, [request(number, one.started_at) for number, one in enumerate(made)])
        await store.close_hours()
        engine = store._table._aws
        counted: Counter[str] = Counter()
        original = engine.call

        async def call(service: str, operation: str, payload: Any, to: Any = original, into: Any = counted) -> Any:
            into[operation] += 1
            return await to(service, operation, payload)

        engine.call = call
        await store.tally(since=start, until=clock(), by=[("hour",)])
        await store.count_requests(since=start, until=clock(), by=[("hour",)])
        calls.append(counted)
    assert calls[0] == calls[1]
    assert "Scan" not in calls[0]


async def test_a_request_is_found_by_its_ref(store: AccountStore, clock: SteppedClock) -> None:
    made = request(1, clock() + 0.1234, request_id="a#b%c")
    await write(store, requests=[made])
    found = await store.get_request(made.ref)
    assert isinstance(found, RequestRecord)
    assert found.request_id == "a#b%c"
    assert await store.get_request(f"{made.ref}x") is None
    for wrong in ("", "x", "1~x", "0" * 14, "\u0660" * 14 + "~x"):
        with pytest.raises(ValueError, match="id"):
            await store.get_request(wrong)


async def test_errors_of_any_code_can_be_listed(store: AccountStore, clock: SteppedClock) -> None:
    await write(store, requests=[request(number, clock() + number) for number in range(10)])
    span = {"since": clock() - 1, "until": clock() + 100}
    for outcome, expected in (("error", {0, 5}), ("ok", {1, 2, 3, 4, 6, 7, 8, 9}), ("upstream_error", {0, 5})):
        page = await store.list_requests(Selection(**span, outcome=outcome))
        assert {int(record.request_id.removeprefix("req_")) for record in page.items} == expected


async def test_accounts_and_keys_are_read_by_their_ids(store: AccountStore) -> None:
    kind = entry(0, 1.0).kind
    account = await store.put_account(kind=kind, label="one", credentials={"api_key": "k"})
    await store.put_account(kind=kind, label="two", credentials={"api_key": "k"})
    assert await store.get_accounts([account.id, "none", account.id]) == {account.id: account}
    key, _ = await store.create_key(name="one")
    await store.create_key(name="two")
    assert await store.get_keys([key.id, "none", key.id]) == {key.id: key}
    assert (await store.get_accounts([]), await store.get_keys([])) == ({}, {})


async def test_slots_in_use_are_counted_by_account(store: AccountStore) -> None:
    kind = entry(0, 1.0).kind
    account = await store.put_account(kind=kind, label="one", credentials={"api_key": "k"}, max_concurrency=3)
    assert await store.slots_in_use() == {}
    wanted = Intention(key_id="k", model="m")
    leases = [
        await store.lease(LeaseRequest(owner=f"o{number}", bot="m", ttl_seconds=60, intention=wanted))
        for number in range(2)
    ]
    assert await store.slots_in_use() == {account.id: 2}
    from accounts import Outcome

    await store.release(leases[0], Outcome())
    assert await store.slots_in_use() == {account.id: 1}
