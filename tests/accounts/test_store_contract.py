"""What every account store does, whatever it keeps its data in."""

from __future__ import annotations

import pytest

from accounts import (
    DEFAULT_POLICY,
    Account,
    AccountKind,
    AccountNotFoundError,
    AccountState,
    AccountStore,
    BalanceReading,
    ConflictError,
    Intention,
    LeaseRequest,
    NoAccountError,
    NoAccountReason,
    Outcome,
    SendRecord,
)

WEB = {"p_b": "cookie", "form_key": "f"}
OFFICIAL = {"api_key": "k"}
TOLERANCE = DEFAULT_POLICY.clock_tolerance_seconds


async def add_web(store: AccountStore, label: str = "a@example.org", **options: int) -> Account:
    return await store.put_account(kind=AccountKind.WEB, label=label, credentials=WEB, **options)


def wants(owner: str = "r1", bot: str = "claude", **options: object) -> LeaseRequest:
    options.setdefault("intention", Intention(key_id="k", model="m"))
    return LeaseRequest(owner=owner, bot=bot, ttl_seconds=60, **options)  # type: ignore[arg-type]


class TestAccounts:
    async def test_an_added_account_is_found_with_its_credentials(self, store: AccountStore) -> None:
        added = await add_web(store)
        account, credentials, session_data = await store.read_credentials(added.id)
        assert account == added == await store.get_account(added.id)
        assert credentials == WEB
        assert session_data is None
        assert account.points is None, "a balance nobody read is unknown"

    async def test_adding_the_same_label_again_replaces_credentials_and_clears_what_they_caused(
        self, store: AccountStore, clock
    ) -> None:
        added = await add_web(store)
        lease = await store.lease(wants())
        await store.release(lease, Outcome(code="rate_limited"), session_data={"form_key": "old"})
        assert (await store.get_account(added.id)).eligible_at > clock()
        again = await store.put_account(
            kind=AccountKind.WEB, label=" A@EXAMPLE.org", credentials={"p_b": "new"}, max_concurrency=3
        )
        assert (again.id, again.eligible_at, again.last_error, again.max_concurrency) == (added.id, 0.0, None, 3)
        assert again.refresh_due_at == clock()
        assert await store.read_credentials(added.id) == (again, {"p_b": "new"}, None)

    async def test_a_label_belongs_to_one_account_of_its_kind(self, store: AccountStore) -> None:
        first = await add_web(store)
        with pytest.raises(ConflictError):
            await add_web(store, account_id="acct_other")
        other = await store.put_account(kind=AccountKind.OFFICIAL, label=first.label, credentials=OFFICIAL)
        assert other.id != first.id

    async def test_a_renamed_account_frees_its_old_label(self, store: AccountStore) -> None:
        first = await add_web(store, "old")
        await add_web(store, "new", account_id=first.id)
        assert (await add_web(store, "old")).id != first.id
        assert (await add_web(store, "new")).id == first.id

    async def test_a_deleted_account_is_gone_and_deleting_twice_is_fine(self, store: AccountStore) -> None:
        added = await add_web(store)
        await store.lease(wants())
        await store.delete_account(added.id)
        await store.delete_account(added.id)
        with pytest.raises(AccountNotFoundError):
            await store.get_account(added.id)
        with pytest.raises(AccountNotFoundError):
            await store.set_account_state(added.id, AccountState.DISABLED)
        assert (await store.list_accounts()).items == []
        assert (await add_web(store)).id != added.id
        await store.lease(wants())
        await store.lease(wants())

    async def test_a_list_is_read_page_by_page(self, store: AccountStore) -> None:
        added = {(await add_web(store, f"label {number}")).id for number in range(5)}
        seen, cursor = [], None
        while True:
            page = await store.list_accounts(limit=2, cursor=cursor)
            assert len(page.items) <= 2
            seen += [account.id for account in page.items]
            if (cursor := page.cursor) is None:
                break
        assert sorted(seen) == sorted(added)

    async def test_disabled_accounts_are_not_eligible_until_enabled(self, store: AccountStore) -> None:
        added = await add_web(store)
        assert await store.count_eligible() == 1
        await store.set_account_state(added.id, AccountState.DISABLED)
        assert await store.count_eligible() == 0
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants(sticky_account_id=added.id))
        assert refused.value.reason is NoAccountReason.DISABLED
        await store.set_account_state(added.id, AccountState.ACTIVE)
        assert (await store.lease(wants())).account.id == added.id

    async def test_counting_eligible_accounts_stops_at_the_limit(self, store: AccountStore) -> None:
        for number in range(5):
            await add_web(store, f"label {number}")
        assert await store.count_eligible(at_most=3) == 3
        assert await store.count_eligible() == 5


class TestLeases:
    async def test_a_lease_carries_what_its_holder_needs(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        lease = await store.lease(wants())
        assert (lease.account.id, lease.owner, lease.credentials) == (added.id, "r1", WEB)
        assert lease.expires_at == clock() + 60

    async def test_no_more_leases_than_slots(self, store: AccountStore) -> None:
        added = await add_web(store, max_concurrency=3)
        leases = [await store.lease(wants(f"r{number}")) for number in range(3)]
        assert sorted(lease.slot for lease in leases) == [0, 1, 2]
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants("late", sticky_account_id=added.id))
        assert refused.value.reason is NoAccountReason.BUSY
        await store.release(leases[1], Outcome())
        assert (await store.lease(wants("late"))).slot == leases[1].slot

    async def test_a_killed_holders_slot_frees_itself(self, store: AccountStore, clock) -> None:
        await add_web(store, max_concurrency=1)
        await store.lease(wants("killed"))
        clock.advance(60 + TOLERANCE - 1)
        with pytest.raises(NoAccountError):
            await store.lease(wants("next"))
        clock.advance(2)
        assert (await store.lease(wants("next"))).owner == "next"

    async def test_a_killed_holders_slot_is_found_among_many_that_are_held(self, store: AccountStore, clock) -> None:
        """Guessing finds it one time in eight; the look at all slots must not take it for held."""
        await add_web(store, max_concurrency=8)
        held = [await store.extend(await store.lease(wants(f"r{number}")), 3600) for number in range(7)]
        for number in range(4):
            last = await store.lease(wants(f"killed{number}"))
            assert last.slot not in {lease.slot for lease in held}
            clock.advance(61 + TOLERANCE)

    async def test_an_extended_lease_lives_longer_and_a_lost_one_is_not_extended(
        self, store: AccountStore, clock
    ) -> None:
        await add_web(store, max_concurrency=1)
        lease = await store.lease(wants("long"))
        clock.advance(50)
        lease = await store.extend(lease, 60)
        clock.advance(50)
        with pytest.raises(NoAccountError):
            await store.lease(wants("next"))
        clock.advance(20 + TOLERANCE)
        await store.lease(wants("next"))
        with pytest.raises(ConflictError):
            await store.extend(lease, 60)

    async def test_an_expired_lease_that_nobody_took_can_still_be_extended(self, store: AccountStore, clock) -> None:
        await add_web(store, max_concurrency=1)
        lease = await store.lease(wants("frozen"))
        clock.advance(100)
        lease = await store.extend(lease, 60)
        with pytest.raises(NoAccountError):
            await store.lease(wants("next"))
        await store.release(lease, Outcome())
        await store.lease(wants("next"))

    async def test_a_late_release_does_not_free_the_next_holders_slot(self, store: AccountStore, clock) -> None:
        await add_web(store, max_concurrency=1)
        late = await store.lease(wants("late"))
        clock.advance(61 + TOLERANCE)
        await store.lease(wants("next"))
        await store.release(late, Outcome(code="rate_limited", retry_after_seconds=5))
        assert (await store.get_account(late.account.id)).last_error == "rate_limited", "it still records"
        clock.advance(6)
        with pytest.raises(NoAccountError):
            await store.lease(wants("third"))

    async def test_releasing_twice_books_once(self, store: AccountStore, clock) -> None:
        await add_web(store)
        lease = await store.lease(wants())
        for _ in range(2):
            await store.release(lease, Outcome(), usage=SendRecord(points=7))
        [row] = await store.usage(day="2027-01-15")
        assert (row["requests"], row["points"]) == (1, 7)

    async def test_a_sticky_account_is_taken_if_it_can_be_had(self, store: AccountStore) -> None:
        accounts = [await add_web(store, f"label {number}", max_concurrency=1) for number in range(4)]
        wanted = accounts[2].id
        lease = await store.lease(wants(sticky_account_id=wanted))
        assert lease.account.id == wanted
        assert (await store.lease(wants("r2", sticky_account_id=wanted))).account.id != wanted
        assert (await store.lease(wants("r3", sticky_account_id="acct_gone"))).account.id != wanted

    async def test_kinds_are_tried_in_order(self, store: AccountStore) -> None:
        web = await add_web(store, max_concurrency=1)
        official = await store.put_account(
            kind=AccountKind.OFFICIAL, label="key", credentials=OFFICIAL, max_concurrency=1
        )
        first = await store.lease(wants("r1", kinds=(AccountKind.OFFICIAL, AccountKind.WEB)))
        second = await store.lease(wants("r2", kinds=(AccountKind.OFFICIAL, AccountKind.WEB)))
        assert [first.account.id, second.account.id] == [official.id, web.id]
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants("r3", kinds=(AccountKind.OFFICIAL,)))
        assert refused.value.reason is NoAccountReason.BUSY

    async def test_excluded_accounts_are_passed_over(self, store: AccountStore) -> None:
        first, second = await add_web(store, "1"), await add_web(store, "2")
        assert (await store.lease(wants(exclude=frozenset({first.id})))).account.id == second.id
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants(exclude=frozenset({first.id, second.id}), sticky_account_id=first.id))
        assert refused.value.reason is NoAccountReason.COOLING_DOWN

    async def test_premium_requests_go_to_accounts_not_known_to_lack_a_subscription(self, store: AccountStore) -> None:
        free, paid = await add_web(store, "free"), await add_web(store, "paid", max_concurrency=1)
        await store.record_reading(free.id, BalanceReading(3000, subscribed=False))
        await store.record_reading(paid.id, BalanceReading(3000, subscribed=True))
        assert (await store.lease(wants(subscribed_only=True))).account.id == paid.id
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants("r2", subscribed_only=True, sticky_account_id=free.id))
        assert refused.value.reason is NoAccountReason.BUSY

    async def test_nobody_there_at_all(self, store: AccountStore) -> None:
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants())
        assert (refused.value.reason, refused.value.retry_at) == (NoAccountReason.NONE_CONFIGURED, None)


class TestOutcomes:
    async def test_an_outcome_of_another_scope_does_not_touch_the_account(self, store: AccountStore) -> None:
        await add_web(store)
        for code, scope in (("challenge", "network"), ("invalid_request", "request"), ("bot_failed", "bot")):
            lease = await store.lease(wants())
            await store.release(lease, Outcome(code=code, scope=scope, bot="claude"))
        account = await store.get_account(lease.account.id)
        assert (account.consecutive_errors, account.last_error, account.eligible_at) == (0, None, 0.0)

    async def test_a_bot_limit_passes_the_account_over_for_that_bot_only(self, store: AccountStore, clock) -> None:
        limited, other = await add_web(store, "1"), await add_web(store, "2")
        lease = await store.lease(wants(sticky_account_id=limited.id, bot="Claude"))
        outcome = Outcome(code="bot_limit_reached", scope="bot", bot="Claude", retry_after_seconds=100)
        await store.release(lease, outcome)
        for attempt in range(4):
            taken = await store.lease(wants(f"r{attempt}", sticky_account_id=limited.id, bot="claude"))
            assert taken.account.id == other.id
            await store.release(taken, Outcome())
        assert (await store.lease(wants(sticky_account_id=limited.id, bot="gpt"))).account.id == limited.id
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants("r9", exclude=frozenset({other.id}), bot="claude"))
        assert (refused.value.reason, refused.value.retry_at) == (NoAccountReason.COOLING_DOWN, clock() + 100)
        clock.advance(101)
        assert (await store.lease(wants("r10", exclude=frozenset({other.id})))).account.id == limited.id

    async def test_limits_that_old_credentials_reached_do_not_bind_new_ones(self, store: AccountStore) -> None:
        await add_web(store)
        for bot in ("claude", "gpt"):
            lease = await store.lease(wants(bot=bot))
            await store.release(lease, Outcome(code="bot_limit_reached", scope="bot", bot=bot))
            if bot == "claude":
                await add_web(store)
        with pytest.raises(NoAccountError):
            await store.lease(wants(bot="gpt"))
        await store.lease(wants(bot="claude"))

    async def test_a_rate_limited_account_waits_and_comes_back_by_itself(self, store: AccountStore, clock) -> None:
        await add_web(store)
        await store.release(await store.lease(wants()), Outcome(code="rate_limited", retry_after_seconds=30))
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants())
        assert (refused.value.reason, refused.value.retry_at) == (NoAccountReason.COOLING_DOWN, clock() + 30)
        clock.advance(31)
        await store.release(await store.lease(wants()), Outcome())
        account = await store.get_account(refused_account(await store.list_accounts()))
        assert (account.consecutive_errors, account.last_error) == (0, None)

    async def test_an_account_without_points_waits_for_its_own_grant(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        await store.record_reading(added.id, BalanceReading(12, next_grant_at=clock() + 5_000))
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants())
        assert refused.value.reason is NoAccountReason.NO_POINTS
        assert refused.value.retry_at is not None
        assert clock() + 5_000 < refused.value.retry_at < clock() + 5_120
        clock.advance(5_120)
        assert (await store.lease(wants())).account.points.balance == 12

    async def test_too_few_points_for_one_bot_leave_the_account_to_cheaper_ones(
        self, store: AccountStore, clock
    ) -> None:
        added = await add_web(store)
        await store.record_reading(added.id, BalanceReading(500, next_grant_at=clock() + 5_000))
        await store.release(await store.lease(wants(bot="dear")), Outcome(code="insufficient_points", bot="dear"))
        assert (await store.get_account(added.id)).refresh_due_at == clock()
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants(bot="dear"))
        assert (refused.value.reason, refused.value.retry_at) == (NoAccountReason.NO_POINTS, clock() + 5_030)
        await store.release(await store.lease(wants(bot="cheap")), Outcome(code="insufficient_points", bot="cheap"))
        with pytest.raises(NoAccountError) as refused:
            await store.lease(wants(bot="free"))
        assert refused.value.reason is NoAccountReason.NO_POINTS

    async def test_refused_credentials_log_out_only_after_a_reading_confirms(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        await store.record_reading(added.id, BalanceReading(3000))
        await store.release(await store.lease(wants()), Outcome(code="not_authenticated"))
        doubted = await store.get_account(added.id)
        assert (doubted.state, doubted.refresh_due_at) == (AccountState.ACTIVE, clock())
        assert doubted.eligible_at > clock()
        confirmed = await store.record_reading(added.id, Outcome(code="not_authenticated"))
        assert confirmed.state is AccountState.LOGGED_OUT
        assert confirmed.refresh_due_at > clock()
        assert await store.count_eligible() == 0
        assert [i async for i in store.due_accounts(now=confirmed.refresh_due_at)] == [added.id], "probed again later"
        assert (await store.record_reading(added.id, BalanceReading(50))).state is AccountState.ACTIVE
        assert await store.count_eligible() == 1

    async def test_what_old_credentials_did_says_nothing_about_new_ones(self, store: AccountStore) -> None:
        added = await add_web(store)
        lease = await store.lease(wants())
        replaced = await add_web(store)
        await store.release(lease, Outcome(code="not_authenticated"), session_data={"form_key": "old"})
        await store.record_reading(added.id, Outcome(code="not_authenticated"), credentials_version=1)
        assert await store.read_credentials(added.id) == (replaced, WEB, None)
        assert len([await store.lease(wants(f"r{n}")) for n in range(2)]) == 2, "its slot is free all the same"

    async def test_session_data_reaches_the_next_holder(self, store: AccountStore) -> None:
        await add_web(store)
        data = {"form_key": "abc", "bots": {"claude": 7}}
        await store.release(await store.lease(wants()), Outcome(), session_data=data)
        lease = await store.lease(wants())
        assert lease.session_data == data
        await store.release(lease, Outcome())
        assert (await store.read_credentials(lease.account.id))[2] == data

    async def test_a_lease_and_a_failure_show_no_secret(self, store: AccountStore) -> None:
        await add_web(store)
        lease = await store.lease(wants())
        assert "cookie" not in repr(lease) + repr(vars(store))

    async def test_releasing_a_deleted_accounts_lease_still_books(self, store: AccountStore) -> None:
        added = await add_web(store)
        lease = await store.lease(wants())
        await store.delete_account(added.id)
        await store.release(lease, Outcome(), usage=SendRecord())
        assert len(await store.usage(day="2027-01-15")) == 1
        with pytest.raises(AccountNotFoundError):
            await store.get_account(added.id)


class TestReadings:
    async def test_a_new_account_is_due_and_the_longest_overdue_comes_first(self, store: AccountStore, clock) -> None:
        ids = []
        for number in range(3):
            ids.append((await add_web(store, f"label {number}")).id)
            clock.advance(1)
        assert [i async for i in store.due_accounts(now=clock())] == ids
        assert [i async for i in store.due_accounts(now=clock(), limit=2)] == ids[:2]

    async def test_a_claim_keeps_others_off_and_expires(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        assert await store.claim_refresh(added.id, now=clock(), lease_seconds=30)
        assert not await store.claim_refresh(added.id, now=clock(), lease_seconds=30)
        assert not await store.claim_refresh(added.id, now=clock(), lease_seconds=30, force=True)
        assert [i async for i in store.due_accounts(now=clock())] == []
        clock.advance(31)
        assert [i async for i in store.due_accounts(now=clock())] == [added.id]
        assert await store.claim_refresh(added.id, now=clock(), lease_seconds=30)
        assert not await store.claim_refresh("acct_gone", now=clock(), lease_seconds=30)

    async def test_a_forced_claim_takes_an_account_that_is_not_due(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        await store.record_reading(added.id, BalanceReading(100))
        assert not await store.claim_refresh(added.id, now=clock(), lease_seconds=30)
        assert await store.claim_refresh(added.id, now=clock(), lease_seconds=30, force=True)

    async def test_a_recorded_reading_ends_the_claim(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        for reading in (BalanceReading(balance=5), Outcome(code="timeout", scope="network")):
            assert await store.claim_refresh(added.id, now=clock(), lease_seconds=300, force=True)
            await store.record_reading(added.id, reading)

    async def test_a_reading_sets_balance_and_next_due_time(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        grant = clock() + 7_200
        read = await store.record_reading(
            added.id, BalanceReading(2500, True, 3000, grant), session_data={"channel": "c"}
        )
        assert (read.points.balance, read.points.read_at, read.points.allotment) == (2500, clock(), 3000)
        assert grant < read.refresh_due_at < grant + 3_600
        assert read == await store.get_account(added.id)
        assert (await store.read_credentials(added.id))[2] == {"channel": "c"}
        unknown = await store.record_reading(added.id, BalanceReading(None))
        assert unknown.points == read.points, "what Poe does not say is not zero"
        with pytest.raises(AccountNotFoundError):
            await store.record_reading("acct_gone", BalanceReading(1))

    async def test_disabled_accounts_are_not_due(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        await store.set_account_state(added.id, AccountState.DISABLED)
        assert [i async for i in store.due_accounts(now=clock() + 1e6)] == []

    async def test_a_failed_reading_is_tried_again_later_and_blames_nobody(self, store: AccountStore, clock) -> None:
        added = await add_web(store)
        failed = await store.record_reading(added.id, Outcome(code="timeout", scope="network"))
        assert failed.refresh_due_at > clock()
        assert (failed.state, failed.eligible_at, failed.last_error) == (AccountState.ACTIVE, 0.0, None)


def refused_account(page) -> str:
    [account] = page.items
    return account.id
