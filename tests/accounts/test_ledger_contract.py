"""One entry per send, begun before the money is spent, whatever the store keeps it in."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from accounts import (
    DEFAULT_POLICY,
    AccountKind,
    AccountStore,
    BalanceReading,
    ConflictError,
    Intention,
    Lease,
    LeaseRequest,
    LedgerEntry,
    NoAccountError,
    Outcome,
    RequestRecord,
    Selection,
    SendRecord,
    SettledBy,
    Settlement,
    SettlementState,
)

TOLERANCE = DEFAULT_POLICY.clock_tolerance_seconds
HOUR, DAY = 3_600, 86_400


async def add(
    store: AccountStore, kind: AccountKind = AccountKind.OFFICIAL, label: str = "one", slots: int = 16
) -> str:
    added = await store.put_account(kind=kind, label=label, credentials={"api_key": "k"}, max_concurrency=slots)
    return added.id


async def take(store: AccountStore, owner: str = "o1", **intention: object) -> Lease:
    values = {"key_id": "k1", "model": "claude", "surface": "chat", "request_id": "req_1", "attempt": 2, "estimate": 12}
    wanted = Intention(**(values | intention))  # type: ignore[arg-type]
    return await store.lease(LeaseRequest(owner=owner, bot="claude", ttl_seconds=60, intention=wanted))


async def entries(store: AccountStore, clock, **selection: object) -> list[LedgerEntry]:
    wanted = Selection(since=clock() - 40 * DAY, until=clock() + DAY, **selection)  # type: ignore[arg-type]
    found: list[LedgerEntry] = []
    cursor = None
    while True:
        page = await store.list_entries(wanted, limit=3, cursor=cursor)
        found += page.items
        if (cursor := page.cursor) is None:
            return found


class TestEstimates:
    @pytest.mark.parametrize(
        ("rate", "usd", "estimate"),
        [
            (0.00003, 0.0006, 20),
            (0.00002, 0.0006, 30),
            (0.00003, 0.00001, 1),
            (0.00003, 0.0, 0),
            (None, 0.0006, 12),
            (0.00003, None, 12),
        ],
    )
    async def test_dollars_become_points_at_the_rate_of_the_accounts_own_balance(
        self, store: AccountStore, rate: float | None, usd: float | None, estimate: int
    ) -> None:
        account = await add(store)
        await store.record_reading(account, BalanceReading(5_000, usd_per_point=rate))
        lease = await take(store, usd=usd)
        assert lease.intention is not None and lease.intention.estimate == estimate
        await store.release(lease, Outcome(), usage=SendRecord())
        entry = await store.get_entry(lease.entry_id)
        assert entry is not None and (entry.estimate, entry.points) == (estimate, estimate)

    async def test_a_send_of_a_killed_holder_keeps_the_estimate_in_points(self, store: AccountStore, clock) -> None:
        account = await add(store)
        await store.record_reading(account, BalanceReading(5_000, usd_per_point=0.00003))
        lease = await take(store, usd=0.0006)
        clock.advance(61 + TOLERANCE)
        assert await store.recover_slots() == 1
        entry = await store.get_entry(lease.entry_id)
        assert entry is not None and (entry.outcome, entry.estimate) == ("lost", 20)

    async def test_a_reading_without_dollars_leaves_the_rate_that_was_known(self, store: AccountStore) -> None:
        account = await add(store)
        await store.record_reading(account, BalanceReading(5_000, usd_per_point=0.00003))
        await store.record_reading(account, BalanceReading(4_000))
        points = (await store.get_account(account)).points
        assert points is not None and (points.balance, points.usd_per_point) == (4_000, 0.00003)


class TestEntries:
    async def test_an_entry_holds_what_was_intended_and_what_came_of_it(self, store: AccountStore, clock) -> None:
        account = await add(store)
        lease = await take(store)
        assert await entries(store, clock) == [], "it is not an entry before it is known how it ends"
        clock.advance(9)
        usage = SendRecord(first_token_at=clock() - 8, prompt_tokens=100, completion_tokens=7, is_estimated=False)
        await store.release(lease, Outcome(), usage=usage)
        assert await store.get_entry(lease.entry_id) == LedgerEntry(
            id=lease.entry_id,
            account_id=account,
            kind=AccountKind.OFFICIAL,
            key_id="k1",
            model="claude",
            surface="chat",
            request_id="req_1",
            attempt=2,
            started_at=clock() - 9,
            ended_at=clock(),
            first_token_at=clock() - 8,
            outcome="ok",
            prompt_tokens=100,
            completion_tokens=7,
            is_estimated=False,
            estimate=12,
        )

    async def test_what_is_unknown_is_not_zero(self, store: AccountStore, clock) -> None:
        await add(store)
        lease = await take(store, estimate=None)
        await store.release(lease, Outcome(code="timeout", scope="network"), usage=SendRecord())
        [entry] = await entries(store, clock)
        assert (entry.points, entry.prompt_tokens, entry.settled_by, entry.outcome) == (None, None, None, "timeout")
        [row] = await store.sums(since=clock() - HOUR, until=clock() + HOUR)
        assert (row.sends, row.errors, row.points, row.unknown) == (1, 1, 0, 1)

    async def test_a_lease_that_sent_nothing_leaves_no_entry(self, store: AccountStore, clock) -> None:
        await add(store)
        await store.release(await take(store), Outcome(code="cancelled", scope="request"))
        without = await store.lease(LeaseRequest(owner="o", bot="m", ttl_seconds=60))
        await store.release(without, Outcome(), usage=SendRecord(points=3))
        assert await entries(store, clock) == []

    async def test_releasing_again_changes_nothing(self, store: AccountStore, clock) -> None:
        await add(store, AccountKind.WEB)
        lease = await take(store)
        await store.release(lease, Outcome(), usage=SendRecord(points=7))
        await store.release(lease, Outcome(code="timeout", scope="network"), usage=SendRecord(points=9))
        [entry] = await entries(store, clock)
        assert (entry.outcome, entry.points) == ("ok", 7)

    @pytest.mark.parametrize("count", [16, 60])
    async def test_releases_at_once_lose_no_booking_and_leak_no_slot(self, store: AccountStore, clock, count) -> None:
        for number in range(-(-count // 16)):
            await add(store, label=str(number))
        leases = [await take(store, f"o{number}") for number in range(count)]
        await asyncio.gather(*(store.release(lease, Outcome(), usage=SendRecord(points=3)) for lease in leases))
        assert len(await entries(store, clock)) == count
        again = [await take(store, f"again{number}") for number in range(count)]
        assert len({(lease.account.id, lease.slot) for lease in again}) == count

    async def test_a_reported_cost_settles_a_web_send_at_once_also_when_it_is_late(
        self, store: AccountStore, clock
    ) -> None:
        account = await add(store, AccountKind.WEB)
        prompt, late = await take(store, "o1"), await take(store, "o2")
        await store.release(prompt, Outcome(), usage=SendRecord(points=20))
        await store.release(late, Outcome(), usage=SendRecord())
        assert [entry.id for entry in await store.unsettled(account)] == [late.entry_id]
        assert await store.late_report(late.entry_id, 30)
        assert not await store.late_report(late.entry_id, 30)
        assert await store.unsettled(account) == []
        facts = [(e.reported, e.settled, e.settled_by) for e in await entries(store, clock)]
        assert sorted(facts) == [(20, 20, SettledBy.REPORTED), (30, 30, SettledBy.REPORTED)]
        assert not await store.late_report("01800000000000#nobody", 5)

    async def test_lists_are_filtered_and_newest_first(self, store: AccountStore, clock) -> None:
        one, two = await add(store, label="1"), await add(store, label="2", kind=AccountKind.WEB)
        for number in range(8):
            lease = await take(
                store, f"o{number}", key_id=f"k{number % 2}", model=f"m{number % 4}", request_id=f"r{number}"
            )
            outcome = Outcome() if number != 3 else Outcome(code="timeout", scope="network")
            await store.release(lease, outcome, usage=SendRecord())
            clock.advance(DAY / 3)
        listed = await entries(store, clock)
        assert [entry.request_id for entry in listed] == [f"r{number}" for number in reversed(range(8))]
        assert [e.request_id for e in await entries(store, clock, key_id="k1")] == ["r7", "r5", "r3", "r1"]
        assert [e.request_id for e in await entries(store, clock, key_id="k0", model="m2")] == ["r6", "r2"]
        assert [e.request_id for e in await entries(store, clock, outcome="timeout")] == ["r3"]
        by_account = [await entries(store, clock, account_id=account) for account in (one, two)]
        assert sorted(map(len, by_account)) == sorted(
            [len([e for e in listed if e.account_id == one]), 8 - len(by_account[0])]
        )
        with pytest.raises(ValueError, match=r"invalid|id"):
            await store.list_entries(Selection(since=0, until=clock()), cursor="nonsense")


class TestLost:
    async def test_a_killed_holders_send_is_booked_before_its_slot_is_used_again(
        self, store: AccountStore, clock
    ) -> None:
        await add(store, slots=1)
        killed = await take(store, "killed")
        clock.advance(61 + TOLERANCE)
        await take(store, "next")
        [entry] = await entries(store, clock)
        assert (entry.id, entry.outcome, entry.ended_at, entry.points) == (killed.entry_id, "lost", None, 12)

    async def test_the_scheduled_job_finds_it_as_well(self, store: AccountStore, clock) -> None:
        await add(store)
        for number in range(3):
            await take(store, f"killed{number}")
        without = LeaseRequest(owner="reading", bot="m", ttl_seconds=60)
        await store.lease(without)
        alive = await store.extend(await take(store, "alive"), 10_000)
        assert await store.recover_slots() == 0
        clock.advance(61 + TOLERANCE)
        assert await store.recover_slots() == 3
        assert await store.recover_slots() == 0
        assert [entry.outcome for entry in await entries(store, clock)] == ["lost"] * 3
        await store.release(alive, Outcome(), usage=SendRecord())
        assert len(await entries(store, clock)) == 4

    async def test_a_release_that_comes_after_all_completes_the_lost_entry(self, store: AccountStore, clock) -> None:
        await add(store, slots=1)
        frozen = await take(store, "frozen")
        clock.advance(61 + TOLERANCE)
        held = await take(store, "next")
        await store.settle([Settlement(entry_id=frozen.entry_id, points=9, by=SettledBy.HISTORY)])
        for _ in range(2):
            await store.release(frozen, Outcome(), usage=SendRecord(prompt_tokens=5))
        entry = await store.get_entry(frozen.entry_id)
        assert entry is not None
        assert (entry.outcome, entry.prompt_tokens, entry.settled) == ("ok", 5, 9)
        with pytest.raises(NoAccountError):
            await take(store, "third")
        await store.release(held, Outcome(), usage=SendRecord())
        assert len(await entries(store, clock)) == 2

    async def test_a_deleted_accounts_leases_are_booked_too(self, store: AccountStore, clock) -> None:
        account = await add(store)
        released, killed = await take(store, "released"), await take(store, "killed")
        await store.delete_account(account)
        await store.release(released, Outcome(), usage=SendRecord())
        clock.advance(61 + TOLERANCE)
        assert await store.recover_slots() == 1
        assert {(e.id, e.outcome) for e in await entries(store, clock)} == {
            (released.entry_id, "ok"),
            (killed.entry_id, "lost"),
        }


class TestSettling:
    async def test_a_final_cost_is_booked_once(self, store: AccountStore, clock) -> None:
        account = await add(store)
        leases = [await take(store, f"o{number}") for number in range(3)]
        for lease in leases:
            await store.release(lease, Outcome(), usage=SendRecord())
        assert [entry.id for entry in await store.unsettled(account)] == sorted(lease.entry_id for lease in leases)
        first, second, third = (lease.entry_id for lease in leases)
        facts = [
            Settlement(entry_id=first, points=40, by=SettledBy.HISTORY),
            Settlement(entry_id=second, points=None, by=SettledBy.NONE),
        ]
        assert await store.settle(facts) == 2
        assert await store.settle([*facts, Settlement(entry_id=first, points=41, by=SettledBy.HISTORY)]) == 0
        assert [entry.id for entry in await store.unsettled(account)] == [third]
        [row] = await store.sums(since=clock() - HOUR, until=clock() + HOUR)
        assert (row.settled, row.estimated, row.unattributed, row.points) == (40, 24, 1, 64)
        assert await store.settle([Settlement(entry_id=second, points=5, by=SettledBy.HISTORY)]) == 1, "found after all"

    async def test_how_far_a_history_was_read_is_kept_by_one_run_at_a_time(self, store: AccountStore) -> None:
        account = await add(store)
        assert await store.settlement_state(account) == SettlementState()
        state = SettlementState(read_until=5.5, key_name="gateway", claimed={"q1": 4.5}, elsewhere={"2027-01-15": 7})
        await store.put_settlement_state(account, state)
        kept = await store.settlement_state(account)
        assert (kept.read_until, kept.key_name, kept.claimed, kept.elsewhere, kept.version) == (
            5.5,
            "gateway",
            {"q1": 4.5},
            {"2027-01-15": 7},
            1,
        )
        with pytest.raises(ConflictError):
            await store.put_settlement_state(account, replace(state, read_until=6.5))
        assert await store.put_settlement_state(account, state) == kept, "only the answer was lost"
        await store.put_settlement_state(account, kept)


class TestSums:
    async def test_sums_are_those_of_the_entries_before_and_after_their_hours_are_closed(
        self, store: AccountStore, clock
    ) -> None:
        await add(store)
        leases = []
        for number in range(6):
            lease = await take(store, f"o{number}", key_id=f"k{number % 2}")
            await store.release(lease, Outcome(), usage=SendRecord(prompt_tokens=10))
            leases.append(lease)
            clock.advance(HOUR / 2)
        span = {"since": clock() - 5 * HOUR, "until": clock() + HOUR}
        fresh = await store.sums(**span)
        assert sum(row.sends for row in fresh) == 6
        assert sum(row.points for row in fresh) == 72
        clock.advance(3 * HOUR)
        assert await store.close_hours() == 3
        assert await store.close_hours() == 0
        assert await store.sums(**span) == fresh
        # A cost that comes late opens the hour again, until the next run.
        assert await store.settle([Settlement(entry_id=leases[0].entry_id, points=100, by=SettledBy.HISTORY)]) == 1
        changed = await store.sums(**span)
        assert sum(row.points for row in changed) == 160
        assert await store.close_hours() == 1
        assert await store.sums(**span) == changed
        assert await store.check_sums(since=span["since"]) == 0
        assert {row.key_id for row in await store.sums(**span, key_id="k1")} == {"k1"}

    async def test_a_wrong_sum_is_put_right(self, store: AccountStore, clock) -> None:
        await add(store)
        await store.release(await take(store), Outcome(), usage=SendRecord())
        clock.advance(4 * HOUR)
        await store.close_hours()
        right = await store.sums(since=clock() - DAY, until=clock())
        from accounts._records_items import sums_item
        from accounts._table import put

        wrong = sums_item(right[0]._replace(settled=999))
        await store._table.write(put(wrong))  # type: ignore[attr-defined]
        assert await store.check_sums(since=clock() - DAY) == 1
        assert await store._table.get({"pk": wrong["pk"], "sk": wrong["sk"]}) == sums_item(right[0])  # type: ignore[attr-defined]
        assert await store.check_sums(since=clock() - DAY) == 0
        assert await store.sums(since=clock() - DAY, until=clock()) == right

    async def test_the_last_use_of_a_key_without_limits_is_noted(self, store: AccountStore, clock) -> None:
        await add(store)
        lease = await take(store)
        await store.release(lease, Outcome(), usage=SendRecord())
        clock.advance(60)
        assert await store.note_key_uses(since=clock() - HOUR) == 1
        assert (await store.key_use("k1")).last_used_at == lease.started_at
        assert (await store.key_uses(["k1", "k2"]))["k2"].last_used_at is None

    async def test_the_last_success_of_a_key_without_limits_is_noted_and_never_moves_back(
        self, store: AccountStore, clock
    ) -> None:
        await add(store)
        assert (await store.key_use("k1")).last_success_at is None
        answered = await take(store, "o1")
        await store.release(answered, Outcome(), usage=SendRecord(ended_at=clock() + 5))
        ended_at = clock() + 5
        clock.advance(60)
        failed = await take(store, "o2")
        await store.release(failed, Outcome(code="upstream_error", scope="request"), usage=SendRecord())
        for since in (clock() - HOUR, clock() - 30, clock() - HOUR):
            assert await store.note_key_uses(since=since) == 1
            use = await store.key_use("k1")
            assert (use.last_used_at, use.last_success_at) == (failed.started_at, ended_at) or since == clock() - 30
        clock.advance(60)
        later = await take(store, "o3")
        await store.release(later, Outcome(), usage=SendRecord(ended_at=clock()))
        assert await store.note_key_uses(since=clock() - HOUR) == 1
        use = await store.key_use("k1")
        assert (use.last_used_at, use.last_success_at) == (later.started_at, clock())


class TestRequests:
    def record(self, clock, number: int, **more: object) -> RequestRecord:
        values = {"request_id": f"r{number}", "at": clock(), "key_id": "k1", "model": "claude", "surface": "chat"}
        return RequestRecord(**(values | {"status": 200} | more))  # type: ignore[arg-type]

    async def test_a_request_is_written_with_the_release_of_its_last_lease(self, store: AccountStore, clock) -> None:
        await add(store)
        record = self.record(clock, 1, first_token_seconds=0.25, total_seconds=2.0, points=12, account_id="a")
        await store.release(await take(store), Outcome(), usage=SendRecord(), request=record)
        page = await store.list_requests(Selection(since=clock() - 1, until=clock() + 1))
        assert page.items == [record]

    async def test_requests_without_a_lease_are_written_alone_and_zero_days_keep_nothing(
        self, store: AccountStore, clock
    ) -> None:
        await store.record_request(self.record(clock, 1, status=429, code="rate_limit_exceeded"))
        await store.record_request(self.record(clock, 2))
        await store.record_request(self.record(clock, 3, ttl_seconds=0))
        span = {"since": clock() - 1, "until": clock() + 1}
        assert [r.request_id for r in (await store.list_requests(Selection(**span))).items] == ["r2", "r1"]
        for outcome, expected in (("ok", ["r2"]), ("rate_limit_exceeded", ["r1"])):
            page = await store.list_requests(Selection(**span, outcome=outcome))
            assert [record.request_id for record in page.items] == expected


class TestChats:
    """Chats that were begun at the upstream, until they are deleted."""

    async def test_a_settled_sends_chat_is_found_once_its_answer_is_old_enough(
        self, store: AccountStore, clock
    ) -> None:
        await add(store, AccountKind.WEB)
        lease = await take(store)
        clock.advance(5)
        await store.release(lease, Outcome(), usage=SendRecord(points=3, chat_id=7, conversation="chat:s"))
        assert await store.chats_to_delete(ended_before=clock()) == []
        clock.advance(1)
        [found] = await store.chats_to_delete(ended_before=clock())
        assert (found.id, found.chat_id, found.conversation) == (lease.entry_id, 7, "chat:s")

    async def test_a_chat_is_found_when_its_cost_is_known_and_not_before(self, store: AccountStore, clock) -> None:
        account = await add(store, AccountKind.WEB)
        lease = await take(store)
        await store.release(lease, Outcome(), usage=SendRecord(chat_id=7))
        clock.advance(1)
        assert await store.chats_to_delete(ended_before=clock()) == []
        await store.put_off_chat(lease.entry_id, None)
        assert [entry.id for entry in await store.unsettled(account)] == [lease.entry_id]
        await store.settle([Settlement(entry_id=lease.entry_id, points=3, by=SettledBy.HISTORY)])
        assert len(await store.chats_to_delete(ended_before=clock())) == 1
        assert await store.unsettled(account) == []

    async def test_it_can_be_put_off_and_is_forgotten_in_the_end(self, store: AccountStore, clock) -> None:
        await add(store, AccountKind.WEB)
        lease = await take(store)
        await store.release(lease, Outcome(), usage=SendRecord(points=3, chat_id=7))
        await store.put_off_chat(lease.entry_id, clock() + 100)
        clock.advance(99)
        assert await store.chats_to_delete(ended_before=clock()) == []
        clock.advance(2)
        assert len(await store.chats_to_delete(ended_before=clock())) == 1
        await store.put_off_chat(lease.entry_id, None)
        await store.put_off_chat(lease.entry_id, None)
        await store.put_off_chat(lease.entry_id, clock() - 50)
        assert await store.chats_to_delete(ended_before=clock()) == []
        entry = await store.get_entry(lease.entry_id)
        assert entry is not None and (entry.chat_id, entry.chat_due_at, entry.settled) == (7, None, 3)

    async def test_the_oldest_come_first_and_no_more_than_asked_for(self, store: AccountStore, clock) -> None:
        await add(store, AccountKind.WEB)
        for number in range(5):
            lease = await take(store, f"o{number}")
            await store.release(lease, Outcome(), usage=SendRecord(points=3, chat_id=number))
            clock.advance(1)
        found = await store.chats_to_delete(ended_before=clock(), limit=3)
        assert [entry.chat_id for entry in found] == [0, 1, 2]

    async def test_a_lost_send_whose_holder_comes_back_tells_its_chat(self, store: AccountStore, clock) -> None:
        await add(store, AccountKind.WEB)
        lease = await take(store)
        clock.advance(61 + TOLERANCE)
        await store.recover_slots()
        await store.release(lease, Outcome(), usage=SendRecord(points=3, chat_id=7))
        clock.advance(1)
        assert [entry.chat_id for entry in await store.chats_to_delete(ended_before=clock())] == [7]
