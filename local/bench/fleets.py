"""`python -m local.bench.fleets`: calls and capacity of one chat with 10, 1,000 and 100,000 accounts. A Markdown table.

The store runs on its table in memory, where calls and items are counted: capacity as DynamoDB bills it, half a unit for
4 KB read (eventually consistent, a query as a whole, a batch by the item), one for 1 KB written, twice that in
transactions, and once more for each index that the item is in.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts import AccountKind, Intention, LeaseRequest, Outcome, Reservation, SendRecord
from accounts._dynamodb import DynamoDBAccountStore
from accounts._engine import INDEXES, Engine
from accounts._table import Table

FLEETS = (10, 1_000, 100_000)
CHATS = 20
_READS = ("GetItem", "Query", "BatchGetItem")
_READ_BYTES, _WRITE_BYTES = 4_096, 1_024


@dataclass(slots=True)
class Work:
    """What some chats cost together."""

    reads: int = 0
    writes: int = 0
    read_units: float = 0.0
    write_units: float = 0.0


class OpenVault:
    """Seals nothing and binds nothing, so that one account's item can be copied to make a fleet."""

    async def seal(self, values: Mapping[str, Any], *, account_id: str, purpose: str) -> bytes:
        """As bytes."""
        del account_id, purpose
        return json.dumps(dict(values)).encode()

    async def unseal(self, sealed: bytes, *, account_id: str, purpose: str) -> dict[str, Any]:
        """The values."""
        del account_id, purpose
        return dict(json.loads(sealed))

    async def check(self) -> None:
        """There is no key that could be missing."""


class CountedTable:
    """The engine, with what it is asked counted."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.work = Work()

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """One call."""
        del service
        answer = self.engine.call(operation, payload)
        if operation in _READS:
            self.work.reads += 1
            self.work.read_units += _read_units(answer)
        else:
            self.work.writes += 1
            self.work.write_units += self._write_units(operation, payload)
        return answer

    def _write_units(self, operation: str, payload: Mapping[str, Any]) -> float:
        if operation == "TransactWriteItems":
            return 2 * sum(self._written(next(iter(action.values()))) for action in payload["TransactItems"])
        return self._written(payload)

    def _written(self, action: Mapping[str, Any]) -> float:
        item = self.engine._find(action.get("Key") or action["Item"]) or {}
        units = -(-max(_size(item), 1) // _WRITE_BYTES)
        return units * (1 + sum(index.partition in item for index in INDEXES.values()))


def _read_units(answer: Mapping[str, Any]) -> float:
    if "Responses" in answer:
        items = [item for found in answer["Responses"].values() for item in found]
        return sum(0.5 * -(-_size(item) // _READ_BYTES) for item in items)
    read = sum(map(_size, answer.get("Items") or [answer.get("Item") or {}]))
    return 0.5 * max(1, -(-read // _READ_BYTES))


def _size(item: Mapping[str, Any]) -> int:
    return sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())


async def measure(accounts: int, *, has_budget: bool) -> Work:
    """The mean of some chats, each in a sandbox that has seen nothing yet. Times as on one evening."""
    rng, table, now = random.Random(accounts), CountedTable(), 1_800_000_000.0

    def store() -> DynamoDBAccountStore:
        return DynamoDBAccountStore(Table(table, "t"), OpenVault(), clock=lambda: now, rng=rng)

    await store().put_account(kind=AccountKind.OFFICIAL, label="first", credentials={"api_key": "x" * 60})
    first = next(item for item in table.engine.items() if "sel_pk" in item)
    for number in range(accounts - 1):
        name = f"acct_{number:016d}"
        own = {"pk": {"S": f"ACCOUNT#{name}"}, "account_id": {"S": name}, "eligible_at": {"N": str(rng.random())}}
        copy = {**first, **own}
        table.engine._store(copy, copy)
    await store()._count_fleet(AccountKind.OFFICIAL, accounts - 1)
    _, secret = await store().create_key(name="k", points_per_day=1_000_000 if has_budget else None)
    table.work = Work()
    for number in range(CHATS):
        now += 61.0
        await _chat(store(), secret, f"owner-{number}")
    return table.work


async def _chat(store: DynamoDBAccountStore, secret: str, owner: str) -> None:
    """What a chat does with the store."""
    key = await store.find_key(secret)
    if key is None:
        raise RuntimeError("the key is gone")
    reserved = None
    if key.has_budget:
        reserved = (await store.reserve_budget(key, Reservation(owners=[owner], points=20))).reserved
    intention = Intention(key_id=key.id, model="m", request_id=owner, estimate=20, reserved=reserved)
    lease = await store.lease(LeaseRequest(owner=owner, bot="m", ttl_seconds=90, intention=intention))
    await store.release(lease, Outcome(bot="m"), usage=SendRecord(prompt_tokens=9, completion_tokens=9))


def rows() -> list[str]:
    """The table."""
    lines = ["| accounts | budget | reads + writes | read units | write units |", "|--:|---|--:|--:|--:|"]
    for has_budget in (False, True):
        for accounts in FLEETS:
            work = asyncio.run(measure(accounts, has_budget=has_budget))
            calls = f"{work.reads / CHATS:.1f} + {work.writes / CHATS:.1f}"
            units = f"{work.read_units / CHATS:.1f} | {work.write_units / CHATS:.1f}"
            lines.append(f"| {accounts:,} | {'yes' if has_budget else 'no'} | {calls} | {units} |")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
