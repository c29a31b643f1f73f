"""Counted items as rows to add up, and what was added up as rows to show. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import eq
from typing import Any

from accounts import _ledger, _packs
from accounts._classes import class_of
from accounts._ledger_model import RequestCount, Sums

NAMES = ("key_id", "model", "account_id")
REQUEST_NAMES = ("key_id", "model", "account_id", "code", "first_token_class")
COUNTED = ("at", "key_id", "model", "account_id", "code", "first_token_seconds")
"""The attributes of a logged request that counts are made of."""


def wanted_of(**names: str | None) -> dict[str, Callable[[_packs.Name], bool]]:
    """Which values of names count."""
    return {name: partial(eq, value) for name, value in names.items() if value is not None}


def is_outcome(outcome: str) -> Callable[[_packs.Name], bool]:
    """Whether a code, or that there is none, is of this outcome: `ok`, `error` or a code."""
    match outcome:
        case "ok":
            return lambda code: code is None
        case "error":
            return lambda code: code is not None
    return partial(eq, outcome)


def add_sums(adders: Iterable[_packs.Adder], row: Sums) -> None:
    """Add one row of stored or computed sums."""
    for adder in adders:
        adder.add(row.hour, row.names, row.counts)


def add_request(adders: Iterable[_packs.Adder], item: Mapping[str, Any]) -> None:
    """Add one item of the log of requests, of which `COUNTED` is enough."""
    seconds, code = item.get("first_token_seconds"), item.get("code")
    # Of answers only: how fast a refusal came says nothing about the wait for a token.
    first_token_class = None if seconds is None or code is not None else class_of(seconds)
    names = (item["key_id"], item["model"], item.get("account_id"), code, first_token_class)
    for adder in adders:
        adder.add(_ledger.hour_of(item["at"]), names, (1,))


def sums_of(adder: _packs.Adder, by: Sequence[str]) -> list[Sums]:
    """The rows, by hour and names; those that were not asked for are empty."""
    plain = [name for name in by if name != _packs.HOUR]
    # One place behind the names is an empty one.
    places = [plain.index(name) if name in plain else len(plain) for name in NAMES]
    rows = sorted(adder.sums.items())
    # Looked up once: pages make thousands of rows.
    make = Sums._make
    return [
        make(itertools.chain((hour,), [(*names, "")[place] for place in places], counts))
        for (hour, names), counts in rows
    ]


def counts_of(adder: _packs.Adder, by: Sequence[str]) -> list[RequestCount]:
    """The rows, by hour and names."""
    rows = sorted(adder.sums.items(), key=lambda row: (row[0][0], str(row[0][1])))
    return [RequestCount(requests=counts[0], **_named(key, by)) for key, counts in rows]


def day_start(at: float) -> int:
    """The beginning of a moment's UTC day."""
    return int(at // _ledger.DAY_SECONDS) * _ledger.DAY_SECONDS


def days(since: int, until: int) -> list[tuple[int, int]]:
    """The parts of `[since, until)` that are in one UTC day each, oldest first."""
    starts = range(day_start(since), until, _ledger.DAY_SECONDS)
    return [(max(start, since), min(start + _ledger.DAY_SECONDS, until)) for start in starts]


def _named(key: _packs.Key, by: Sequence[str]) -> dict[str, Any]:
    hour, names = key
    return {"hour": hour} | dict(zip([name for name in by if name != _packs.HOUR], names, strict=True))
