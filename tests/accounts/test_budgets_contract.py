"""Limits of keys: reserved before anything is spent, corrected afterwards, whatever the store keeps them in."""

from __future__ import annotations

import asyncio

import pytest

from accounts import (
    DEFAULT_POLICY,
    AccountKind,
    AccountStore,
    Admission,
    ApiKey,
    ConflictError,
    Intention,
    KeyNotFoundError,
    KeyRole,
    Lease,
    LeaseRequest,
    Outcome,
    Reservation,
    SendRecord,
    SettledBy,
    Settlement,
)

DAY = 86_400
TOLERANCE = DEFAULT_POLICY.clock_tolerance_seconds


async def add(store: AccountStore, kind: AccountKind = AccountKind.OFFICIAL) -> None:
    for number in range(4):
        await store.put_account(kind=kind, label=f"a{number}", credentials={"api_key": "k"}, max_concurrency=16)


async def reserve(store: AccountStore, key: ApiKey, owner: str, points: int = 20, **more: int) -> Admission:
    return await store.reserve_budget(key, Reservation(owners=[owner], points=points, **more))


async def take(store: AccountStore, key: ApiKey, owner: str, admission: Admission, estimate: int | None = 20) -> Lease:
    intention = Intention(key_id=key.id, model="m", estimate=estimate, reserved=admission.reserved)
    return await store.lease(LeaseRequest(owner=owner, bot="m", ttl_seconds=60, intention=intention))


class TestReservations:
    @pytest.mark.parametrize("kind", AccountKind)
    async def test_forty_at_once_against_a_budget_of_ten_let_ten_pass(self, store: AccountStore, kind) -> None:
        await add(store, kind)
        key, _ = await store.create_key(name="k", points_per_day=200)

        async def ask(number: int) -> bool:
            admission = await reserve(store, key, f"o{number}")
            if admission.over is not None:
                assert admission.over.limit == "budget"
                assert admission.reserved is None
                return False
            lease = await take(store, key, f"o{number}", admission)
            await asyncio.sleep(0)
            usage = SendRecord(points=20 if kind is AccountKind.WEB else None)
            await store.release(lease, Outcome(), usage=usage)
            return True

        assert sum(await asyncio.gather(*(ask(number) for number in range(40)))) == 10
        assert (await store.key_use(key.id)).points_today == 200

    async def test_what_was_reserved_is_replaced_by_what_was_spent(self, store: AccountStore, clock) -> None:
        await add(store, AccountKind.WEB)
        key, _ = await store.create_key(name="k", points_per_day=100, tokens_per_month=1_000)
        admission = await reserve(store, key, "o1", points=60, tokens=500)
        assert (admission.use.points_today, admission.use.tokens_this_month) == (60, 500)
        assert (await reserve(store, key, "o2", points=60)).over is not None
        lease = await take(store, key, "o1", admission)
        usage = SendRecord(points=7, prompt_tokens=100, completion_tokens=20)
        for _ in range(2):
            await store.release(lease, Outcome(), usage=usage)
        use = await store.key_use(key.id)
        assert (use.points_today, use.points_this_month, use.tokens_today, use.tokens_this_month) == (7, 7, 120, 120)
        assert use.last_used_at == clock()
        assert use.last_success_at == clock()
        assert (await reserve(store, key, "o3", points=93, tokens=1)).over is None

    async def test_the_last_success_is_noted_with_the_correction_and_a_failure_leaves_it(
        self, store: AccountStore, clock
    ) -> None:
        await add(store)
        key, _ = await store.create_key(name="k", points_per_day=100)
        for number, code in enumerate(("upstream_error", "ok", "cancelled")):
            clock.advance(10)
            owner = f"o{number}"
            lease = await take(store, key, owner, await reserve(store, key, owner))
            await store.release(lease, Outcome(code=code, scope="request"), usage=SendRecord(points=1))
            use = await store.key_use(key.id)
            assert use.last_used_at == clock()
            answered = {0: None, 1: clock(), 2: clock() - 10}[number]
            assert use.last_success_at == answered

    async def test_an_unknown_cost_keeps_what_was_reserved_until_it_is_settled(self, store: AccountStore) -> None:
        await add(store)
        key, _ = await store.create_key(name="k", points_per_day=100)
        lease = await take(store, key, "o", await reserve(store, key, "o", points=50), estimate=None)
        await store.release(lease, Outcome(), usage=SendRecord())
        assert (await store.key_use(key.id)).points_today == 50
        await store.settle([Settlement(entry_id=lease.entry_id, points=None, by=SettledBy.NONE)])
        assert (await store.key_use(key.id)).points_today == 50
        await store.settle([Settlement(entry_id=lease.entry_id, points=8, by=SettledBy.HISTORY)])
        assert (await store.key_use(key.id)).points_today == 8

    async def test_a_settlement_on_another_day_moves_that_days_counter_only(self, store: AccountStore, clock) -> None:
        await add(store)
        key, _ = await store.create_key(name="k", points_per_day=100)
        lease = await take(store, key, "o", await reserve(store, key, "o", points=50), estimate=50)
        await store.release(lease, Outcome(), usage=SendRecord())
        clock.advance(DAY)
        await store.settle([Settlement(entry_id=lease.entry_id, points=60, by=SettledBy.HISTORY)])
        use = await store.key_use(key.id)
        assert (use.points_today, use.points_this_month) == (0, 60)

    async def test_nothing_sent_costs_nothing(self, store: AccountStore) -> None:
        await add(store)
        key, _ = await store.create_key(name="k", points_per_day=100)
        lease = await take(store, key, "o1", await reserve(store, key, "o1"))
        await store.release(lease, Outcome(code="cancelled", scope="request"))
        await reserve(store, key, "o2")
        for _ in range(2):
            await store.cancel_reservation(key.id, "o2")
        assert (await store.key_use(key.id)).points_today == 0

    async def test_several_are_reserved_together_or_not_at_all(self, store: AccountStore) -> None:
        key, _ = await store.create_key(name="k", points_per_day=100, requests_per_minute=10)
        wanted = Reservation(owners=["a", "b", "c"], points=40, requests=3)
        assert (await store.reserve_budget(key, wanted)).over is not None
        assert (await store.key_use(key.id)).requests_this_minute == 0
        use = (await store.reserve_budget(key, Reservation(owners=["a", "b"], points=40, requests=2))).use
        assert (use.points_today, use.requests_this_minute) == (80, 2)
        with pytest.raises(ValueError, match="100"):
            await store.reserve_budget(key, Reservation(owners=[str(n) for n in range(101)]))

    async def test_a_killed_holders_reservation_becomes_what_its_entry_says(self, store: AccountStore, clock) -> None:
        await add(store)
        key, _ = await store.create_key(name="k", points_per_day=100)
        await take(store, key, "killed", await reserve(store, key, "killed", points=50), estimate=30)
        clock.advance(61 + TOLERANCE)
        assert await store.recover_slots() == 1
        assert (await store.key_use(key.id)).points_today == 30
        assert await store.repair_limits(key.id) == 0

    async def test_a_reservation_that_met_no_lease_ends_after_an_hour(self, store: AccountStore, clock) -> None:
        clock.advance(DAY - clock() % DAY)
        key, _ = await store.create_key(name="k", points_per_day=100, max_concurrent=1)
        await reserve(store, key, "killed", points=100)
        assert (await reserve(store, key, "late")).over is not None
        clock.advance(3_601)
        admission = await reserve(store, key, "next", points=100)
        assert (admission.over, admission.use.running, admission.use.points_today) == (None, 1, 100)

    async def test_a_booking_that_was_killed_before_its_correction_is_corrected_later(
        self, store: AccountStore, clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock.advance(DAY - clock() % DAY)
        await add(store, AccountKind.WEB)
        key, _ = await store.create_key(name="k", points_per_day=100)
        lease = await take(store, key, "o", await reserve(store, key, "o", points=50))

        async def killed(*_: object, **__: object) -> bool:
            raise asyncio.CancelledError

        with monkeypatch.context() as patched:
            patched.setattr(store, "_correct", killed)
            with pytest.raises(asyncio.CancelledError):
                await store.release(lease, Outcome(), usage=SendRecord(points=7))
        assert (await store.key_use(key.id)).points_today == 50
        clock.advance(3_601)
        assert await store.repair_limits(key.id) == 1
        assert (await store.key_use(key.id)).points_today == 7


class TestWindows:
    async def test_each_limit_says_which_it_is_and_when_it_ends(self, store: AccountStore, clock) -> None:
        clock.advance(20 - clock() % 60)
        limits = {
            "requests_per_minute": ("rate", 40.0),
            "points_per_day": ("budget", DAY - clock() % DAY),
            "tokens_per_day": ("tokens", DAY - clock() % DAY),
            "points_per_month": ("budget", None),
            "tokens_per_month": ("tokens", None),
            "max_concurrent": ("concurrency", 1.0),
        }
        for name, (limit, seconds) in limits.items():
            key, _ = await store.create_key(name=name, **{name: 1})
            wanted = {"points": 1, "tokens": 1, "requests": 1}
            assert (await reserve(store, key, "one", **wanted)).over is None
            over = (await reserve(store, key, "two", **wanted)).over
            assert over is not None
            assert over.limit == limit
            if seconds is not None:
                assert over == seconds
            else:
                assert DAY < over < 31 * DAY

    async def test_a_full_budget_keeps_out_what_costs_nothing(self, store: AccountStore) -> None:
        key, _ = await store.create_key(name="k", points_per_day=20)
        await reserve(store, key, "one")
        assert (await reserve(store, key, "two", points=0)).over is not None
        assert await store.count_request(key) is not None
        nothing, _ = await store.create_key(name="none", points_per_day=0)
        assert (await reserve(store, nothing, "one", points=0)).over is not None

    async def test_windows_that_are_over_leave_nothing_behind(self, store: AccountStore, clock) -> None:
        key, _ = await store.create_key(name="k", requests_per_minute=5, points_per_day=1_000)
        for number in range(5):
            await reserve(store, key, f"o{number}", requests=1)
            await store.cancel_reservation(key.id, f"o{number}")
            clock.advance(DAY)
        from accounts import _keys as keys

        item = await store._table.get(keys.limits(key.id))  # type: ignore[attr-defined]
        assert len([name for name in item if name.startswith(("r1", "r2", "r3", "pd"))]) <= 4

    async def test_counting_requests_takes_several_at_once(self, store: AccountStore) -> None:
        key, _ = await store.create_key(name="k", requests_per_minute=5)
        assert await store.count_request(key, 3) is None
        assert (await store.count_request(key, 3)) is not None
        assert await store.count_request(key, 2) is None

    async def test_an_unlimited_key_is_not_written(self, store: AccountStore) -> None:
        key, _ = await store.create_key(name="free")
        admission = await reserve(store, key, "o", requests=1)
        assert (admission.over, admission.reserved) == (None, None)
        assert (await store.key_use(key.id)).last_used_at is None


class TestEditing:
    async def test_settings_change_and_nothing_else(self, store: AccountStore, clock) -> None:
        key, secret = await store.create_key(name="k", models=["a"], requests_per_minute=3)
        changed = await store.update_key(
            key.id, models=["B-*"], ip_ranges=["10.0.0.1", "2001:db8::/32"], routes=["/v1/chat/*"], enabled=True
        )
        assert (changed.models, changed.ip_ranges, changed.routes) == (
            ("b-*",),
            ("10.0.0.1/32", "2001:db8::/32"),
            ("/v1/chat/*",),
        )
        assert (changed.name, changed.requests_per_minute, changed.version) == ("k", 3, 2)
        assert await store.find_key(secret) == changed == await store.get_key(key.id)
        assert (await store.update_key(key.id, requests_per_minute=None)).requests_per_minute is None
        await store.update_key(key.id, enabled=False)
        assert await store.find_key(secret) is None

    async def test_no_update_is_lost(self, store: AccountStore) -> None:
        key, _ = await store.create_key(name="k")
        await store.update_key(key.id, expected_version=1, name="new")
        with pytest.raises(ConflictError):
            await store.update_key(key.id, expected_version=1, name="newer")
        await asyncio.gather(*(store.update_key(key.id, **{name: 9}) for name in ("points_per_day", "tokens_per_day")))
        after = await store.get_key(key.id)
        assert (after.points_per_day, after.tokens_per_day, after.version) == (9, 9, 4)

    @pytest.mark.parametrize(
        "wrong", [{"ip_ranges": ["10.0.0.300"]}, {"routes": ["v1"]}, {"points_per_day": -1}, {"tokens_per_day": 10**16}]
    )
    async def test_settings_that_can_not_be_are_refused(self, store: AccountStore, wrong) -> None:
        key, _ = await store.create_key(name="k")
        with pytest.raises(ValueError, match=r"."):
            await store.update_key(key.id, **wrong)
        with pytest.raises(ValueError, match=r"."):
            await store.create_key(name="k2", **wrong)

    async def test_a_rotated_key_keeps_its_id_and_its_old_secret_for_a_while(self, store: AccountStore, clock) -> None:
        key, old = await store.create_key(name="k", points_per_day=50, role=KeyRole.VIEWER)
        await reserve(store, key, "o", points=50)
        rotated, new = await store.rotate_key(key.id, overlap_seconds=100)
        assert (rotated.id, rotated.version, rotated.role) == (key.id, 2, KeyRole.VIEWER)
        found_old, found_new = await store.find_key(old), await store.find_key(new)
        assert found_old is not None
        assert found_new == rotated
        assert (found_old.id, found_old.secret_expires_at) == (key.id, clock() + 100)
        assert (await reserve(store, rotated, "o2")).over is not None, "a new secret is no new budget"
        await store.update_key(key.id, name="renamed")
        found_old = await store.find_key(old)
        assert found_old is not None
        assert (found_old.name, found_old.secret_expires_at) == ("renamed", clock() + 100)
        clock.advance(100)
        assert await store.find_key(old) is None
        newest, _ = await store.rotate_key(key.id, overlap_seconds=0)
        assert await store.find_key(new) is None
        assert (await store.list_keys()).items == [newest]
        assert await store.revoke_key(key.id)
        assert await store.find_key(new) is None

    async def test_what_is_not_there(self, store: AccountStore) -> None:
        for call in (store.get_key("x"), store.update_key("x", name="y"), store.rotate_key("x", overlap_seconds=1)):
            with pytest.raises(KeyNotFoundError):
                await call
