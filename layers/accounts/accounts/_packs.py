"""Counts by hour, packed by day: how they are stored, and how they are added up by some of their names. Pure.

A month of a busy gateway is tens of thousands of counted hours. As items of their own they take seconds to read; packed
they are thirty items. A day is packed several times, by fewer and fewer names: what asks for few names is answered from
few rows.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from operator import add
from typing import Any

from accounts._documents import MAX_DOCUMENT_BYTES
from lazy_dataclasses import dataclass

Name = str | int | None
Names = tuple[Name, ...]
Key = tuple[int, Names]
"""An hour, and names."""
View = Sequence[str]
"""The names by which a day is packed, `hour` among them or not."""
HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Pack:
    """The counts of one day, in columns, by hour."""

    names: Sequence[Names] = field(repr=False)
    hours: Sequence[int] = field(repr=False)
    who: Sequence[int] = field(repr=False)
    """For each row, which of the names."""
    counts: Sequence[Sequence[int]] = field(repr=False)
    """A column for each count."""


class Adder:
    """Adds counts up by some of their names, and by hour if that is one of them.

    `names` are those that rows have, `by` those to group by. `wanted` says of some names which values count.
    """

    def __init__(self, names: View, by: View, wanted: Mapping[str, Callable[[Name], bool]] | None = None) -> None:
        self.sums: dict[Key, list[int]] = {}
        self.needed = frozenset(by) | frozenset(wanted or {})
        self._by_hour = HOUR in by
        self._by = [name for name in by if name != HOUR]
        self._wanted = dict(wanted or {})
        self._group = self._grouping(names)

    def add(self, hour: int, names: Names, counts: Iterable[int]) -> None:
        """Add one row."""
        group = self._group(names)
        if group is not None:
            self._add((hour if self._by_hour else 0, group), counts)

    def add_pack(
        self, packed: Pack, view: View, *, since: int, until: int, without: AbstractSet[int] = frozenset()
    ) -> None:
        """Add the rows of the hours in `[since, until)` that are not in `without`."""
        groups = [*map(self._grouping(_plain(view)), packed.names)]
        # Rows are sorted by hour, so that a part of a day is a slice.
        low, high = bisect_left(packed.hours, since), bisect_left(packed.hours, until)
        columns = [column[low:high] for column in (packed.hours, packed.who, *packed.counts)]
        by_hour = self._by_hour
        for hour, who, *counts in zip(*columns, strict=True):
            group = groups[who]
            if group is not None and hour not in without:
                self._add((hour if by_hour else 0, group), counts)

    def _add(self, key: Key, counts: Iterable[int]) -> None:
        before = self.sums.get(key)
        self.sums[key] = list(counts) if before is None else list(map(add, before, counts))

    def _grouping(self, names: View) -> Callable[[Names], Names | None]:
        """Tells of a row's names those to group by; `None` if the row is not wanted."""
        places = [names.index(name) for name in self._by]
        tests = [(names.index(name), is_wanted) for name, is_wanted in self._wanted.items()]

        def group(values: Names) -> Names | None:
            for place, is_wanted in tests:
                if not is_wanted(values[place]):
                    return None
            # A list first: it is faster than a generator, and this runs for every row.
            return tuple([values[place] for place in places])

        return group


def view_for(views: Sequence[View], needed: AbstractSet[str], *, is_whole: bool) -> int:
    """Which of the views to add a day from: the last one that has the names. Parts of a day need its hours, too."""
    names = needed if is_whole else needed | {HOUR}
    return max(number for number, view in enumerate(views) if names <= set(view))


def attribute_of(number: int) -> str:
    """The attribute of a day's item that has a view."""
    return f"v{number}"


class DayPacks:
    """One day, packed by several views, of which some were read. Each is unpacked when it is first asked for."""

    def __init__(self, item: Mapping[str, Any], views: Sequence[View]) -> None:
        self.until = int(item["until"])
        """Complete up to this."""
        self._views = views
        self._item = item
        self._unpacked: dict[int, Pack] = {}

    def has(self, number: int) -> bool:
        """Whether this view was read."""
        return attribute_of(number) in self._item

    def add_to(
        self, adder: Adder, *, since: int, until: int, is_whole: bool, without: AbstractSet[int] = frozenset()
    ) -> None:
        """Add the hours in `[since, until)` but those in `without`. `is_whole` says that these are all of the day."""
        number = view_for(self._views, adder.needed, is_whole=is_whole)
        if number not in self._unpacked:
            self._unpacked[number] = _unpack(self._item[attribute_of(number)])
        adder.add_pack(self._unpacked[number], self._views[number], since=since, until=until, without=without)


def pack_day(
    rows: Mapping[Key, Sequence[int]], views: Sequence[View], *, day: int, until: int
) -> dict[str, Any] | None:
    """The attributes of the item of a day, which begins at `day`; `None` if they do not fit one item.

    `rows` have the names of the first view. The views after it have fewer and fewer.
    """
    attributes: dict[str, Any] = {"until": until}
    for number, view in enumerate(views):
        adder = Adder(_plain(views[0]), view)
        for (hour, names), counts in rows.items():
            adder.add(hour, names, counts)
        found = adder.sums if HOUR in view else {(day, names): counts for (_, names), counts in adder.sums.items()}
        attributes[attribute_of(number)] = _pack(found)
    is_short = sum(len(value) for value in attributes.values() if isinstance(value, bytes)) <= MAX_DOCUMENT_BYTES
    # Too many names for one item: readers then take the rows, which are right, if slower.
    return attributes if is_short else None


def _plain(view: View) -> list[str]:
    return [name for name in view if name != HOUR]


def _pack(rows: Mapping[Key, Sequence[int]]) -> bytes:
    # As text, because a name may be `None`, which does not compare.
    ordered = sorted(rows.items(), key=lambda row: (row[0][0], str(row[0][1])))
    # Each combination once: most hours have the same ones.
    names = {names: number for number, names in enumerate(dict.fromkeys(names for (_, names), _ in ordered))}
    columns = [
        list(names),
        [hour for (hour, _), _ in ordered],
        [names[who] for (_, who), _ in ordered],
        [list(column) for column in zip(*(counts for _, counts in ordered), strict=True)],
    ]
    # In columns: numbers of one kind beside each other compress far better than rows.
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode(), 6)


def _unpack(packed: bytes) -> Pack:
    names, hours, who, counts = json.loads(zlib.decompress(packed))
    return Pack([tuple(one) for one in names], hours, who, counts)
