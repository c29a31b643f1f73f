"""The ledger in DynamoDB: entries, and the log of requests. `_dynamodb_sums` adds them up.

Sums are not written with entries, so that they can't disagree with them, and no request waits for a counter that
others are changing. An entry that is changed later opens its hour again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from accounts import _keys, _ledger
from accounts._budgets import adjust
from accounts._dynamodb_keys import MAX_RACES, DynamoDBKeys
from accounts._exceptions import ConflictError
from accounts._items import Item
from accounts._ledger_model import LedgerEntry, RequestRecord, Selection, Settlement, SettlementState
from accounts._page import Page
from accounts._records_items import (
    entry_attributes,
    entry_key,
    entry_of,
    request_item,
    request_of,
    settlement_item,
    settlement_of,
)
from accounts._table import MAX_BATCH_GET, ConditionFailed, assignments, put, update

# How far back the first run of the job looks for entries.
FIRST_LOOK_SECONDS = 40 * _ledger.DAY_SECONDS
# Queries of one page of a list. A page may then be short; its cursor goes on.
MAX_QUERIES = 12
_WATERMARK = "sums"


class DynamoDBLedger(DynamoDBKeys):
    """Ledger entries and requests in one DynamoDB table."""

    async def record_request(self, record: RequestRecord) -> None:
        if record.ttl_seconds > 0:
            await self._table.write(put(request_item(record)))

    async def list_requests(
        self, selection: Selection, *, limit: int = 50, cursor: str | None = None
    ) -> Page[RequestRecord]:
        items, after = await self._newest_first(_keys.requests_day, "code", selection, limit, cursor)
        return Page([request_of(item) for item in items], after)

    async def get_request(self, ref: str) -> RequestRecord | None:
        time, _, request_id = ref.partition("~")
        # The time in it tells the day, and so the partition.
        at = _ledger.started_at(f"{time}#{request_id}")
        item = await self._table.get(_keys.request(_ledger.day_of(at), at, request_id))
        return request_of(item) if item else None

    async def list_entries(
        self, selection: Selection, *, limit: int = 50, cursor: str | None = None
    ) -> Page[LedgerEntry]:
        items, after = await self._newest_first(_keys.ledger_day, "outcome", selection, limit, cursor)
        return Page([entry_of(item) for item in items], after)

    async def get_entry(self, entry_id: str) -> LedgerEntry | None:
        item = await self._entry_item(entry_id)
        return entry_of(item) if item else None

    async def unsettled(self, account_id: str, *, limit: int = 1000) -> Sequence[LedgerEntry]:
        found: list[LedgerEntry] = []
        after: Mapping[str, Any] | None = None
        while len(found) < limit:
            page = await self._table.query(
                "{due_pk} = :partition",
                index=_keys.DUE_INDEX,
                limit=min(limit - len(found), MAX_BATCH_GET),
                after=after,
                partition=_keys.unsettled_partition(account_id),
            )
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in page.items]
            entries = [entry_of(item) for item in await self._table.get_many(keys)]
            # The index may be behind the table.
            found += [entry for entry in entries if entry.settled_by is None]
            if (after := page.next_key) is None:
                break
        return sorted(found, key=lambda entry: entry.id)

    async def chats_to_delete(self, *, ended_before: float, limit: int = 500) -> Sequence[LedgerEntry]:
        found: list[LedgerEntry] = []
        after: Mapping[str, Any] | None = None
        while len(found) < limit:
            page = await self._table.query(
                "{due_pk} = :partition AND {due_at} < :latest",
                index=_keys.DUE_INDEX,
                limit=min(limit - len(found), MAX_BATCH_GET),
                after=after,
                partition=_keys.CHATS_PARTITION,
                latest=ended_before,
            )
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in page.items]
            entries = [entry_of(item) for item in await self._table.get_many(keys)]
            # The index may be behind the table.
            found += [entry for entry in entries if entry.chat_due_at is not None and entry.chat_due_at < ended_before]
            if (after := page.next_key) is None:
                break
        return sorted(found, key=lambda entry: entry.chat_due_at or 0.0)

    async def put_off_chat(self, entry_id: str, until: float | None) -> None:
        key = _keys.ledger_entry(_ledger.day_of(_ledger.started_at(entry_id)), entry_id)
        # An entry whose cost is open is none of those that were found.
        is_found = "{due_pk} = :chats"
        change = (
            "REMOVE {chat_due_at}, {due_at}, {due_pk}"
            if until is None
            else "SET {chat_due_at} = :until, {due_at} = :until"
        )
        values: dict[str, Any] = {} if until is None else {"until": until}
        with suppress(ConditionFailed):
            await self._table.write(update(key, change, is_found, chats=_keys.CHATS_PARTITION, **values))

    async def settle(self, settlements: Sequence[Settlement]) -> int:
        done = 0
        for settlement in settlements:

            def change(entry: LedgerEntry, to: Settlement = settlement) -> LedgerEntry | None:
                return _ledger.settled(entry, to)

            done += await self._amend(settlement.entry_id, change) is not None
        return done

    async def late_report(self, entry_id: str, points: int) -> bool:
        return await self._amend(entry_id, lambda entry: _ledger.report(entry, points)) is not None

    async def held_slots(self, account_id: str) -> int:
        partition = _keys.slot(account_id, 0)["pk"]
        # By the table, not by the index: it says what counts now.
        slots = "{pk} = :pk AND {sk} BETWEEN :low AND :high"
        return len(await self._rows(slots, pk=partition, low="SLOT#", high="SLOT#~"))

    async def settlement_state(self, account_id: str) -> SettlementState:
        item = await self._table.get(_keys.settlement(account_id))
        return settlement_of(item) if item else SettlementState()

    async def put_settlement_state(self, account_id: str, state: SettlementState) -> SettlementState:
        after = replace(state, version=state.version + 1)
        condition = "attribute_not_exists({pk}) OR {version} = :expected"
        try:
            await self._table.write(put(settlement_item(account_id, after), condition, expected=state.version))
        except ConditionFailed as error:
            if settlement_of(error.found.get(0) or {}) != after:  # Else only the answer to the write was lost.
                raise ConflictError("another run settles this account") from error
        return after

    async def note_key_uses(self, *, since: float) -> int:
        now = self._clock()
        used: dict[str, dict[str, float]] = {}
        async for entry in self._entries(since, now + _ledger.HOUR_SECONDS):
            times = used.setdefault(entry.key_id, {"used_at": 0.0})
            times["used_at"] = max(times["used_at"], entry.started_at)
            if not entry.is_error and entry.ended_at is not None:
                times["succeeded_at"] = max(times.get("succeeded_at", 0.0), entry.ended_at)
        for key_id, times in used.items():
            await self._note_times(key_id, times)
        return len(used)

    async def _note_times(self, key_id: str, times: Mapping[str, float]) -> None:
        """Move these times of a key on, never back."""
        later = dict(times)
        for _ in range(MAX_RACES):
            if not later:
                return
            changes, values = assignments(later)
            is_news = " AND ".join(f"(attribute_not_exists({{{name}}}) OR {{{name}}} < :{name})" for name in later)
            try:
                await self._table.write(update(_keys.limits(key_id), changes, is_news, **values))
            except ConditionFailed as failed:
                stored = failed.found.get(0) or {}
                later = {name: at for name, at in later.items() if at > float(stored.get(name, 0.0))}
                continue
            return

    async def _reopen(self, entry: LedgerEntry, now: float) -> None:
        """Let the hour of a changed entry be summed up again, if it may have been already."""
        hour = _ledger.hour_of(entry.started_at)
        if hour + _ledger.CLOSE_AFTER_SECONDS <= now:
            mark = {**_keys.open_hour(hour), "mark": f"{now}#{self._rng.random()}"}
            await self._table.write(put(mark))

    async def _entries(self, since: float, until: float) -> AsyncIterator[LedgerEntry]:
        """The entries whose leases began in `[since, until)`, oldest first."""
        async for item in self._entry_items(since, until):
            yield entry_of(item)

    async def _entry_items(
        self, since: float, until: float, *, attributes: Collection[str] | None = None
    ) -> AsyncIterator[Item]:
        """Their items, one day after the other. `attributes` are all by default."""
        for day in _ledger.days_between(since, until):
            items = await self._rows(
                "{pk} = :pk AND {sk} BETWEEN :low AND :high",
                attributes=attributes,
                pk=_keys.ledger_day(day),
                low=_ledger.id_from(since),
                high=_ledger.id_from(until),
            )
            for item in items:
                yield item

    async def _entry_of_owner(self, key_id: str, owner: str, *, until: float) -> Item | None:
        # A reservation tells only its end, an hour after it was made; the lease began somewhere in between.
        for day in _ledger.days_between(until - 2 * _ledger.HOUR_SECONDS, until + 1):
            items = await self._rows(
                "{pk} = :pk AND {sk} BETWEEN :low AND :high",
                only="{key_id} = :key_id",
                pk=_keys.ledger_day(day),
                low=_ledger.id_from(until - 2 * _ledger.HOUR_SECONDS),
                high=_ledger.id_from(until + 1),
                key_id=key_id,
            )
            if found := next((item for item in items if item["sk"].partition("#")[2] == owner), None):
                return found
        return None

    async def _entry_item(self, entry_id: str) -> Item | None:
        return await self._table.get(_keys.ledger_entry(_ledger.day_of(_ledger.started_at(entry_id)), entry_id))

    async def _amend(self, entry_id: str, change: Callable[[LedgerEntry], LedgerEntry | None]) -> LedgerEntry | None:
        """Change an entry, and with it what its key's budget counts for it; `None` if there was nothing to change."""
        for _ in range(MAX_RACES):
            now = self._clock()
            item = await self._entry_item(entry_id)
            if item is None:
                return None
            before = entry_of(item)
            after = change(before)
            # Repeating is safe: nothing is booked twice.
            if after is None or after == before:
                return None
            budget = None
            if before.budgeted is not None:
                after = replace(after, budgeted=_ledger.budget_points(after, before.budgeted))
                # The difference only: what was booked before stays in the counters.
                budget = adjust(after.started_at, (after.budgeted or 0) - before.budgeted, now)
            expression, values = assignments({**entry_attributes(after), "rev": int(item.get("rev", 0)) + 1})
            # A revision, since two settlements may otherwise both add their difference.
            is_same = "{rev} = :before" if "rev" in item else "attribute_exists({pk}) AND attribute_not_exists({rev})"
            values |= {"before": item["rev"]} if "rev" in item else {}
            writes = [update(entry_key(after), expression, is_same, **values)]
            writes += [self._limits_write(after.key_id, budget)] if budget else []
            # The mark comes first: one that is too many costs nothing, a missing one would leave the sum wrong.
            await self._reopen(after, now)
            try:
                await self._table.write(*writes)
            except ConditionFailed:
                continue
            await self._reopen(after, now)
            return after
        raise ConflictError("the entry is being changed by others all the time")

    async def _newest_first(
        self,
        partition: Callable[[str], str],
        outcome_name: str,
        selection: Selection,
        limit: int,
        cursor: str | None,
    ) -> tuple[list[Item], str | None]:
        """One page of the items of some days, newest first. The cursor is the sort key of the item before it."""
        conditions, values = _filter(selection, outcome_name)
        low, high = _ledger.id_from(selection.since), cursor or _ledger.id_from(selection.until)
        days = _ledger.days_between(selection.since, min(selection.until, _ledger.time_of(high) + 0.001))
        found: list[Item] = []
        queries = 0
        for day in reversed(days):
            after: Mapping[str, Any] | None = {"pk": partition(day), "sk": high} if cursor else None
            while len(found) < limit:
                # A filter that hardly anything matches would read months; the cursor goes on.
                if queries >= MAX_QUERIES:
                    return found, high
                page = await self._table.query(
                    "{pk} = :pk AND {sk} BETWEEN :low AND :high",
                    # A filter leaves out what was read, so that more is asked for where there is one.
                    limit=min(1000, (limit - len(found)) * (5 if conditions else 1)),
                    after=after,
                    is_descending=True,
                    only=conditions or None,
                    pk=partition(day),
                    low=low,
                    high=high,
                    **values,
                )
                queries += 1
                for item in page.items:
                    found.append(item)
                    if len(found) == limit:
                        return found, item["sk"]
                if (after := page.next_key) is None:
                    break
                high = str(after["sk"])
            cursor = None
            high = _ledger.id_from(_ledger.start_of(day))
        return found, None

    async def _rows(
        self, condition: str, *, only: str | None = None, attributes: Collection[str] | None = None, **values: Any
    ) -> list[Item]:
        """All items that match."""
        rows: list[Item] = []
        after: Mapping[str, Any] | None = None
        while True:
            found = await self._table.query(condition, after=after, only=only, attributes=attributes, **values)
            rows += found.items
            if (after := found.next_key) is None:
                return rows


def _filter(selection: Selection, outcome_name: str) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"key_id": selection.key_id, "model": selection.model, "account_id": selection.account_id}
    values = {name: value for name, value in values.items() if value is not None}
    conditions = [f"{{{name}}} = :{name}" for name in values]
    if selection.outcome is not None:
        # Of a request's code, there is none where it was answered.
        exists = {"ok": "attribute_not_exists", "error": "attribute_exists"} if outcome_name == "code" else {}
        if (function := exists.get(selection.outcome)) is not None:
            conditions.append(f"{function}({{{outcome_name}}})")
        else:
            conditions.append(f"{{{outcome_name}}} = :outcome")
            values["outcome"] = selection.outcome
    return " AND ".join(conditions), values
