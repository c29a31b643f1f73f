"""What only the DynamoDB store has to show: its cost, many processes at once, and large fleets."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from accounts import (
    AccountKind,
    AuditEntry,
    BalanceReading,
    ConflictError,
    Intention,
    LeaseRequest,
    NoAccountError,
    NoAccountReason,
    Outcome,
    SealBrokenError,
    SendRecord,
    StoreUnavailableError,
    _documents,
    open_store,
)
from accounts import _keys as keys
from accounts._dynamodb import DynamoDBAccountStore
from accounts._ledger import day_of
from accounts._table import put, update
from tests.accounts import lease_worker
from tests.accounts.stand_in import Aws, SteppedClock

# Small enough that a fleet of several pages is quickly made.
PAGE = 8
READS = {"GetItem", "Query", "BatchGetItem"}


class Counted:
    """A store whose calls are counted."""

    def __init__(self, aws: Aws, table_name: str, **options: Any) -> None:
        options.setdefault("rng", random.Random(7))
        self.store: DynamoDBAccountStore = aws.store(table_name, **options)
        self.calls: Counter[str] = Counter()
        client = self.store._table._aws
        call = client.call

        async def counted(service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
            self.calls[operation] += 1
            return await call(service, operation, payload)

        # The vault has the same client.
        client.call = counted

    @property
    def reads(self) -> int:
        return sum(count for name, count in self.calls.items() if name in READS)

    @property
    def kms(self) -> int:
        return self.calls["Encrypt"] + self.calls["Decrypt"]

    @property
    def writes(self) -> int:
        return self.calls.total() - self.reads - self.kms


def wants(owner: str = "r", **options: Any) -> LeaseRequest:
    options.setdefault("intention", Intention(key_id="k", model="m"))
    return LeaseRequest(owner=owner, bot="m", ttl_seconds=60, **options)


class OpenVault:
    """Seals nothing and binds nothing, so that one account's item can be copied to make a fleet."""

    async def seal(self, values: Mapping[str, Any], *, account_id: str, purpose: str) -> bytes:
        return json.dumps(dict(values)).encode()

    async def unseal(self, sealed: bytes, *, account_id: str, purpose: str) -> dict[str, Any]:
        return json.loads(sealed)


class WaitingVault(OpenVault):
    """Unseals when it may, and then perhaps not."""

    def __init__(self, *, fails: bool = False) -> None:
        self.may_unseal = asyncio.Event()
        self._fails = fails

    async def unseal(self, sealed: bytes, *, account_id: str, purpose: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            await self.may_unseal.wait()
        if self._fails:
            raise StoreUnavailableError("Decrypt", "KMSInternalException")
        return await super().unseal(sealed, account_id=account_id, purpose=purpose)


async def fill(store: DynamoDBAccountStore, count: int, **fields: Any) -> None:
    """A fleet of web accounts, `acct_0` and so on, with some fields set otherwise; needs `OpenVault`."""
    first = await store.put_account(kind=AccountKind.WEB, label="first", credentials={"p_b": "x"}, account_id="acct_0")
    item = {**await store._item(first.id), **fields}
    rng = random.Random(5)

    async def add(number: int) -> None:
        account_id = f"acct_{number}"
        place = keys.place_of(keys.account_of(item), 0.0, rng.random())
        copy = {**item, **keys.account(account_id), "account_id": account_id, "eligible_at": place}
        await store._table.write(put(copy))

    for start in range(0, count, 50):
        await asyncio.gather(*(add(number) for number in range(start, min(start + 50, count))))


class TestCost:
    """At most 2 reads and 3 writes per chat, key lookup and usage booking included, however many accounts."""

    @pytest.mark.parametrize("accounts", [1, 10, 300])
    async def test_a_chat_with_a_limited_key(self, aws: Aws, table_name: str, accounts: int) -> None:
        counted = Counted(aws, table_name, vault=OpenVault())
        store = counted.store
        await fill(store, accounts)
        _, secret = await store.create_key(name="k", requests_per_minute=100)
        costs = []
        for number in range(6):
            counted.calls.clear()
            key = await store.find_key(secret)
            assert key is not None
            assert await store.count_request(key) is None
            lease = await store.lease(wants(f"r{number}"))
            await store.release(lease, Outcome(), usage=SendRecord(points=5))
            costs.append((counted.reads, counted.writes))
        assert all(reads <= 2 and writes <= 3 for reads, writes in costs), costs

    async def test_a_warm_chat_calls_no_key_service(self, aws: Aws, table_name: str) -> None:
        counted = Counted(aws, table_name)
        await counted.store.put_account(kind=AccountKind.WEB, label="a", credentials={"p_b": "x"})
        for attempt, kms in ((0, 1), (1, 0)):
            counted.calls.clear()
            lease = await counted.store.lease(wants())
            await counted.store.release(lease, Outcome(), session_data={"form_key": "f"} if attempt == 0 else None)
            assert counted.kms == kms
            counted.calls.clear()
        cold = Counted(aws, table_name)
        await cold.store.lease(wants())
        assert cold.calls["Decrypt"] == 2

    async def test_credentials_are_unsealed_while_the_slot_is_taken(self, aws: Aws, table_name: str) -> None:
        vault = WaitingVault()
        counted = Counted(aws, table_name, vault=vault)
        await fill(counted.store, 1)
        write = counted.store._table.write

        async def written(*writes: Any) -> None:
            await write(*writes)
            vault.may_unseal.set()

        counted.store._table.write = written  # type: ignore[method-assign]
        lease = await counted.store.lease(wants())
        assert lease.credentials == {"p_b": "x"}

    async def test_no_slot_is_held_for_credentials_that_cannot_be_unsealed_now(self, aws: Aws, table_name: str) -> None:
        vault = WaitingVault(fails=True)
        vault.may_unseal.set()
        store = aws.store(table_name, vault=vault)
        await fill(store, 1)
        with pytest.raises(StoreUnavailableError):
            await store.lease(wants())
        assert await store.slots_in_use() == {}

    async def test_a_cancellation_while_the_slot_is_freed_is_not_lost(self, aws: Aws, table_name: str) -> None:
        class BrokenVault(OpenVault):
            async def unseal(self, sealed: bytes, *, account_id: str, purpose: str) -> dict[str, Any]:
                if account_id == "acct_0":
                    raise SealBrokenError("Decrypt", "damaged")
                return await super().unseal(sealed, account_id=account_id, purpose=purpose)

        store = aws.store(table_name, vault=BrokenVault())
        await fill(store, 2)
        undo = store._undo_taking
        leasing: list[asyncio.Task[Any]] = []

        async def cancelled(*args: Any) -> None:
            leasing[0].cancel()
            await undo(*args)

        store._undo_taking = cancelled  # type: ignore[method-assign]
        # The conversation's account is the broken one; another would do.
        leasing.append(asyncio.create_task(store.lease(wants(sticky_account_id="acct_0"))))
        with pytest.raises(asyncio.CancelledError):
            await leasing[0]
        assert await store.slots_in_use() == {}

    async def test_a_large_configuration_is_unpacked_when_it_has_changed(
        self, aws: Aws, table_name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, unpacked = aws.store(table_name), []
        unpack = _documents.unpack
        monkeypatch.setattr(_documents, "unpack", lambda packed: unpacked.append(1) or unpack(packed))
        for version in range(2):
            await store.put_config("large", {"version": version, "noise": "x" * 20_000})
            for _ in range(3):
                found = (await store.get_configs(["large"]))["large"]
                assert found["version"] == version
                # What one reader does to its copy is not the next one's.
                found["version"] = None
        assert len(unpacked) == 2
        await store.aclose()

    async def test_a_sticky_chat(self, aws: Aws, table_name: str) -> None:
        counted = Counted(aws, table_name, vault=OpenVault())
        await fill(counted.store, 3)
        counted.calls.clear()
        lease = await counted.store.lease(wants(sticky_account_id="acct_2"))
        await counted.store.release(lease, Outcome(), usage=SendRecord(points=5))
        assert lease.account.id == "acct_2"
        assert (counted.reads, counted.writes) == (1, 2)

    async def test_a_failed_chat_costs_no_more(self, aws: Aws, table_name: str) -> None:
        counted = Counted(aws, table_name, vault=OpenVault())
        await fill(counted.store, 3)
        counted.calls.clear()
        lease = await counted.store.lease(wants())
        outcome = Outcome(code="insufficient_points", bot="m")
        await counted.store.release(lease, outcome, usage=SendRecord(points=5))
        assert (counted.reads, counted.writes) == (1, 2)

    @pytest.mark.parametrize("kinds", list(itertools.permutations(AccountKind)), ids=lambda kinds: kinds[0].value)
    @pytest.mark.parametrize("kind", AccountKind)
    async def test_the_only_account_is_found_by_one_query(
        self, aws: Aws, table_name: str, kind: AccountKind, kinds: tuple[AccountKind, ...]
    ) -> None:
        counted = Counted(aws, table_name)
        await counted.store.put_account(kind=kind, label="a", credentials={"p_b": "x"})
        counted.calls.clear()
        await counted.store.lease(wants(kinds=kinds))
        assert counted.reads == 1

    async def test_an_account_used_a_moment_ago_is_not_written_again(
        self, aws: Aws, table_name: str, clock: SteppedClock
    ) -> None:
        counted = Counted(aws, table_name, clock=clock, vault=OpenVault())
        await fill(counted.store, 1)
        for seconds in (0, 1, 70):
            clock.advance(seconds)
            lease = await counted.store.lease(wants())
            await counted.store.release(lease, Outcome())
        first_used = (await counted.store.get_account(lease.account.id)).last_used_at
        assert first_used == clock()
        clock.advance(30)
        await counted.store.release(await counted.store.lease(wants()), Outcome())
        assert (await counted.store.get_account(lease.account.id)).last_used_at == first_used


class TestFleets:
    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("accounts._dynamodb.PAGE", PAGE)

    async def test_a_fleet_larger_than_a_page_is_used_all_over(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name, rng=random.Random(3), vault=OpenVault())
        await fill(store, 4 * PAGE)
        chosen = Counter()
        for number in range(60):
            lease = await store.lease(wants(f"r{number}"))
            chosen[lease.account.id] += 1
            await store.release(lease, Outcome())
        assert len(chosen) > 20
        assert max(chosen.values()) <= 10

    async def test_every_slot_of_a_large_fleet_can_be_had(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name, rng=random.Random(3), vault=OpenVault())
        await fill(store, PAGE + 5)
        leases = [await store.lease(wants(f"r{number}")) for number in range(2 * (PAGE + 5))]
        assert len({(lease.account.id, lease.slot) for lease in leases}) == 2 * (PAGE + 5)
        with pytest.raises(NoAccountError, match="busy"):
            await store.lease(wants("late"))

    async def test_the_few_subscribed_of_many_are_found(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name, rng=random.Random(3), vault=OpenVault())
        await fill(store, 3 * PAGE, subscribed=False)
        paid = await store.record_reading("acct_7", BalanceReading(100, subscribed=True))
        for number in range(2):
            await store.lease(wants(f"any-{number}", exclude=frozenset({paid.id})))
            assert (await store.lease(wants(f"r{number}", subscribed_only=True))).account.id == paid.id
        with pytest.raises(NoAccountError, match="busy"):
            await store.lease(wants("late", subscribed_only=True))

    async def test_the_preferred_kind_is_taken_even_if_the_other_fills_the_page(
        self, aws: Aws, table_name: str
    ) -> None:
        store = aws.store(table_name, rng=random.Random(3), vault=OpenVault())
        await fill(store, 2 * PAGE)
        official = await store.put_account(
            kind=AccountKind.OFFICIAL, label="o", credentials={"api_key": "k"}, max_concurrency=4
        )
        for number in range(4):
            lease = await store.lease(wants(f"r{number}", kinds=(AccountKind.OFFICIAL, AccountKind.WEB)))
            assert lease.account.id == official.id
        lease = await store.lease(wants("next", kinds=(AccountKind.OFFICIAL, AccountKind.WEB)))
        assert lease.account.kind is AccountKind.WEB

    async def test_those_whose_wait_is_over_are_found_without_anybody_moving_them(
        self, aws: Aws, table_name: str, clock: SteppedClock
    ) -> None:
        store = aws.store(table_name, clock=clock)
        waiting = await store.put_account(kind=AccountKind.WEB, label="w", credentials={"p_b": "x"})
        await store.release(await store.lease(wants()), Outcome(code="rate_limited", retry_after_seconds=10))
        assert await store.count_eligible() == 0
        clock.advance(11)
        assert await store.count_eligible() == 1
        for subscribed_only in (True, False):
            lease = await store.lease(wants(str(subscribed_only), subscribed_only=subscribed_only))
            assert lease.account.id == waiting.id


class TestManyAtOnce:
    async def test_many_tasks_never_hold_more_slots_than_there_are(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name)
        for number in range(2):
            await store.put_account(
                kind=AccountKind.WEB, label=str(number), credentials={"p_b": "x"}, max_concurrency=3
            )
        held: set[tuple[str, int]] = set()
        most = 0
        # The first ones keep their slots until there are several at once.
        crowded = asyncio.Event()

        async def work(name: str) -> None:
            nonlocal most
            for attempt in range(4):
                try:
                    lease = await store.lease(wants(f"{name}-{attempt}"))
                except NoAccountError:
                    continue
                slot = (lease.account.id, lease.slot)
                assert slot not in held, "a slot was given to two"
                held.add(slot)
                most = max(most, len(held))
                if most >= 3:
                    crowded.set()
                async with asyncio.timeout(20):
                    await crowded.wait()
                held.remove(slot)
                await store.release(lease, Outcome())

        await asyncio.gather(*(work(str(number)) for number in range(12)))
        assert 3 <= most <= 6

    async def test_two_processes_never_hold_the_same_slot(self, aws: Aws, table_name: str) -> None:
        """Each worker notes when it surely held a slot; no two notes for one slot may overlap."""
        store = aws.store(table_name)
        account = await store.put_account(kind=AccountKind.WEB, label="a", credentials={"p_b": "x"}, max_concurrency=2)
        environ = {**aws.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        workers = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                lease_worker.__file__,
                table_name,
                aws.kms_key_id,
                name,
                env=environ,
                stdout=asyncio.subprocess.PIPE,
            )
            for name in ("one", "two")
        ]
        outputs = await asyncio.wait_for(asyncio.gather(*(worker.communicate() for worker in workers)), 60)
        assert [worker.returncode for worker in workers] == [0, 0]
        lines = [line.split() for output, _ in outputs for line in output.decode().splitlines()]
        assert len(lines) == 2 * lease_worker.TASKS * lease_worker.ROUNDS
        slots: dict[str, list[tuple[float, float]]] = {}
        for slot, held_from, held_until in lines:
            slots.setdefault(slot, []).append((float(held_from), float(held_until)))
        assert set(slots) == {f"{account.id}/0", f"{account.id}/1"}
        for times in slots.values():
            ordered = sorted(times)
            assert all(before[1] <= after[0] for before, after in itertools.pairwise(ordered))
        [row] = await store.usage(day=day_of(time.time()))
        assert row["requests"] == len(lines), "every use was booked once"

    async def test_failures_and_successes_at_once_lose_no_error(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name)
        added = await store.put_account(kind=AccountKind.WEB, label="a", credentials={"p_b": "x"}, max_concurrency=6)
        leases = [await store.lease(wants(f"r{number}")) for number in range(6)]
        await asyncio.gather(*(store.release(lease, Outcome(code="odd")) for lease in leases))
        after = await store.get_account(added.id)
        assert after.consecutive_errors == 6
        assert after.version == added.version + 6

    async def test_one_label_added_by_many_at_once_is_one_account(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name)

        async def add() -> str:
            account = await store.put_account(kind=AccountKind.WEB, label="same", credentials={"p_b": "x"})
            return account.id

        ids = await asyncio.gather(*(add() for _ in range(4)))
        assert len(set(ids)) == 1
        assert len((await store.list_accounts()).items) == 1


class TestFaults:
    async def test_a_lost_answer_does_not_cost_a_slot(self, aws: Aws, table_name: str) -> None:
        """The put took the slot, the connection broke, the put was repeated: the slot is still this caller's."""
        store = aws.store(table_name)
        await store.put_account(kind=AccountKind.WEB, label="a", credentials={"p_b": "x"}, max_concurrency=1)
        client = store._table._aws
        call = client.call

        async def twice(service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
            if operation == "PutItem":
                await call(service, operation, payload)
            return await call(service, operation, payload)

        client.call = twice
        lease = await store.lease(wants("r1"))
        with pytest.raises(NoAccountError):
            await store.lease(wants("r1"))
        await store.release(lease, Outcome())
        await store.lease(wants("r2"))

    async def test_a_lost_answer_does_not_fail_what_was_recorded(self, aws: Aws, table_name: str) -> None:
        """An administrator's change was made and noted; only the answer to the note was lost."""
        store = aws.store(table_name)
        client = store._table._aws
        call = client.call

        async def twice(service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
            await call(service, operation, payload)
            return await call(service, operation, payload)

        client.call = twice
        now = time.time()
        kept = await store.record_audit(
            AuditEntry(at=now, action="create_account", actor_id="k", actor="k", target="a", status=201)
        )
        client.call = call
        assert (await store.list_audit(since=now - 60, until=now + 60)).items == [kept]

    async def test_a_table_that_is_not_there(self, aws: Aws) -> None:
        store = aws.store("no-such-table")
        with pytest.raises(StoreUnavailableError, match="ResourceNotFoundException"):
            await store.lease(wants())
        with pytest.raises(StoreUnavailableError):
            await store.put_config("a", {})
        await store.aclose()

    async def test_session_data_that_is_too_large_is_not_kept_but_the_slot_is_freed(
        self, aws: Aws, table_name: str
    ) -> None:
        store = aws.store(table_name)
        await store.put_account(kind=AccountKind.WEB, label="a", credentials={"p_b": "x"}, max_concurrency=1)
        lease = await store.lease(wants())
        noise = random.Random(1).randbytes(30_000).hex()
        await store.release(lease, Outcome(), session_data={"noise": noise})
        assert (await store.lease(wants())).session_data is None

    async def test_an_account_whose_seal_is_broken_is_passed_over(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name)
        good, broken = [await self._add(store, label) for label in ("good", "broken")]
        await self._swap_sealed(store, broken, "credentials", of=good)
        request = LeaseRequest(owner="o", bot="b", ttl_seconds=60)
        held = [await store.lease(replace(request, owner=f"o{number}")) for number in range(2)]
        assert {lease.account.id for lease in held} == {good}
        with pytest.raises(NoAccountError) as none:
            await store.lease(request)
        assert none.value.reason is NoAccountReason.BUSY
        with pytest.raises(SealBrokenError):
            await store.read_credentials(broken)
        await store.aclose()

    async def test_session_data_whose_seal_is_broken_is_derived_again(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name)
        await self._add(store, "only")
        lease = await store.lease(LeaseRequest(owner="o", bot="b", ttl_seconds=60))
        await store.release(lease, Outcome(), session_data={"form_key": "f"})
        await self._swap_sealed(store, lease.account.id, "session", with_="credentials")
        again = await store.lease(LeaseRequest(owner="o", bot="b", ttl_seconds=60))
        assert (again.credentials, again.session_data) == (lease.credentials, None)
        await store.aclose()

    async def _add(self, store: DynamoDBAccountStore, label: str) -> str:
        return (await store.put_account(kind=AccountKind.WEB, label=label, credentials={"p_b": label})).id

    async def _swap_sealed(
        self,
        store: DynamoDBAccountStore,
        account_id: str,
        name: str,
        *,
        of: str | None = None,
        with_: str | None = None,
    ) -> None:
        other = await store._table.get(keys.account(of or account_id))
        assert other is not None
        change = update(keys.account(account_id), f"SET {{{name}}} = :sealed", sealed=other[with_ or name])
        await store._table.write(change)

    async def test_secrets_in_the_table_are_sealed(self, aws: Aws, table_name: str) -> None:
        store = aws.store(table_name)
        await store.put_account(kind=AccountKind.WEB, label="a", credentials={"p_b": "cookie-value"})
        await store.release(await store.lease(wants()), Outcome(), session_data={"form_key": "form-key-value"})
        _, secret = await store.create_key(name="k")
        answer = await store._table._aws.call("dynamodb", "Scan", {"TableName": table_name})
        everything = repr(answer)
        for hidden in ("cookie-value", "form-key-value", secret):
            assert hidden not in everything

    async def test_a_write_that_always_loses_gives_up(self, aws: Aws, table_name: str, monkeypatch) -> None:
        store = aws.store(table_name)
        added = await store.put_account(kind=AccountKind.WEB, label="a", credentials={"p_b": "x"})
        get_account = store.get_account

        async def overtaken(account_id: str):
            account = await get_account(account_id)
            await store._table.write(store._save(account, replace(account, version=account.version + 1), 0.0))
            return account

        monkeypatch.setattr(store, "get_account", overtaken)
        with pytest.raises(ConflictError):
            await store.record_reading(added.id, BalanceReading(1))


class TestOpening:
    def test_names_are_needed(self, aws: Aws) -> None:
        for options in ({"table": "", "kms_key_id": "k"}, {"table": "t", "kms_key_id": ""}):
            with pytest.raises(ValueError, match="names"):
                open_store(**options, environ=aws.environ)

    async def test_a_store_opened_by_name_works_and_ends(self, aws: Aws, table_name: str) -> None:
        store = open_store(table=table_name, kms_key_id=aws.kms_key_id, environ=aws.environ)
        await store.put_config("a", {"b": 1})
        assert await store.get_config("a") == {"b": 1}
        await store.aclose()


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_lease_cancelled_while_its_slot_is_taken_is_given_back(
    aws: Aws, table_name: str, is_taken: bool
) -> None:
    """The request is with AWS by then, which takes the slot although nobody waits for the answer any more."""
    store: DynamoDBAccountStore = aws.store(table_name)
    account = await store.put_account(
        kind=AccountKind.OFFICIAL, label="one", credentials={"api_key": "x"}, max_concurrency=1
    )
    if is_taken:
        await aws.store(table_name).lease(wants("other"))
    client, asked, may_go_on, is_answered = store._table._aws, *(asyncio.Event() for _ in range(3))
    send = client._send

    async def delayed(service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if operation != "PutItem":
            return await send(service, operation, payload)
        asked.set()
        await may_go_on.wait()
        try:
            return await send(service, operation, payload)
        finally:
            is_answered.set()

    client._send = delayed
    leasing = asyncio.create_task(store.lease(wants()))
    await asked.wait()
    for _ in range(2):
        leasing.cancel()
        await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.02, may_go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await leasing
    await is_answered.wait()
    slot = await store._table.get(keys.slot(account.id, 0))
    assert (slot or {}).get("owner") == ("other" if is_taken else None)
    await store.aclose()
