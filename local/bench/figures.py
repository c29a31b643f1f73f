"""Round trips, table work and memory."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local.bench.measure import memory_mb, text_chunks
from local.bench.runtime import BareSandbox
from local.bench.surroundings import Surroundings

MODEL = "Story"
CHAT = "/v1/chat/completions"
WARM_CHATS = 10
LATENCY_SECONDS = 0.05
PROMPT = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "count 5"}]}
_READS = ("GetItem", "Query", "BatchGetItem", "TransactGetItems", "Scan")
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Sequential round trips to Poe before the first token, and the time to it with latency injected."""

    name: str
    count: int
    first_token_ms: float


@dataclass(frozen=True, slots=True)
class TableWork:
    """DynamoDB calls of one chat."""

    name: str
    reads: float
    writes: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a gateway sandbox, MB."""

    after_init: float
    after_chats: float
    peak: float


async def measure_round_trips(around: Surroundings) -> list[RoundTrips]:
    """Of a web account: never used before, then from a new sandbox, then warm; and the same of the official one."""
    cookie = "bench-round-trips"
    await around.web_simulator("accounts", p_b=cookie)
    await around.admin("POST", "/accounts", kind="web", label=cookie, credentials={"p_b": cookie})
    await around.web_simulator("settings", latency_seconds=LATENCY_SECONDS)
    await around.official_simulator("settings", latency_seconds=LATENCY_SECONDS)
    try:
        await around.use_accounts(cookie)
        found = await _in_one_sandbox(around, _web_round_trips, ["web, first use of an account"])
        found += await _in_one_sandbox(around, _web_round_trips, ["web, new sandbox, cached session", "web, warm"])
        await around.use_accounts("sample-official")
        found += await _in_one_sandbox(around, _official_round_trips, ["official, new sandbox", "official, warm"])
        return found
    finally:
        await around.web_simulator("settings", latency_seconds=0.0)
        await around.official_simulator("settings", latency_seconds=0.0)


_Measure = Callable[[Surroundings, BareSandbox, str], Awaitable[RoundTrips]]


async def _in_one_sandbox(around: Surroundings, measure: _Measure, names: list[str]) -> list[RoundTrips]:
    sandbox = BareSandbox(around.gateway, around.reaper)
    try:
        await sandbox.start()
        return [await measure(around, sandbox, name) for name in names]
    finally:
        await sandbox.stop()


async def _web_round_trips(around: Surroundings, sandbox: BareSandbox, name: str) -> RoundTrips:
    since = time.monotonic()
    first = text_chunks(await sandbox.request("POST", CHAT, PROMPT, around.api_key))[0].time
    count = (await around.web_simulator(f"round_trips?since={since}&until={first}"))["round_trips"]
    return RoundTrips(name, count, (first - since) * 1000)


async def _official_round_trips(around: Surroundings, sandbox: BareSandbox, name: str) -> RoundTrips:
    since = time.monotonic()
    first = text_chunks(await sandbox.request("POST", CHAT, PROMPT, around.api_key))[0].time
    requests = await around.official_simulator("requests")
    # A stream's own request ends after its first token; all others are answered before it.
    count = sum(since <= request["time"] <= first for request in requests if "/_sim" not in request["path"])
    return RoundTrips(name, count, (first - since) * 1000)


async def measure_table_work(around: Surroundings) -> list[TableWork]:
    """Calls per chat, first in a new sandbox and then on average in a warm one."""
    await around.use_accounts("sample-web-1", "sample-web-2")
    sandbox = BareSandbox(around.gateway, around.reaper)
    try:
        await sandbox.start()
        work = []
        for name, chats in (("first chat of a sandbox", 1), ("warm", WARM_CHATS)):
            before = await around.aws_calls()
            for _ in range(chats):
                await sandbox.request("POST", CHAT, PROMPT, around.api_key)
            after = await around.aws_calls()
            work.append(
                TableWork(
                    name,
                    *(
                        sum(after.get(f"dynamodb.{call}", 0) - before.get(f"dynamodb.{call}", 0) for call in calls)
                        / chats
                        for calls in (_READS, _WRITES)
                    ),
                )
            )
        return work
    finally:
        await sandbox.stop()


async def measure_memory(around: Surroundings) -> Memory:
    """After the init phase, and after some chats with both kinds of account."""
    sandbox = BareSandbox(around.gateway, around.reaper)
    try:
        await sandbox.start()
        after_init, _ = memory_mb(sandbox.pid)
        for label in ("sample-web-1", "sample-official"):
            await around.use_accounts(label)
            for _ in range(WARM_CHATS):
                await sandbox.request("POST", CHAT, PROMPT, around.api_key)
        after_chats, peak = memory_mb(sandbox.pid)
        return Memory(after_init, after_chats, peak)
    finally:
        await sandbox.stop()
