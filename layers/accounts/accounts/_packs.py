"""Counts by hour, packed by day: how they are stored, and how they are added up by some of their names. Pure.

A month of a busy gateway is tens of thousands of counted hours. As items of their own they take seconds to read; packed
they are thirty items, and are added up without making an object of each.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from operator import add

from accounts._documents import MAX_DOCUMENT_BYTES

Name = str | int | None
Names = tuple[Name, ...]
Key = tuple[int, Names]
"""An hour, 0 for all of them, and names."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The counts of one day, in columns, by hour. Complete up to `until`."""

    until: int
    names: Sequence[Names] = field(repr=False)
    hours: Sequence[int] = field(repr=False)
    who: Sequence[int] = field(repr=False)
    """For each row, which of the names."""
    counts: Sequence[Sequence[int]] = field(repr=False)
    """A column for each count."""


def pack(rows: Mapping[Key, Sequence[int]], *, until: int) -> bytes | None:
    """Rows for one item; `None` if they do not fit one."""
    ordered = sorted(rows.items(), key=lambda row: (row[0][0], str(row[0][1])))
    names = {names: number for number, names in enumerate(dict.fromkeys(names for (_, names), _ in ordered))}
    document = {
        "until": until,
        "names": list(names),
        "hours": [hour for (hour, _), _ in ordered],
        "who": [names[who] for (_, who), _ in ordered],
        "counts": [list(column) for column in zip(*(counts for _, counts in ordered), strict=True)],
    }
    packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6)
    return packed if len(packed) <= MAX_DOCUMENT_BYTES else None


def unpack(packed: bytes) -> Pack:
    """What was packed."""
    found = json.loads(zlib.decompress(packed))
    names = [tuple(names) for names in found["names"]]
    return Pack(found["until"], names, found["hours"], found["who"], found["counts"])


class Adder:
    """Adds counts up by some of their names, and by hour if that is one of them.

    `names` are those that rows have, `by` those to group by. `wanted` says of some names which values count.
    """

    def __init__(
        self, names: Sequence[str], by: Sequence[str], wanted: Mapping[str, Callable[[Name], bool]] | None = None
    ) -> None:
        self.sums: dict[Key, list[int]] = {}
        self._by_hour = "hour" in by
        self._by = [names.index(name) for name in by if name != "hour"]
        self._wanted = [(names.index(name), is_wanted) for name, is_wanted in (wanted or {}).items()]

    def add(self, hour: int, names: Names, counts: Iterable[int]) -> None:
        """Add one row."""
        key = self._group(names)
        if key is not None:
            self._add((hour if self._by_hour else 0, key), counts)

    def add_pack(self, packed: Pack, *, since: int, until: int, without: AbstractSet[int] = frozenset()) -> None:
        """Add the rows of the hours in `[since, until)` that are not in `without`."""
        groups = [self._group(names) for names in packed.names]
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

    def _group(self, names: Names) -> Names | None:
        """The names to group by; `None` if the row is not wanted."""
        if not all(is_wanted(names[position]) for position, is_wanted in self._wanted):
            return None
        return tuple(names[position] for position in self._by)
