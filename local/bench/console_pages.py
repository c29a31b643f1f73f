"""What each page of the console costs: processor time, calls of the table and read units, with a month of requests.

    make bench ARGS="--only console"

The table is in this process. What the table itself does is not counted, but the bytes of its answers are parsed, as
those of AWS are. What a page takes on Lambda at most is computed: the processor time at its share of a core, and as
many calls of the table as it makes one after the other. Calls that are under way at the same time are one of these.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, cast

from starlette.types import Message

from accounts import AccountKind, InMemoryAccountStore, KeyRole, LedgerEntry, RequestRecord, SettledBy
from accounts._aws import AwsCaller
from accounts._engine import _size
from accounts._records_items import entry_attributes, entry_key, request_item
from accounts._table import Table, put
from gateway.bootstrap import build_services
from gateway.console.answers import Answer, send_answer
from gateway.console.api import PAGES
from gateway.console.session import Session
from gateway.console.sign_in import Visit
from gateway.http.auth import Administrator
from gateway.settings import Settings
from local.bench.first_token import SHARE

REQUESTS, DAYS = 100_000, 30
KEYS, MODELS, ACCOUNTS = 5, 12, 3
ROUNDS = 7
CALL_SECONDS = 0.010
"""How long a call of the table takes, from a function in the same region. An assumption, not measured."""
_DAY, _HOUR = 86_400, 3_600
_UNIT_BYTES = 4096
_SAVES_NOTHING = ("FilterExpression", "ProjectionExpression")
# Turns of the loop in which whoever asks the table at the same time has asked.
_TURNS = 10
_GZIP_SCOPE = {"method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
_WHOLE_MONTH = ("overview", "requests", "usage", "me")


@dataclass(frozen=True, slots=True)
class PageCost:
    """One page. Times are of a whole core."""

    name: str
    cpu_seconds: float
    calls: int
    rounds: int
    """Calls of the table that had to wait for each other."""
    read_units: float
    kilobytes: float

    @property
    def lambda_seconds(self) -> float:
        return self.cpu_seconds / SHARE + self.rounds * CALL_SECONDS


@dataclass(slots=True)
class CountingAws:
    """Passes calls on to a table in memory, and counts what AWS would charge for reading."""

    inner: AwsCaller
    calls: int = 0
    rounds: int = 0
    read_units: float = 0.0
    apart_seconds: float = 0.0
    """Processor time that on AWS others spend."""
    is_on: bool = field(default=False)
    _together: asyncio.Task[None] | None = None
    """Ends when all who ask at the same time have asked."""

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if not self.is_on:
            return await self.inner.call(service, operation, payload)
        if self._together is None:
            self._together = asyncio.create_task(self._gather_calls())
        await asyncio.shield(self._together)
        before = time.process_time()
        answer = await self.inner.call(service, operation, payload)
        text = json.dumps(answer)
        self.calls += 1
        self.read_units += await self._units(service, operation, payload, answer)
        self.apart_seconds += time.process_time() - before
        return cast("dict[str, Any]", json.loads(text))

    async def _gather_calls(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self.rounds += 1
        self._together = None

    async def _units(
        self, service: str, operation: str, payload: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> float:
        """Items are charged each where they are named, and together where they are looked for.

        Filters and projections save nothing.
        """
        match operation:
            case "GetItem":
                sizes, is_consistent = [_size(answer.get("Item", {}))], payload.get("ConsistentRead", False)
            case "BatchGetItem":
                [asked] = payload["RequestItems"].values()
                whole = {name: {"Keys": asked["Keys"]} for name in payload["RequestItems"]}
                found = await self.inner.call(service, operation, {"RequestItems": whole})
                [items] = found["Responses"].values() or [[]]
                sizes, is_consistent = [_size(item) for item in items], asked.get("ConsistentRead", False)
            case "Query":
                whole = {name: value for name, value in payload.items() if name not in _SAVES_NOTHING}
                found = await self.inner.call(service, operation, whole)
                sizes, is_consistent = [sum(map(_size, found.get("Items", ())))], payload.get("ConsistentRead", False)
            case _:
                raise RuntimeError(f"a page must read, and by keys: {operation}")
        units = sum(max(1, math.ceil(size / _UNIT_BYTES)) for size in sizes)
        return units * (1.0 if is_consistent else 0.5)


async def measure_console_pages(requests: int = REQUESTS, rounds: int = ROUNDS) -> list[PageCost]:
    """Each page once with what it shows by default, and those that have a range with the whole month."""
    store = InMemoryAccountStore()
    table: Table = store._table
    aws = CountingAws(table._aws)
    table._aws = aws
    services = build_services(Settings.from_env({"GATEWAY_STORE": "memory"}), store=store)
    try:
        visits = await _fill(store, requests)
        # The table is AWS's: its items are none that Python would look through for garbage.
        gc.collect()
        gc.freeze()
        month = {"from": str(time.time() - DAYS * _DAY)}
        costs = []
        for page, roles in PAGES.items():
            visit = visits[next(iter(sorted(roles)))]
            ways: dict[str, Mapping[str, str]] = {page: {}}
            if page in _WHOLE_MONTH:
                ways[f"{page}, {DAYS} days"] = month
            if page == "requests":
                ways[f"{page}, failures of {DAYS} days"] = {**month, "status": "error"}
            for name, query in ways.items():
                answer = partial(import_module(f"gateway.console.pages.{page}").answer, services, visit, "", query)
                costs.append(await _measure(name, answer, aws, rounds))
        return costs
    finally:
        gc.unfreeze()
        await services.aclose()


async def _measure(name: str, answer: Callable[[], Awaitable[Answer]], aws: CountingAws, rounds: int) -> PageCost:
    seconds: list[float] = []
    for _ in range(rounds + 1):
        aws.calls, aws.rounds, aws.read_units, aws.apart_seconds, aws.is_on = 0, 0, 0.0, 0.0, True
        before = time.process_time()
        made = await answer()
        await send_answer(_GZIP_SCOPE, _drop, made)
        seconds.append(time.process_time() - before - aws.apart_seconds)
        aws.is_on = False
    # The first one also learns what later ones know.
    # The least, because whatever else the machine does only adds to it.
    return PageCost(name, min(seconds[1:]), aws.calls, aws.rounds, aws.read_units, len(made.body) / 1024)


async def _drop(_message: Message) -> None:
    """Where answers go."""


async def _fill(store: InMemoryAccountStore, requests: int) -> dict[KeyRole, Visit]:
    """A month of requests, summed up by the scheduled job until some hours ago; who looks at it, by role."""
    keys = [(await store.create_key(name=f"key {number}"))[0] for number in range(KEYS)]
    accounts = [
        await store.put_account(kind=AccountKind.OFFICIAL, label=f"account {number}", credentials={"api_key": "x" * 40})
        for number in range(ACCOUNTS)
    ]
    for entry in _entries(requests, [key.id for key in keys], [account.id for account in accounts]):
        await store._table.write(put({**entry_key(entry), **entry_attributes(entry)}))
        await store._table.write(put(request_item(_request(entry))))
    for _ in range(10):
        await store.close_hours()
    session = Session(role=KeyRole.ADMIN, key_id=None, key_mark="", signed_in_at=0, active_at=0)
    owner = Visit(session, Administrator(KeyRole.ADMIN), b"")
    return {
        KeyRole.ADMIN: owner,
        KeyRole.VIEWER: owner,
        KeyRole.CLIENT: Visit(session, Administrator(KeyRole.CLIENT, keys[0]), b""),
    }


def _entries(count: int, keys: list[str], accounts: list[str]) -> Iterator[LedgerEntry]:
    """Some keys and models are used far more often than others."""
    rng = random.Random(1)
    now = time.time()
    for number in range(count):
        at = now - rng.random() * DAYS * _DAY
        is_settled = at < now - _HOUR
        yield LedgerEntry(
            id=f"{round(at * 1000):014d}#{number:032x}",
            account_id=rng.choice(accounts),
            kind=AccountKind.OFFICIAL,
            key_id=keys[min(int(rng.expovariate(0.7)), len(keys) - 1)],
            model=f"model-number-{min(int(rng.expovariate(0.4)), MODELS - 1)}",
            surface="chat",
            request_id=f"req_{number:032x}",
            attempt=1,
            started_at=at,
            ended_at=at + 5,
            first_token_at=at + 1,
            outcome="ok" if rng.random() > 0.02 else "upstream_error",
            prompt_tokens=rng.randrange(4_000),
            completion_tokens=rng.randrange(1_000),
            estimate=rng.randrange(200),
            settled=rng.randrange(200) if is_settled else None,
            settled_by=SettledBy.HISTORY if is_settled else None,
        )


def _request(entry: LedgerEntry) -> RequestRecord:
    is_error = entry.is_error
    return RequestRecord(
        request_id=entry.request_id,
        at=entry.started_at + 5,
        key_id=entry.key_id,
        model=entry.model,
        surface=entry.surface,
        status=502 if is_error else 200,
        code=entry.outcome if is_error else None,
        account_id=entry.account_id,
        attempts=1,
        first_token_seconds=None if is_error else 0.2 + (entry.prompt_tokens or 0) / 1_000,
        total_seconds=5.0,
        prompt_tokens=entry.prompt_tokens,
        completion_tokens=entry.completion_tokens,
        points=entry.points,
    )


def page_rows(costs: list[PageCost]) -> list[str]:
    """A table, as Markdown."""
    return [
        "| page of the console | processor time | calls of the table | one after the other | read units | answer "
        "| on Lambda, computed |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {cost.name} | {cost.cpu_seconds * 1000:.1f} ms | {cost.calls} | {cost.rounds} | {cost.read_units:.0f} "
            f"| {cost.kilobytes:.0f} KB | {cost.lambda_seconds * 1000:.0f} ms |"
            for cost in costs
        ),
        "",
    ]
