"""Many streams at once, and large prompts: what each costs the process that serves, under uvicorn."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from local.bench.measure import cpu_seconds, memory_mb, post, text_chunks
from local.bench.served import Server, uvicorn
from local.bench.streaming import GATEWAY_APPLICATION, prompt
from local.bench.surroundings import Surroundings
from local.bench.way import settled_cpu_seconds

STREAMS = (50, 100)
_PIECES, _PACE_SECONDS = 20, 0.05
_SLOTS = 10
STORES = {"memory": "in memory", "dynamodb": "the local stand-in of DynamoDB"}
_PROMPT_ROUNDS = 3
_KB = 1000


@dataclass(frozen=True, slots=True)
class ManyStreams:
    """Streams that began together. Times in seconds."""

    store: str
    count: int
    first_bytes: list[float]
    cpu_per_stream: float
    memory_mb_per_stream: float
    table_calls: float
    """Of the stand-in of DynamoDB, per stream."""
    table_cpu: float
    """Processor time of the stand-in, per stream."""


@dataclass(slots=True)
class LargePrompt:
    """One kind of request; processor time in seconds, one entry per round."""

    name: str
    body_bytes: int
    used: dict[str, list[float]] = field(default_factory=dict)
    """By the kind of account."""


async def measure_many(around: Surroundings, found: list[ManyStreams]) -> None:
    """Paced streams of official accounts that have slots enough, with either store. Raises `RuntimeError`."""
    for store, name in STORES.items():
        async with _gateway(around, store) as (server, api_key):
            await around.official_simulator("settings", pace_seconds=_PACE_SECONDS)
            await _stream(server, api_key)
            for count in STREAMS:
                sys.stderr.write(f"  {count} streams at once, store: {name}\n")
                found.append(await _many(around, server, api_key, count, name))


async def _many(around: Surroundings, server: Server, api_key: str, count: int, store: str) -> ManyStreams:
    calls, table = sum((await around.aws_calls()).values()), cpu_seconds([around.aws_pid])
    used, (held, _) = cpu_seconds([server.pid]), memory_mb(server.pid)
    streams = [asyncio.create_task(_stream(server, api_key)) for _ in range(count)]
    peak = held
    while not all(stream.done() for stream in streams):
        peak = max(peak, memory_mb(server.pid)[0])
        await asyncio.sleep(0.05)
    first_bytes = [await stream for stream in streams]
    used = await settled_cpu_seconds([server.pid]) - used
    return ManyStreams(
        store,
        count,
        first_bytes,
        cpu_per_stream=used / count,
        memory_mb_per_stream=(peak - held) / count,
        table_calls=(sum((await around.aws_calls()).values()) - calls) / count,
        table_cpu=(cpu_seconds([around.aws_pid]) - table) / count,
    )


async def _stream(server: Server, api_key: str) -> float:
    """Seconds to the first piece of a stream that came whole. Raises `RuntimeError`."""
    since = time.monotonic()
    chunks = text_chunks(await post(f"{server.url}/v1/chat/completions", prompt(_PIECES), api_key=api_key))
    came = len("".join(chunk.text for chunk in chunks).split())
    if came != _PIECES:
        raise RuntimeError(f"{came} pieces came instead of {_PIECES}")
    return chunks[0].time - since


@asynccontextmanager
async def _gateway(around: Surroundings, store: str) -> AsyncIterator[tuple[Server, str]]:
    """The gateway with a store that has accounts of its own, and one of its API keys."""
    async with uvicorn(around, GATEWAY_APPLICATION, GATEWAY_STORE=store) as server:

        async def admin(path: str, **body: Any) -> Any:
            headers = {"Authorization": f"Bearer {around.variables['GATEWAY_ADMIN_KEY']}"}
            reply = await around.http.post(f"{server.url}/admin{path}", headers=headers, json=body)
            return reply.raise_for_status().json()

        labels = [f"bench-load-{store}-{number}" for number in range(max(STREAMS) // _SLOTS)]
        for label in labels:
            account = {"api_key": label, "points": 10_000_000}
            simulator = around.variables["GATEWAY_POE_OFFICIAL_BASE_URL"]
            (await around.http.post(f"{simulator}/_sim/accounts", json=account)).raise_for_status()
            credentials = {"api_key": label}
            await admin("/accounts", kind="official", label=label, credentials=credentials, max_concurrency=_SLOTS)
        if store == "dynamodb":
            await around.use_accounts(*labels)
        yield server, (await admin("/keys", name="bench-load"))["key"]


def large_prompts() -> dict[str, dict[str, Any]]:
    """Requests that are answered with five words, by what is large in them."""

    def ask(text: str, **more: Any) -> dict[str, Any]:
        return {**prompt(5), "messages": [{"role": "user", "content": f"{text}count 5"}], **more}

    parameters = {"type": "object", "properties": {f"field_{n}": {"type": "string"} for n in range(10)}}
    tools = [
        {"type": "function", "function": {"name": f"tool_{n}", "description": "Does it.", "parameters": parameters}}
        for n in range(100)
    ]
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"Turn {n}."} for n in range(999)]
    return {
        "a prompt of 10 KB": ask("word " * (10 * _KB // 5)),
        "of 100 KB": ask("word " * (100 * _KB // 5)),
        "of 1 MB": ask("word " * (_KB * _KB // 5)),
        "of 4 MB": ask("word " * (4 * _KB * _KB // 5)),
        "1,000 messages": {**ask(""), "messages": [*turns, {"role": "user", "content": "count 5"}]},
        "100 tools": ask("", tools=tools),
    }


async def measure_prompts(around: Surroundings, found: list[LargePrompt]) -> None:
    """Processor time of each request, with an official and with a web account. Raises `RuntimeError`."""
    cookie, key = "bench-prompts-web", "bench-prompts-official"
    await around.add_official_account(key, key)
    await around.web_simulator("accounts", p_b=cookie, points=10_000_000)
    await around.admin("POST", "/accounts", kind="web", label=cookie, credentials={"p_b": cookie})
    await around.web_simulator("settings", pace_seconds=0.0)
    await around.official_simulator("settings", pace_seconds=0.0)
    prompts = large_prompts()
    found += [LargePrompt(name, len(json.dumps(body))) for name, body in prompts.items()]
    async with uvicorn(around, GATEWAY_APPLICATION) as server:
        address = f"{server.url}/v1/chat/completions"
        for kind, label in (("official", key), ("web", cookie)):
            await around.use_accounts(label)
            await post(address, prompt(5), api_key=around.api_key)
            for number in range(_PROMPT_ROUNDS):
                sys.stderr.write(f"  large prompts, {kind}, round {number + 1} of {_PROMPT_ROUNDS}\n")
                for row in found:
                    before = await settled_cpu_seconds([server.pid])
                    await post(address, prompts[row.name], api_key=around.api_key)
                    used = await settled_cpu_seconds([server.pid]) - before
                    row.used.setdefault(kind, []).append(used)
