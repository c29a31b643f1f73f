"""Writes entries and requests as a gateway would have left them, without leasing anything."""

from __future__ import annotations

from collections.abc import Iterable

from accounts import AccountKind, AccountStore, LedgerEntry, RequestRecord, SettledBy
from accounts._records_items import entry_attributes, entry_key, request_item
from accounts._table import put


def entry(number: int, at: float, **facts: object) -> LedgerEntry:
    """An entry that is unlike its neighbours."""
    settled = None if number % 3 == 0 else number % 50
    values: dict[str, object] = {
        "id": f"{round(at * 1000):014d}#o{number}",
        "account_id": f"acct_{number % 2}",
        "kind": AccountKind.OFFICIAL,
        "key_id": f"key_{number % 3}",
        "model": f"model-{number % 4}",
        "surface": "chat",
        "request_id": f"req_{number}",
        "attempt": 1,
        "started_at": at,
        "ended_at": at + 2,
        "first_token_at": at + 1,
        "outcome": "ok" if number % 5 else "upstream_error",
        "prompt_tokens": number,
        "completion_tokens": None if number % 7 == 0 else 3,
        "estimate": None if number % 4 == 0 else 5,
        "settled": settled,
        "settled_by": None if settled is None else SettledBy.HISTORY,
    }
    return LedgerEntry(**(values | facts))  # type: ignore[arg-type]


def request(number: int, at: float, **facts: object) -> RequestRecord:
    """A request that is unlike its neighbours."""
    is_error = number % 5 == 0
    values: dict[str, object] = {
        "request_id": f"req_{number}",
        "at": at,
        "key_id": f"key_{number % 3}",
        "model": f"model-{number % 4}",
        "surface": "chat",
        "status": 502 if is_error else 200,
        "code": "upstream_error" if is_error else None,
        "account_id": None if is_error else f"acct_{number % 2}",
        "attempts": 1,
        "first_token_seconds": None if is_error else 0.1 + number % 10,
        "total_seconds": 2.0,
    }
    return RequestRecord(**(values | facts))  # type: ignore[arg-type]


async def write(
    store: AccountStore, entries: Iterable[LedgerEntry] = (), requests: Iterable[RequestRecord] = ()
) -> None:
    """Put them into the table."""
    for made in entries:
        await store._table.write(put({**entry_key(made), **entry_attributes(made)}))  # type: ignore[attr-defined]
    for record in requests:
        await store._table.write(put(request_item(record)))  # type: ignore[attr-defined]
