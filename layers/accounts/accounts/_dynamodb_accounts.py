"""Accounts in DynamoDB: adding, reading and changing them, and the readings of their balance."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from accounts import _keys
from accounts._account_model import Account, AccountKind, AccountState, BalanceReading, Claim, Outcome
from accounts._at_once import at_once
from accounts._dynamodb_balances import DynamoDBBalances
from accounts._dynamodb_keys import IS_ABSENT, MAX_RACES
from accounts._exceptions import AccountNotFoundError, ConflictError, SealBrokenError, StoreUnavailableError
from accounts._identity import check_account_id, new_account_id
from accounts._items import Item
from accounts._own_slots import OwnSlots
from accounts._page import Page
from accounts._remembered import RememberedAccounts
from accounts._table import ConditionFailed, Table, Write, assignments, delete, put, update
from accounts._transitions import DEFAULT_POLICY, Policy, apply_reading, change_state, new_account, replace_credentials
from accounts._vault import Vault

DUE_PAGE = 100
DEFAULT_CONCURRENCY = 2

IS_UNCHANGED = "{version} = :expected"


class DynamoDBAccounts(DynamoDBBalances):
    """The accounts of the store, and their readings."""

    def __init__(
        self,
        table: Table,
        vault: Vault,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        super().__init__(table, clock=clock, rng=rng)
        self._vault = vault
        self._policy = policy
        # Kinds of which no account could be chosen a moment ago are looked for last.
        self._absent_until: dict[AccountKind, float] = {}
        self._own_slots = OwnSlots()
        self._remembered = RememberedAccounts()

    async def put_account(
        self,
        *,
        kind: AccountKind,
        label: str,
        credentials: Mapping[str, str],
        account_id: str | None = None,
        max_concurrency: int | None = None,
    ) -> Account:
        entry = _keys.directory_entry(kind, label)
        for _ in range(MAX_RACES):
            holder = (await self._table.get(entry) or {}).get("account_id")
            if account_id is not None and holder not in (None, account_id):
                raise ConflictError("another account has this kind and label")
            chosen_id = account_id or holder or new_account_id()
            check_account_id(chosen_id)
            # Bound to the account's id: copied to another account, the credentials would not open.
            sealed = await self._vault.seal(credentials, account_id=chosen_id, purpose="credentials")
            item = await self._table.get(_keys.account(chosen_id))
            now = self._clock()
            if item is None:
                account = new_account(
                    chosen_id, kind, label, now, max_concurrency=max_concurrency or DEFAULT_CONCURRENCY
                )
                writes = self._add_writes(account, sealed, now)
            else:
                before = _keys.account_of(item)
                account = replace_credentials(before, now, kind=kind, label=label, max_concurrency=max_concurrency)
                account = replace(account, version=before.version + 1, updated_at=now)
                writes = self._replace_writes(before, account, sealed, now)
            # One account per kind and label, held by an item of its own: no query could keep out a second one that is
            # added at the same time.
            claim_label = put({**entry, "account_id": chosen_id}, f"{IS_ABSENT} OR {{account_id}} = :id", id=chosen_id)
            try:
                await self._table.write(*writes, claim_label)
            except ConditionFailed:
                continue
            # This sandbox finds it at once, others when they next read which accounts there are.
            self._absent_until.pop(kind, None)
            self._remembered.forget()
            if item is None:
                await self._count_fleet(kind, 1)
            elif before.kind is not kind:
                await self._count_fleet(before.kind, -1)
                await self._count_fleet(kind, 1)
            return account
        raise ConflictError("the account is being changed by others all the time")

    async def update_account(
        self, account_id: str, *, label: str | None = None, max_concurrency: int | None = None
    ) -> Account:
        for _ in range(MAX_RACES):
            before, now = await self.get_account(account_id), self._clock()
            after = replace(
                before,
                label=before.label if label is None else label,
                max_concurrency=before.max_concurrency if max_concurrency is None else max_concurrency,
                version=before.version + 1,
                updated_at=now,
            )
            writes = [self._save(before, after, now)]
            old, new = (_keys.directory_entry(x.kind, x.label) for x in (before, after))
            if new != old:
                # Its own is fine: an earlier try may have written it, and only the answer was lost.
                condition = f"{IS_ABSENT} OR {{account_id}} = :id"
                writes += [delete(old), put({**new, "account_id": account_id}, condition, id=account_id)]
            try:
                await self._table.write(*writes)
            except ConditionFailed as failed:
                if len(writes) > 1 and len(writes) - 1 in failed.found:
                    raise ConflictError("another account has this kind and label") from failed
                continue
            return after
        raise ConflictError("the account is being changed by others all the time")

    async def get_account(self, account_id: str) -> Account:
        return _keys.account_of(await self._item(account_id))

    async def get_accounts(self, account_ids: Collection[str]) -> dict[str, Account]:
        # Half the price, and a name that was changed a second ago may be the old one.
        items = await self._items([*map(_keys.account, set(account_ids))], is_consistent=False)
        accounts = map(_keys.account_of, items.values())
        return {account.id: account for account in accounts}

    async def slots_in_use(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        after: Mapping[str, Any] | None = None
        while True:
            found = await self._table.query(
                "{due_pk} = :partition", index=_keys.DUE_INDEX, after=after, partition=_keys.SLOTS_PARTITION
            )
            counts.update(_keys.account_id_of(key) for key in found.items)
            if (after := found.next_key) is None:
                return dict(counts)

    async def list_accounts(self, *, limit: int = 50, cursor: str | None = None) -> Page[Account]:
        entries, next_cursor = await self._directory(_keys.ACCOUNTS_DIRECTORY, limit, cursor)
        items = await self._table.get_many([_keys.account(entry["account_id"]) for entry in entries])
        return Page(sorted(map(_keys.account_of, items), key=lambda account: account.id), next_cursor)

    async def set_account_state(self, account_id: str, state: AccountState) -> Account:
        # An account that was switched on is to be found at once.
        self._absent_until.clear()
        changed = await self._change(account_id, lambda account, now: change_state(account, state, now))
        self._remembered.forget()
        return changed

    async def delete_account(self, account_id: str) -> None:
        kind = await self._delete_entry(account_id)
        self._remembered.forget()
        # Slots stay: what they are spending becomes ledger entries when they are released, or found to be lost.
        await self._table.write(delete(_keys.settlement(account_id)))
        if kind is not None:
            await self._count_fleet(kind, -1)

    async def read_credentials(self, account_id: str) -> tuple[Account, Mapping[str, str], Mapping[str, Any] | None]:
        item = await self._item(account_id)
        credentials, session_data = await self._unseal(item)
        return _keys.account_of(item), credentials, session_data

    async def check_vault(self) -> None:
        await self._vault.check()

    async def put_sealed_config(self, name: str, value: Mapping[str, Any]) -> None:
        # Bound to its name: one setting's secret can't be put in another's place.
        sealed = await self._vault.seal(value, account_id=f"config#{name}", purpose="config")
        await self._table.write(put({**_keys.config(name), "sealed": sealed}))

    async def get_sealed_config(self, name: str) -> dict[str, Any] | None:
        item = await self._table.get(_keys.config(name))
        if item is None or "sealed" not in item:
            return None
        return await self._vault.unseal(item["sealed"], account_id=f"config#{name}", purpose="config")

    async def count_eligible(self, *, at_most: int = 100) -> int:
        counted = 0
        after: Mapping[str, Any] | None = None
        while counted < at_most:
            found = await self._table.query(
                "{sel_pk} = :partition AND {eligible_at} <= :now",
                index=_keys.SELECTABLE_INDEX,
                # Counting stops there: reading the index costs as much as the items that it counts.
                limit=at_most - counted,
                after=after,
                is_count=True,
                partition=_keys.SELECTABLE_PARTITION,
                now=self._clock(),
            )
            counted += found.count
            if (after := found.next_key) is None:
                break
        return counted

    async def due_accounts(self, *, now: float, limit: int = 1000) -> AsyncIterator[str]:
        after: Mapping[str, Any] | None = None
        left = limit
        while left > 0:
            found = await self._table.query(
                "{due_pk} = :partition AND {due_at} <= :now",
                index=_keys.DUE_INDEX,
                limit=min(left, DUE_PAGE),
                after=after,
                partition=_keys.DUE_PARTITION,
                now=now,
            )
            for key in found.items:
                yield _keys.account_id_of(key)
            left -= len(found.items)
            if (after := found.next_key) is None:
                return

    async def claim_refresh(self, account_id: str, *, now: float, lease_seconds: float, force: bool = False) -> bool:
        return await self._claim(account_id, now, lease_seconds, force=force) is not None

    async def claim_reading(
        self, account_id: str, *, now: float, lease_seconds: float, force: bool = False
    ) -> Claim | None:
        item = await self._claim(account_id, now, lease_seconds, force=force)
        if item is None:
            return None
        credentials, session_data = await self._unseal(item)
        return Claim(account=_keys.account_of(item), credentials=credentials, session_data=session_data)

    async def record_reading(
        self,
        account_id: str,
        reading: BalanceReading | Outcome,
        *,
        session_data: Mapping[str, Any] | None = None,
        credentials_version: int | None = None,
        claimed: Account | None = None,
        is_by_owner: bool = False,
    ) -> Account:
        # The claim ends with the reading that it was for.
        extra = {"claimed_until": None, **await self._sealed_session(account_id, session_data)}
        read_with = credentials_version or (claimed.credentials_version if claimed else None)
        before: Account | None = None

        def apply(account: Account, now: float) -> Account | None:
            nonlocal before
            before = None
            # Replaced meanwhile: what the old credentials brought says nothing about the new ones.
            if read_with not in (None, account.credentials_version):
                return None
            before = account
            jitter = self._rng.random()
            return apply_reading(account, reading, now, jitter=jitter, policy=self._policy, is_by_owner=is_by_owner)

        after = await self._change(account_id, apply, extra, known=claimed)
        # A failed reading, and one that told no balance, leaves the points that were known.
        if before is not None and after.points is not None and after.points != before.points:
            await self._note_balance(account_id, before.points, after.points)
        return after

    async def _claim(self, account_id: str, now: float, lease_seconds: float, *, force: bool) -> Item | None:
        """The account's item, now claimed; `None` if there is none, or none to be had."""
        is_free = "attribute_exists({pk}) AND (attribute_not_exists({claimed_until}) OR {claimed_until} <= :now)"
        # The owner's button reads at any time, though never while somebody else does.
        is_due = "" if force else " AND {due_at} <= :now"
        # One conditional write: of two runs only one reads the account.
        claim = update(
            _keys.account(account_id),
            "SET {due_at} = :until, {claimed_until} = :until",
            is_free + is_due,
            until=now + lease_seconds,
            now=now,
        )
        try:
            return await self._table.change(claim)
        except ConditionFailed:
            return None

    def _learn_fleet(self, item: Item | None) -> None:
        before = self._fleet
        super()._learn_fleet(item)
        # Somebody added an account, or deleted one.
        if before != self._fleet:
            self._remembered.forget()

    async def _count_fleet(self, kind: AccountKind, change: int) -> None:
        """Keep the number of accounts. It only guides searches, so it may be a little off."""
        count = update(_keys.fleet(), "ADD {kind} :change", names={"kind": kind.value}, change=change)
        with suppress(StoreUnavailableError):
            self._learn_fleet(await self._table.change(count))

    async def _delete_entry(self, account_id: str) -> AccountKind | None:
        """Delete the account and its label, as they belong together at that moment; returns its kind."""
        for _ in range(MAX_RACES):
            item = await self._table.get(_keys.account(account_id))
            if item is None:
                return None
            label = _keys.directory_entry(AccountKind(item["kind"]), item["label"])
            # By its version: its label may have changed since it was read, and belongs to somebody else then.
            account = delete(_keys.account(account_id), IS_UNCHANGED, expected=item["version"])
            try:
                await self._table.write(account, delete(label))
            except ConditionFailed:
                continue
            return AccountKind(item["kind"])
        raise ConflictError("the account is being changed by others all the time")

    async def _change(
        self,
        account_id: str,
        transition: Callable[[Account, float], Account | None],
        extra: Mapping[str, Any] | None = None,
        known: Account | None = None,
    ) -> Account:
        """Apply a transition to the account as it is, again if somebody else was faster. `None` leaves it alone.

        `known` is what the account was a moment ago.
        """
        wanted: Account | None = None
        for number in range(MAX_RACES):
            await self._table.pause(number)
            account, now = known or await self.get_account(account_id), self._clock()
            if account == wanted:
                return account  # The answer to the write before was lost, not the write.
            known = None
            after = transition(account, now)
            if after is None or (after == account and not extra):
                return account
            after = replace(after, version=account.version + 1, updated_at=now)
            wanted = after
            try:
                await self._table.write(self._save(account, after, now, extra))
            except ConditionFailed:
                continue
            return after
        raise ConflictError("the account is being changed by others all the time")

    def _save(self, before: Account, after: Account, now: float, extra: Mapping[str, Any] | None = None) -> Write:
        """The write that turns the stored account into `after`, if it still is what it was before."""
        self._remembered.change(after, extra or {})
        place = _keys.place_of(after, now, _keys.chance_of(after.id, now))
        expression, values = assignments({**_keys.account_attributes(after, place), **(extra or {})})
        return update(_keys.account(after.id), expression, IS_UNCHANGED, expected=before.version, **values)

    def _add_writes(self, account: Account, sealed: bytes, now: float) -> list[Write]:
        place = _keys.place_of(account, now, _keys.chance_of(account.id, now))
        attributes = _keys.account_attributes(account, place)
        return [put({**_keys.account(account.id), **attributes, "credentials": sealed}, IS_ABSENT)]

    def _replace_writes(self, before: Account, after: Account, sealed: bytes, now: float) -> list[Write]:
        # What was derived from the old credentials, such as a form key, is no use with the new ones.
        derived = dict.fromkeys(("session", "session_at", "claimed_until"))
        writes = [self._save(before, after, now, {"credentials": sealed, **derived})]
        old_entry = _keys.directory_entry(before.kind, before.label)
        if old_entry != _keys.directory_entry(after.kind, after.label):
            writes.append(delete(old_entry))
        return writes

    async def _unseal(self, item: Item) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Credentials and session data. Raises `SealBrokenError` for the former; the latter can be derived again."""
        account_id = item["account_id"]
        unsealing = self._vault.unseal(item["credentials"], account_id=account_id, purpose="credentials")
        sealed = item.get("session")
        # Older data would cost a failed round trip more often than it saves one.
        if sealed is None or self._clock() - item["session_at"] > self._policy.session_data_seconds:
            return await unsealing, None
        async with at_once() as group:
            credentials = group.create_task(unsealing)
            session_data = group.create_task(self._unseal_session(account_id, sealed))
        return credentials.result(), session_data.result()

    async def _unseal_session(self, account_id: str, sealed: bytes) -> dict[str, Any] | None:
        with suppress(SealBrokenError):
            return await self._vault.unseal(sealed, account_id=account_id, purpose="session")
        return None

    async def _sealed_session(self, account_id: str, session_data: Mapping[str, Any] | None) -> Item:
        """The attributes that keep session data; none if there is nothing to keep, or no way to."""
        if session_data is None:
            return {}
        try:
            sealed = await self._vault.seal(session_data, account_id=account_id, purpose="session")
        except (ValueError, StoreUnavailableError):
            # It only saves the next holder some round trips; what else is being written matters more.
            return {}
        return {"session": sealed, "session_at": self._clock()}

    async def _item(self, account_id: str) -> Item:
        item = await self._table.get(_keys.account(account_id))
        if item is None:
            raise AccountNotFoundError("there is no account with this id")
        return item
