"""The end of a lease in DynamoDB: the slot is given back, the entry written and the outcome applied together.

    release  TransactWriteItems    :  Delete SLOT#k if ours · Put LEDGER#day · Update META if unchanged

The account is the only item of the transaction that others write, too. Where they do, the booking goes first and alone,
and the account follows by itself. A slot that nobody gave back is booked when somebody finds it: its holder was killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from accounts import _keys, _ledger
from accounts._account_model import Account, Outcome
from accounts._dynamodb_accounts import DynamoDBAccounts
from accounts._dynamodb_keys import IS_ABSENT, MAX_RACES
from accounts._exceptions import AccountNotFoundError, ConflictError
from accounts._items import Item
from accounts._lease_model import Lease
from accounts._ledger_model import LedgerEntry, RequestRecord, SendRecord
from accounts._records_items import entry_attributes, entry_key, held_of, request_item
from accounts._table import (
    MAX_BATCH_GET,
    ConditionFailed,
    TransactionConflict,
    Write,
    delete,
    put,
)
from accounts._transitions import apply_outcome

# A use only moves `last_used_at` if that is older: one write less for a busy account.
USE_GRANULARITY_SECONDS = 60.0

SLOT_IS_OURS = "{owner} = :owner"
SLOT_IS_AS_SEEN = "{owner} = :owner AND {until} = :until"


class _End(NamedTuple):
    """How a lease ends: what is booked together."""

    lease: Lease
    outcome: Outcome
    entry: LedgerEntry | None
    usage: SendRecord | None
    record: Item | None
    """The request's own item, where it is kept."""
    session: Item
    """Sealed session data; empty to leave what is stored."""


class DynamoDBBooking(DynamoDBAccounts):
    """Books how leases end, in one DynamoDB table."""

    async def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        usage: SendRecord | None = None,
        request: RequestRecord | None = None,
        session_data: Mapping[str, Any] | None = None,
    ) -> None:
        now = self._clock()
        session = await self._sealed_session(lease.account.id, session_data)
        reserved = lease.intention.reserved if lease.intention else None
        entry: LedgerEntry | None = None
        if usage is not None and lease.intention is not None:
            entry = _ledger.completed(lease, outcome, usage, now)
            if reserved is not None:
                entry = replace(entry, budgeted=_ledger.budget_points(entry, reserved.points))
        record = request_item(request) if request is not None and request.ttl_seconds > 0 else None
        # Before the key's budget: that can be corrected from the ledger later, and not the other way round.
        await self._book(_End(lease, outcome, entry, usage, record, session))
        self._own_slots.drop(lease.account.id, lease.slot)
        if lease.intention is None or reserved is None:
            return
        points = 0 if entry is None else entry.budgeted
        tokens = 0 if entry is None else _ledger.tokens_of(entry, reserved.tokens)
        await self._correct(
            lease.intention.key_id,
            lease.owner,
            points=points,
            tokens=tokens,
            expected=reserved,
            succeeded_at=None if entry is None or entry.is_error else now,
        )

    async def _book(self, end: _End) -> None:
        """Give the slot back, write the entry, apply the outcome. Nothing if it was released before."""
        lease, entry = end.lease, end.entry
        account: Account | None = lease.account
        slot = delete(_keys.slot(lease.account.id, lease.slot), SLOT_IS_OURS, owner=lease.owner)
        # The slot first: its condition decides whether this is the first release.
        booking: list[Write] = [slot]
        booking += [put({**entry_key(entry), **entry_attributes(entry)}, IS_ABSENT)] if entry else []
        booking += [put(end.record)] if end.record else []
        for number in range(MAX_RACES):
            await self._table.pause(number)
            changes = [] if account is None else self._outcome_writes(account, lease, end.outcome, end.session)
            try:
                await self._table.write_once(*booking, *changes)
            except TransactionConflict:
                # Others change the account. The booking does not wait for it.
                if account is not None:
                    account = None
                continue
            except ConditionFailed as failed:
                # Only the account has changed; slot and entry are still to be booked.
                if min(failed.found) >= len(booking):
                    account = None
                    continue
                await self._book_lost(end)
                return
            if account is None:
                await self._apply_outcome(lease, end.outcome, end.session)
            return
        raise ConflictError("the account is being changed by others all the time")

    async def _book_lost(self, end: _End) -> None:
        """Book a lease whose slot is somebody else's: it was released before, or lost and recorded as that."""
        lease, outcome, entry, usage = end.lease, end.outcome, end.entry, end.usage
        if end.record is not None:
            await self._table.write(put(end.record))
        if entry is None or usage is None:
            # Before that it can only have been released, and its outcome was applied with it.
            if lease.expires_at <= self._clock():
                await self._apply_outcome(lease, outcome, end.session)
            return
        now = self._clock()

        def complete(lost: LedgerEntry) -> LedgerEntry | None:
            # Only what was booked for a killed holder: it was slow and not dead, and knows better.
            return _ledger.finish(lost, outcome, usage, now) if lost.outcome == _ledger.LOST else None

        # Nobody has recorded it as lost yet: then it is written as what it is.
        if await self._amend(entry.id, complete) is None:
            try:
                await self._table.write(put({**entry_key(entry), **entry_attributes(entry)}, IS_ABSENT))
            except ConditionFailed:
                return
        await self._apply_outcome(lease, outcome, end.session)

    async def recover_slots(self, *, limit: int = 1000) -> int:
        recovered = 0
        after: Mapping[str, Any] | None = None
        latest = self._clock() - self._policy.clock_tolerance_seconds
        while recovered < limit:
            found = await self._table.query(
                "{due_pk} = :partition AND {due_at} <= :latest",
                index=_keys.DUE_INDEX,
                limit=MAX_BATCH_GET,
                after=after,
                partition=_keys.SLOTS_PARTITION,
                latest=latest,
            )
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in found.items]
            for item in await self._table.get_many(keys):
                # Looked at again, since the index may be behind the table.
                if float(item["until"]) <= latest and await self._lose(item, None):
                    recovered += 1
                    await self._note_use(_keys.account_id_of(item))
            if (after := found.next_key) is None:
                break
        return recovered

    async def _note_use(self, account_id: str) -> None:
        """Let an account whose holder was killed count as used, so that it is read and settled."""
        # Of the request: a killed sandbox is no failure of the account.
        used = Outcome(code=_ledger.LOST, scope="request")
        with suppress(AccountNotFoundError):
            await self._change(account_id, lambda account, now: apply_outcome(account, used, now, policy=self._policy))

    async def _lose(self, item: Item, holding: Item | None) -> bool:
        """Turn what an expired slot holds into a ledger entry, and free the slot or give it to somebody else.

        `False` if the slot was changed meanwhile.
        """
        held = held_of(item)
        seen = {"owner": held.owner, "until": item["until"]}
        key = {"pk": item["pk"], "sk": item["sk"]}
        writes = [delete(key, SLOT_IS_AS_SEEN, **seen) if holding is None else put(holding, SLOT_IS_AS_SEEN, **seen)]
        entry: LedgerEntry | None = None
        if held.intention is not None:
            entry = _ledger.lost(held)
            if held.intention.reserved is not None:
                budgeted = _ledger.budget_points(entry, held.intention.reserved.points)
                entry = replace(entry, budgeted=budgeted)
            writes.append(put({**entry_key(entry), **entry_attributes(entry)}, IS_ABSENT))
        for number in range(MAX_RACES):
            await self._table.pause(number)
            try:
                await self._table.write_once(*writes)
            except TransactionConflict:
                continue
            except ConditionFailed as failed:
                # The slot changed: its holder has released it, or another request was quicker.
                if 0 in failed.found or len(writes) == 1:
                    return False
                # The entry is there although the slot is: its release was not one transaction.
                writes = writes[:1]
                continue
            break
        else:
            return False
        if entry is not None:
            # Found late: the hour in which it began may be summed up already.
            await self._reopen(entry, self._clock())
        if held.intention is not None and held.intention.reserved is not None:
            reserved = held.intention.reserved
            # As estimated, or as reserved: the answer may have been paid for.
            points = entry.budgeted if entry is not None else None
            await self._correct(held.intention.key_id, held.owner, points=points, tokens=None, expected=reserved)
        return True

    def _outcome_writes(self, account: Account, lease: Lease, outcome: Outcome, session: Item) -> list[Write]:
        """The write that applies an outcome and keeps session data; none where nothing would change that matters."""
        if account.credentials_version != lease.account.credentials_version:
            return []  # What happened to the old credentials says nothing about the new ones.
        now = self._clock()
        after = apply_outcome(account, outcome, now, jitter=self._rng.random(), policy=self._policy)
        if replace(after, last_used_at=account.last_used_at) != account:
            after = replace(after, version=account.version + 1, updated_at=now)
        elif not session and now - (account.last_used_at or 0.0) < USE_GRANULARITY_SECONDS:
            return []
        return [self._save(account, after, now, dict(session))]

    async def _apply_outcome(self, lease: Lease, outcome: Outcome, session: Item) -> None:
        """Apply an outcome apart from its booking. An account that was deleted has none."""
        for number in range(MAX_RACES):
            await self._table.pause(number)
            try:
                account = await self.get_account(lease.account.id)
                writes = self._outcome_writes(account, lease, outcome, session)
                if writes:
                    await self._table.write(*writes)
            except AccountNotFoundError:
                return
            except ConditionFailed:
                continue
            return
        raise ConflictError("the account is being changed by others all the time")
