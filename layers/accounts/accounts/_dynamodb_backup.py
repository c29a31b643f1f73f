"""Backing up and restoring in DynamoDB. Everything comes back by conditional writes: what is there stays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from accounts import _budgets, _keys, _ledger
from accounts._backup import (
    AccountBackup,
    KeyBackup,
    Restored,
    counters_of,
    restored_account,
)
from accounts._dynamodb_booking import DynamoDBBooking
from accounts._dynamodb_keys import IS_ABSENT
from accounts._exceptions import ConflictError
from accounts._identity import check_account_id, normal_label
from accounts._items import Item
from accounts._ledger_model import LedgerEntry
from accounts._page import Page
from accounts._records_items import LEDGER_SECONDS, api_key_item, api_key_of, entry_attributes, entry_key
from accounts._table import ConditionFailed, put

# Writes at once.
_WIDTH = 10


class DynamoDBBackup(DynamoDBBooking):
    """Backs up and restores one DynamoDB table."""

    async def backup_accounts(self, *, limit: int = 50, cursor: str | None = None) -> Page[AccountBackup]:
        page = await self.list_accounts(limit=limit, cursor=cursor)
        found = [
            AccountBackup(account=account, settlement=await self.settlement_state(account.id)) for account in page.items
        ]
        return Page(found, page.cursor)

    async def backup_keys(self, *, limit: int = 50, cursor: str | None = None) -> Page[KeyBackup]:
        entries, after = await self._directory(_keys.KEYS_DIRECTORY, limit, cursor)
        now = self._clock()
        items = await self._items([_keys.api_key(entry["hash"]) for entry in entries])
        limits = await self._items([_keys.limits(entry["sk"]) for entry in entries])
        found = []
        for entry in entries:
            item = items.get(_keys.api_key(entry["hash"])["pk"])
            if item is None:
                continue  # It was revoked just now.
            key = api_key_of(item)
            previous = {one["hash"]: float(one["until"]) for one in entry.get("previous", ()) if one["until"] > now}
            use = _budgets.use_of(limits.get(_keys.limits(key.id)["pk"], {}), now)
            found.append(KeyBackup(key=key, previous=previous, use=use))
        return Page(found, after)

    async def restore_account(self, backup: AccountBackup, credentials: Mapping[str, str] | None) -> Restored:
        account = backup.account
        check_account_id(account.id)
        now = self._clock()
        entry = _keys.directory_entry(account.kind, account.label)
        there = await self._table.get(_keys.account(account.id))
        if there is not None:
            known = _keys.account_of(there)
            # Kind and label tell whose account it is; the rest may well have changed since the backup.
            names = [(one.kind, normal_label(one.label)) for one in (known, account)]
            return Restored.SAME if names[0] == names[1] else Restored.KEPT
        if backup.settlement.version:
            # First: without it, what Poe's history says of sends before could be booked for others.
            # One that is there is younger than the backup.
            with suppress(ConflictError):
                await self.put_settlement_state(account.id, replace(backup.settlement, version=0))
        sealed = await self._vault.seal(credentials or {}, account_id=account.id, purpose="credentials")
        back = restored_account(account, now, has_credentials=credentials is not None)
        claim = put({**entry, "account_id": account.id}, IS_ABSENT)
        try:
            await self._table.write(*self._add_writes(back, sealed, now), claim)
        except ConditionFailed:
            return Restored.KEPT
        self._absent_until.pop(account.kind, None)
        self._remembered.forget()
        await self._count_fleet(account.kind, 1)
        return Restored.CREATED

    async def restore_key(self, backup: KeyBackup) -> Restored:
        key = backup.key
        previous: list[Item] = [{"hash": digest, "until": until} for digest, until in backup.previous.items()]
        entry = {**_keys.key_entry(key.id), "hash": key.hash, "version": key.version}
        entry |= {"previous": previous} if previous else {}
        copies = [replace(key, hash=one["hash"], secret_expires_at=one["until"]) for one in previous]
        # What it has consumed comes first: a key without it could spend its budget twice.
        with suppress(ConditionFailed):
            await self._table.write(put({**_keys.limits(key.id), **counters_of(backup.use)}, IS_ABSENT))
        try:
            await self._table.write(
                put(entry, IS_ABSENT), *(put(api_key_item(one), IS_ABSENT) for one in (key, *copies))
            )
        except ConditionFailed as failed:
            known = failed.found.get(0)
            return Restored.SAME if known is not None and known["hash"] == key.hash else Restored.KEPT
        return Restored.CREATED

    async def restore_entries(self, entries: Sequence[LedgerEntry]) -> list[Restored]:
        now = self._clock()
        # The marks come first: one that is too many costs nothing, a missing one would leave a sum wrong.
        kept = [entry for entry in entries if entry.started_at + LEDGER_SECONDS > now]
        for entry in {_ledger.hour_of(entry.started_at): entry for entry in kept}.values():
            await self._reopen(entry, now)
        width = asyncio.Semaphore(_WIDTH)

        async def restore(entry: LedgerEntry) -> Restored:
            if entry.started_at + LEDGER_SECONDS <= now:
                return Restored.EXPIRED
            # What a budget counts for it came back with the key.
            back = replace(entry, budgeted=None)
            item: Item = {**entry_key(back), **entry_attributes(back)}
            async with width:
                try:
                    await self._table.write(put(item, IS_ABSENT))
                except ConditionFailed:
                    return Restored.SAME
            return Restored.CREATED

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(restore(entry)) for entry in entries]
        return [task.result() for task in tasks]
