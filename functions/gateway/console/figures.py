"""Figures that several pages show: sums by hour, counts of requests, and the names beside ids."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from accounts import AccountStore, RequestCount, Sums, at_once, first_token_percentile
from gateway.admin.shown import SUMS, counts_of, iso_time
from gateway.console.query import HOUR, Filters, Range
from gateway.surfaces.context import Services

TOP_MODELS = 6
_NAMED = 100
HOURLY = ("hour", "model")
"""How `show_hours` needs its rows to be grouped."""


def show_hours(rows: Iterable[Sums], span: Range) -> dict[str, Any]:
    """A number for each hour: of all facts in total, and of points by model."""
    # Hours without a send are 0, not missing: a chart would draw a line across the gap.
    totals = [[0] * span.hours for _ in SUMS]
    by_model: defaultdict[str, list[int]] = defaultdict(lambda: [0] * span.hours)
    for hour, of_hour in groupby(rows, attrgetter("hour")):
        # A row outside of the range would be counted in another hour: negative indexes count from the end.
        if not span.since <= hour < span.until:
            continue
        index = (hour - span.since) // HOUR
        found = list(of_hour)
        for row in found:
            by_model[row.model][index] += row.settled + row.estimated
        for column, values in zip(totals, zip(*map(counts_of, found), strict=True), strict=True):
            column[index] += sum(values)
    ordered = sorted(by_model.items(), key=lambda item: -sum(item[1]))
    series: list[tuple[str | None, list[int]]] = [*ordered[:TOP_MODELS]]
    # A chart with dozens of models can't be read.
    if others := [points for _, points in ordered[TOP_MODELS:]]:
        series.append((None, [sum(values) for values in zip(*others, strict=True)]))
    return {
        **_axis(span),
        "totals": dict(zip(SUMS, totals, strict=True)),
        "points_by_model": [{"model": model, "points": points} for model, points in series],
    }


def show_histogram(rows: Iterable[RequestCount], span: Range) -> dict[str, Any]:
    """Requests that were answered and that were not, for each hour."""
    ok, errors = [0] * span.hours, [0] * span.hours
    for row in rows:
        (ok if row.code is None else errors)[(row.hour - span.since) // HOUR] += row.requests
    return {**_axis(span), "ok": ok, "errors": errors}


def _axis(span: Range) -> dict[str, Any]:
    return {
        "start": iso_time(span.since),
        "start_seconds": span.since,
        "step_seconds": HOUR,
        "count": span.hours,
    }


def show_counts(rows: Sequence[RequestCount]) -> dict[str, Any]:
    """How many requests there were, how many failed, and how long first tokens took."""
    classes: Counter[int] = Counter()
    for row in rows:
        # Requests that failed before the first token have no time to it, and must not count as fast.
        if row.first_token_class is not None:
            classes[row.first_token_class] += row.requests
    return {
        "requests": sum(row.requests for row in rows),
        "errors": sum(row.requests for row in rows if row.code is not None),
        "first_token_p50_seconds": first_token_percentile(classes, 0.5),
        "first_token_p95_seconds": first_token_percentile(classes, 0.95),
        "first_token_of": classes.total(),
    }


BY_CLASS = ("code", "first_token_class")
"""How `show_counts` needs its rows to be grouped."""
BY_HOUR = ("hour", "code")
"""How `show_histogram` needs them."""


async def count_requests(
    services: Services,
    span: Range,
    filters: Filters,
    *,
    by: Sequence[Sequence[str]] = (BY_CLASS,),
    outcome: str | None = None,
) -> Sequence[Sequence[RequestCount]]:
    """Counts of requests, grouped in each of these ways; nothing where the log of requests is switched off."""
    # Nothing is kept: an empty answer says so, where zeros would say that nobody asked.
    if services.settings.request_log_days <= 0:
        return []
    return await services.store.count_requests(
        since=span.since,
        until=span.until,
        by=by,
        outcome=outcome,
        key_id=filters["key_id"],
        model=filters["model"],
        account_id=filters["account_id"],
    )


class Names:
    """What keys and accounts are called."""

    def __init__(self, keys: Mapping[str, str], accounts: Mapping[str, str]) -> None:
        self.keys = keys
        self.accounts = accounts

    def choices(self) -> dict[str, Any]:
        """For filters."""

        def sorted_by_name(names: Mapping[str, str]) -> list[tuple[str, str]]:
            return sorted(names.items(), key=lambda item: (item[1].lower(), item[0]))

        return {
            "keys": [{"id": key_id, "name": name} for key_id, name in sorted_by_name(self.keys)],
            "accounts": [{"id": account_id, "label": label} for account_id, label in sorted_by_name(self.accounts)],
        }


async def first_names(store: AccountStore) -> Names:
    """The names of the first hundred keys and accounts."""
    async with at_once() as group:
        keys_read = group.create_task(store.list_keys(limit=_NAMED))
        accounts_read = group.create_task(store.list_accounts(limit=_NAMED))
    keys, accounts = keys_read.result().items, accounts_read.result().items
    return Names({key.id: key.name for key in keys}, {account.id: account.label for account in accounts})


async def names_of(
    store: AccountStore, key_ids: Collection[str], account_ids: Collection[str], *, known: Names | None = None
) -> Names:
    """The names of these, at most a hundred of each beyond those that are known. What was deleted has none."""
    known = known or Names({}, {})
    # Bounded, because each name is a read of the table; the page shows the others by their ids.
    keys = sorted(set(key_ids) - set(known.keys) - {""})[:_NAMED]
    accounts = sorted(set(account_ids) - set(known.accounts) - {""})[:_NAMED]
    found_keys = await store.get_keys(keys) if keys else {}
    found_accounts = await store.get_accounts(accounts) if accounts else {}
    return Names(
        {**known.keys, **{key_id: key.name for key_id, key in found_keys.items()}},
        {**known.accounts, **{account_id: account.label for account_id, account in found_accounts.items()}},
    )
