"""Takes the slots of leases in DynamoDB: one conditional put each, with credentials being unsealed beside it.

    take     Put SLOT#k if free    ∥  KMS Decrypt, unless remembered    ∥  Get META, of a remembered account

An account that was chosen from memory is read while its slot is taken. The lease is only given if it still may serve
the request, so that what others did to it counts as much as after a query; else the slot is freed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from accounts import _keys, _ledger, _selection
from accounts._account_model import Account
from accounts._at_once import at_once, settled
from accounts._dynamodb_backup import DynamoDBBackup
from accounts._dynamodb_booking import SLOT_IS_AS_SEEN, SLOT_IS_OURS
from accounts._exceptions import AccountStoreError, ConflictError
from accounts._items import Item
from accounts._lease_model import Lease, LeaseRequest
from accounts._records_items import slot_attributes
from accounts._table import MAX_BATCH_GET, ConditionFailed, delete, put, update

# A slot may be taken when nobody has it, or when this very call took it and only the answer was lost.
SLOT_IS_FREE = "attribute_not_exists({pk}) OR ({owner} = :owner AND {until} = :until)"
# Whoever cancels a call waits so long at most for what it has begun to be undone.
UNDO_SECONDS = 5.0


class OutdatedError(Exception):
    """A remembered account is not as it was."""


class DynamoDBSlots(DynamoDBBackup):
    """Takes slots, and holds them for longer."""

    async def extend(self, lease: Lease, ttl_seconds: float) -> Lease:
        until = self._clock() + ttl_seconds
        renewal = update(
            _keys.slot(lease.account.id, lease.slot),
            "SET {until} = :until",
            SLOT_IS_OURS,
            owner=lease.owner,
            until=until,
        )
        try:
            await self._table.write(renewal)
        except ConditionFailed as error:
            raise ConflictError("the lease was lost") from error
        self._own_slots.hold(lease.account.id, lease.slot, until)
        return replace(lease, expires_at=until)

    async def _take(
        self, item: Item, account: Account, slot: int, request: LeaseRequest, *, is_remembered: bool = False
    ) -> Lease | None:
        """The lease of a slot; `None` if somebody else has it. Raises `OutdatedError`, `SealBrokenError`."""
        now = self._clock()
        until = now + request.ttl_seconds
        key = _keys.slot(account.id, slot)
        intention = _ledger.priced(request.intention, account)
        holding = {**key, **slot_attributes(request.owner, account.kind, now, until, intention)}
        # Before the answer, since another request of this process may choose meanwhile.
        self._own_slots.hold(account.id, slot, until)
        # Beside the unsealing, which asks another service; there is no lease before both are done. A task of its own,
        # because after a cancellation somebody must still know whether the slot was taken.
        taking = asyncio.create_task(self._take_slot(holding, now))
        try:
            async with at_once() as group:
                unsealing = group.create_task(self._unseal(item))
                checking = group.create_task(self._check(account, slot, request)) if is_remembered else None
            credentials, session_data = unsealing.result()
            account = checking.result() if checking else account
            if not await asyncio.shield(taking):
                self._own_slots.drop(account.id, slot)
                return None
        except BaseException:
            # Cancelled, or nothing can be done with the account: no slot is held for nothing.
            undoing = asyncio.create_task(self._undo_taking(taking, key, request.owner, until))
            try:
                # A cancellation meanwhile comes before the failure, after which the search would go on.
                await settled(undoing)
            finally:
                self._own_slots.drop(account.id, slot)
            raise
        return Lease(
            account=account,
            slot=slot,
            owner=request.owner,
            expires_at=until,
            credentials=credentials,
            session_data=session_data,
            started_at=now,
            intention=intention,
        )

    async def _check(self, remembered: Account, slot: int, request: LeaseRequest) -> Account:
        """The account as it is now. Raises `OutdatedError` if its slot would not be chosen any more."""
        item = await self._table.get(_keys.account(remembered.id))
        if item is not None:
            account = _keys.account_of(item)
            is_same = account.credentials_version == remembered.credentials_version and slot < account.max_concurrency
            if is_same and _selection.Refusals(request, self._clock()).admits(account):
                self._remembered.replace(account, item)
                return account
        raise OutdatedError

    async def _take_slot(self, holding: Item, now: float) -> bool:
        """Take a free slot, or one whose holder was killed."""
        try:
            await self._table.write(put(holding, SLOT_IS_FREE, owner=holding["owner"], until=holding["until"]))
        except ConditionFailed as failed:
            held = failed.found.get(0)
            # TTL is no help here: clocks differ, and what the slot holds must not be lost.
            if held is None or float(held["until"]) + self._policy.clock_tolerance_seconds > now:
                return False
            return await self._lose(held, holding)
        return True

    async def _undo_taking(self, taking: asyncio.Task[bool], slot: _keys.Key, owner: str, until: float) -> None:
        """Free a slot that AWS was asked for already, and may have given. If it can't be done, the slot expires."""
        try:
            async with asyncio.timeout(UNDO_SECONDS):
                if await taking:
                    await self._table.write(delete(slot, SLOT_IS_AS_SEEN, owner=owner, until=until))
        except (AccountStoreError, ConditionFailed, TimeoutError):
            pass

    async def _taken_slots(self, accounts: Collection[Account], now: float) -> set[tuple[str, int]]:
        """Account id and number of the slots that are held, as far as one batch can tell."""
        slots = [(account.id, number) for account in accounts for number in range(account.max_concurrency)]
        items = await self._table.get_many([_keys.slot(*slot) for slot in slots[:MAX_BATCH_GET]])
        tolerance = self._policy.clock_tolerance_seconds
        held = {(item["pk"], item["sk"]) for item in items if item["until"] + tolerance > now}
        return {slot for slot in slots if tuple(_keys.slot(*slot).values()) in held}
