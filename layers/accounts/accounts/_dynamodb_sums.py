"""What ledger entries and requests add up to, in DynamoDB.

An hour is summed up by the scheduled job once nothing can begin in it any more; until then its sums are computed from
its entries when somebody asks. The sums of an hour are items of their own, and those of a day are packed into one item
besides, which is what pages read. An entry that is changed later opens its hour again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Any

from accounts import _keys, _ledger, _packs
from accounts._at_once import at_once
from accounts._dynamodb_ledger import FIRST_LOOK_SECONDS, DynamoDBLedger
from accounts._ledger_model import LedgerEntry, RequestCount, Sums
from accounts._records_items import LEDGER_SECONDS, SUMMED, summed_entry_of, sums_item, sums_of
from accounts._sum_rows import (
    COUNTED,
    NAMES,
    REQUEST_NAMES,
    add_request,
    add_sums,
    counts_of,
    day_start,
    days,
    is_outcome,
    wanted_of,
)
from accounts._sum_rows import sums_of as added_sums
from accounts._table import MAX_BATCH_GET, ConditionFailed, delete, put

# Hours that were opened again, summed up by one call.
MAX_OPENED_HOURS = 300
_WATERMARK = "sums"
# A day that was closed before days were packed is packed when the job finds time: so many of them with each run.
_OLD_DAYS_AT_ONCE = 10
# By what days are packed. The first view has everything; of those that have what is asked for, the last one is read.
_SUM_VIEWS = (
    ("hour", *NAMES),
    ("hour", "key_id", "model"),
    NAMES,
    ("hour", "model"),
    ("hour", "account_id"),
)
_REQUEST_VIEWS = (
    ("hour", *REQUEST_NAMES),
    ("key_id", "code", "first_token_class"),
    ("hour", "key_id", "code"),
    ("hour", "code"),
    ("code", "first_token_class"),
)
# Further back than any page looks.
PACKED_SECONDS = 100 * _ledger.DAY_SECONDS


class DynamoDBSums(DynamoDBLedger):
    """Sums and counts in one DynamoDB table."""

    async def sums(self, *, since: float, until: float, key_id: str | None = None) -> Sequence[Sums]:
        [rows] = await self.tally(since=since, until=until, by=[("hour", *NAMES)], key_id=key_id)
        return rows

    async def tally(
        self,
        *,
        since: float,
        until: float,
        by: Sequence[Sequence[str]],
        key_id: str | None = None,
        model: str | None = None,
        account_id: str | None = None,
    ) -> Sequence[Sequence[Sums]]:
        wanted = wanted_of(key_id=key_id, model=model, account_id=account_id)
        adders = [_packs.Adder(NAMES, names, wanted) for names in by]
        first, end = _ledger.hour_of(since), until
        async with at_once() as group:
            watermark_read = group.create_task(self.get_config(_WATERMARK))
            opened_read = group.create_task(self._rows("{pk} = :pk", pk=_keys.OPEN_HOURS))
        watermark = watermark_read.result() or {}
        opened = frozenset([int(item["sk"]) for item in opened_read.result()])
        closed_until: int | None = watermark.get("closed_until")
        last = min(closed_until, math.ceil(end)) if closed_until is not None else first
        # Where the job has never run, entries are added up here, but not those of a year.
        fresh = max(float(first), closed_until or 0.0, end - FIRST_LOOK_SECONDS)
        async with at_once() as group:
            fresh_read = group.create_task(self._open_entries(first, fresh, end, opened))
            if first < last:
                await self._add_closed(adders, first, last, watermark.get("packed_from"), opened)
        for row in _ledger.add_up(fresh_read.result()):
            add_sums(adders, row)
        return [added_sums(adder, names) for adder, names in zip(adders, by, strict=True)]

    async def _open_entries(
        self, first: int, fresh: float, end: float, opened: AbstractSet[int]
    ) -> Sequence[LedgerEntry]:
        """The entries from `fresh` on, and those of the hours before it that were opened again: what sums need."""
        spans: list[tuple[float, float]] = [
            (hour, hour + _ledger.HOUR_SECONDS) for hour in sorted(opened) if first <= hour < min(fresh, end)
        ]
        spans += [(fresh, end)] if fresh < end else []
        return [
            summed_entry_of(item)
            for since, until in spans
            async for item in self._entry_items(since, until, attributes=SUMMED)
        ]

    async def _add_closed(
        self,
        adders: Sequence[_packs.Adder],
        first: int,
        last: int,
        packed_from: int | None,
        opened: AbstractSet[int],
    ) -> None:
        """Add the stored sums of the hours in `[first, last)`, from the packs of their days where there are some."""
        parts = [
            (low, high, high - low == _ledger.DAY_SECONDS and not any(low <= hour < high for hour in opened))
            for low, high in days(first, last)
        ]
        wanted = {low: _views_for(_SUM_VIEWS, adders, is_whole=is_whole) for low, _, is_whole in parts}
        packs = await self._day_packs(_keys.SUMS_DAYS, _SUM_VIEWS, wanted) if packed_from is not None else {}
        unpacked: list[tuple[int, int]] = []
        for low, high, is_whole in parts:
            pack = packs.get(_ledger.day_of(low))
            if pack is not None and pack.until >= high and low >= (packed_from or 0):
                for adder in adders:
                    pack.add_to(adder, since=low, until=high, is_whole=is_whole, without=opened)
            # Neighbours are read by one query.
            elif unpacked and unpacked[-1][1] == low:
                unpacked[-1] = unpacked[-1][0], high
            else:
                unpacked.append((low, high))
        for low, high in unpacked:
            for row in await self._stored_sums(low, high):
                # Their entries are added up instead; both would count twice.
                if row.hour not in opened:
                    add_sums(adders, row)

    async def usage(self, *, day: str, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        since = _ledger.start_of(day)
        rows = await self.sums(since=since, until=since + _ledger.DAY_SECONDS)
        by_name = sorted(rows, key=lambda row: (row.key_id, row.model))
        totals = [_ledger.total(list(group)) for _, group in groupby(by_name, lambda row: (row.key_id, row.model))]
        names = sorted({(row.key_id, row.model) for row in rows})
        return [
            {
                "key_id": key_id,
                "model": model,
                "requests": total.sends,
                "errors": total.errors,
                "prompt_tokens": total.prompt_tokens,
                "completion_tokens": total.completion_tokens,
                "points": total.points,
            }
            for (key_id, model), total in zip(names, totals, strict=True)
        ][:limit]

    async def count_requests(
        self,
        *,
        since: float,
        until: float,
        by: Sequence[Sequence[str]],
        key_id: str | None = None,
        model: str | None = None,
        account_id: str | None = None,
        outcome: str | None = None,
    ) -> Sequence[Sequence[RequestCount]]:
        wanted = wanted_of(key_id=key_id, model=model, account_id=account_id)
        if outcome is not None:
            wanted["code"] = is_outcome(outcome)
        adders = [_packs.Adder(REQUEST_NAMES, names, wanted) for names in by]
        parts = days(_ledger.hour_of(since), math.ceil(until))
        packs = await self._request_packs(adders, parts)
        for low, high in parts:
            pack = packs.get(_ledger.day_of(low))
            counted = low
            if pack is not None and pack.until > low:
                counted = min(pack.until, high)
                is_whole = counted - low == _ledger.DAY_SECONDS
                for adder in adders:
                    pack.add_to(adder, since=low, until=counted, is_whole=is_whole)
            if counted < high:
                await self._add_requests(adders, counted, high)
        return [counts_of(adder, names) for adder, names in zip(adders, by, strict=True)]

    async def _request_packs(
        self, adders: Sequence[_packs.Adder], parts: Sequence[tuple[int, int]]
    ) -> dict[str, _packs.DayPacks]:
        """The packs of these days, with the views that are needed to add them up."""
        whole, parted = (_views_for(_REQUEST_VIEWS, adders, is_whole=is_whole) for is_whole in (True, False))
        wanted = {low: whole if high - low == _ledger.DAY_SECONDS else parted for low, high in parts}
        packs = await self._day_packs(_keys.REQUEST_DAYS, _REQUEST_VIEWS, wanted)
        # The job has not counted all of them: their hours are needed after all.
        late = {
            low: parted
            for low, high in parts
            if (pack := packs.get(_ledger.day_of(low))) is not None
            and pack.until < high
            and not all(map(pack.has, parted))
        }
        return packs | await self._day_packs(_keys.REQUEST_DAYS, _REQUEST_VIEWS, late)

    async def close_hours(self) -> int:
        """Sum up the hours that are over, and those that were opened again; returns how many had entries."""
        end = _ledger.hour_of(self._clock() - _ledger.CLOSE_AFTER_SECONDS)
        before = await self.get_config(_WATERMARK) or {}
        begin: int | None = before.get("closed_until")
        packed_from: int | None = before.get("packed_from")
        done = 0
        # Restoring a backup opens thousands of hours; the next runs go on.
        for opened in (await self._rows("{pk} = :pk", pk=_keys.OPEN_HOURS))[:MAX_OPENED_HOURS]:
            hour = int(opened["sk"])
            done += await self._sum_up(hour, hour + _ledger.HOUR_SECONDS)
            if begin is not None and packed_from is not None and packed_from <= hour < begin:
                # Before the mark is taken off: until then readers compute the hour.
                await self._pack_sums(hour, begin)
            # Only the mark that was seen: a change since then has written another one.
            mark = delete(_keys.open_hour(hour), "{mark} = :mark", mark=opened["mark"])
            try:
                await self._table.write(mark)
            except ConditionFailed:
                continue  # It was opened once more; the next run looks again.
        start = begin if begin is not None else _ledger.hour_of(end - FIRST_LOOK_SECONDS)
        if start < end:
            done += await self._sum_up(start, end)
            # The rows first, then the packs that are made of them.
            for low, _ in days(start, end):
                await self._pack_sums(low, end)
                await self._pack_requests(low, end)
        packed_from = await self._pack_older(day_start(start) if packed_from is None else packed_from, end)
        # Last: a run that is killed before it does it all again.
        after = {"closed_until": max(start, end), "packed_from": packed_from}
        if after != before:
            await self.put_config(_WATERMARK, after)
        return done

    async def check_sums(self, *, since: float) -> int:
        """Compare the stored sums since a time with the entries, and put right what differs; returns how many did."""
        closed_until = await self._closed_until()
        first = _ledger.hour_of(since)
        if closed_until is None or closed_until <= first:
            return 0
        expected = _ledger.add_up([entry async for entry in self._entries(first, closed_until)])
        stored = {(r.hour, r.key_id, r.model, r.account_id): r for r in await self._stored_sums(first, closed_until)}
        # As pages read it, so that a pack that differs from its rows is found, too.
        read = {*await self.sums(since=first, until=closed_until)}
        wrong = [
            row
            for row in expected
            if row not in read or stored.get((row.hour, row.key_id, row.model, row.account_id)) != row
        ]
        for row in wrong:
            await self._table.write(put(sums_item(row)))
        for day in sorted({day_start(row.hour) for row in wrong}):
            await self._pack_sums(day, closed_until)
        return len(wrong)

    async def _pack_older(self, packed_from: int, end: int) -> int:
        """Pack some days that were closed before days were packed; returns from when on all are packed."""
        for _ in range(_OLD_DAYS_AT_ONCE):
            if packed_from <= end - PACKED_SECONDS:
                break
            packed_from -= _ledger.DAY_SECONDS
            await self._pack_sums(packed_from, end)
            await self._pack_requests(packed_from, end)
        return packed_from

    async def _pack_sums(self, at: int, closed_until: int) -> None:
        """Pack the stored sums of the day of `at`, as far as its hours are closed."""
        low, high = day_start(at), min(day_start(at) + _ledger.DAY_SECONDS, closed_until)
        adder = _packs.Adder(NAMES, ("hour", *NAMES))
        for row in await self._stored_sums(low, high):
            add_sums([adder], row)
        await self._write_pack(_keys.SUMS_DAYS, low, _packs.pack_day(adder.sums, _SUM_VIEWS, day=low, until=high))

    async def _pack_requests(self, at: int, closed_until: int) -> None:
        """Count the requests of the day of `at` that were not counted yet, as far as its hours are closed."""
        low, high = day_start(at), min(day_start(at) + _ledger.DAY_SECONDS, closed_until)
        packs = await self._day_packs(_keys.REQUEST_DAYS, _REQUEST_VIEWS, {low: frozenset([0])})
        before = packs.get(_ledger.day_of(low))
        adder = _packs.Adder(REQUEST_NAMES, ("hour", *REQUEST_NAMES))
        counted = low
        if before is not None:
            before.add_to(adder, since=low, until=high, is_whole=False)
            counted = before.until
        if counted < high:
            await self._add_requests([adder], counted, high)
            packed = _packs.pack_day(adder.sums, _REQUEST_VIEWS, day=low, until=high)
            await self._write_pack(_keys.REQUEST_DAYS, low, packed)

    async def _write_pack(self, partition: str, day: int, packed: Mapping[str, Any] | None) -> None:
        key = _keys.day_pack(partition, _ledger.day_of(day))
        if packed is None:
            # Readers then take the rows themselves.
            await self._table.write(delete(key))
        else:
            await self._table.write(put({**key, **packed, "expires_at": day + LEDGER_SECONDS}))

    async def _day_packs(
        self, partition: str, views: Sequence[_packs.View], wanted: Mapping[int, AbstractSet[int]]
    ) -> dict[str, _packs.DayPacks]:
        """The packs of days, by day. `wanted` has the beginning of each, or a moment in it, and which views to read."""
        batches: dict[frozenset[int], list[_keys.Key]] = {}
        for at, numbers in wanted.items():
            batches.setdefault(frozenset(numbers), []).append(_keys.day_pack(partition, _ledger.day_of(at)))
        async with at_once() as group:
            reads = [
                group.create_task(
                    self._table.get_many(
                        keys[start : start + MAX_BATCH_GET],
                        attributes=("sk", "until", *map(_packs.attribute_of, sorted(numbers))),
                    )
                )
                for numbers, keys in batches.items()
                for start in range(0, len(keys), MAX_BATCH_GET)
            ]
        return {item["sk"]: _packs.DayPacks(item, views) for read in reads for item in read.result()}

    async def _add_requests(self, adders: Sequence[_packs.Adder], since: int, until: int) -> None:
        """Add the requests that ended in `[since, until)`, which are of one day."""
        items = await self._rows(
            "{pk} = :pk AND {sk} BETWEEN :low AND :high",
            attributes=COUNTED,
            pk=_keys.requests_day(_ledger.day_of(since)),
            low=_ledger.id_from(since),
            high=_ledger.id_from(until),
        )
        for item in items:
            add_request(adders, item)

    async def _stored_sums(self, since: float, until: float) -> list[Sums]:
        rows: list[Sums] = []
        for month in _ledger.months_between(since, until):
            items = await self._rows(
                "{pk} = :pk AND {sk} BETWEEN :low AND :high",
                pk=_keys.sums_month(month),
                low=f"{_ledger.hour_of(since):010d}",
                # `~` comes after every character that a key's part begins with.
                high=f"{_ledger.hour_of(until - 1):010d}#~",
            )
            rows += map(sums_of, items)
        return rows

    async def _sum_up(self, since: float, until: float) -> int:
        rows = _ledger.add_up([entry async for entry in self._entries(since, until)])
        for row in rows:
            await self._table.write(put(sums_item(row)))
        return len({row.hour for row in rows})

    async def _closed_until(self) -> int | None:
        return (await self.get_config(_WATERMARK) or {}).get("closed_until")


def _views_for(views: Sequence[_packs.View], adders: Sequence[_packs.Adder], *, is_whole: bool) -> frozenset[int]:
    return frozenset(_packs.view_for(views, adder.needed, is_whole=is_whole) for adder in adders)
