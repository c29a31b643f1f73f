"""Streams on both routes: what a piece costs the processor and how late it arrives, for each way to serve it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.bench import plain_client_app, plain_httpx_app
from local.bench.litellm_proxy import MASTER_KEY, LiteLlm
from local.bench.measure import Piece, post
from local.bench.portkey import Portkey
from local.bench.runtime import BareSandbox
from local.bench.served import served, uvicorn
from local.bench.surroundings import Surroundings
from local.bench.upstreams import OfficialUpstream, Upstream, WebUpstream
from local.bench.way import Samples, Way, add_round

MODEL = "Story"
ROUNDS = 5
GATEWAY_APPLICATION = "gateway.asgi:app"
# By its path: as a module it would load this package.
FLOOR_PROGRAM = Path(__file__).with_name("floor.py")
FLOOR = "the floor: a bare asyncio program with the same I/O and parsing"
DIRECT = "no server: the client at the upstream"
ON_RUNTIME = "this gateway, as its runtime hands the chunks to Lambda"
UNDER_UVICORN = "this gateway under uvicorn"
UNDER_UVICORN_UVLOOP = f"{UNDER_UVICORN} with uvloop"
PLAIN_HTTPX = "plain FastAPI over httpx, a pydantic model per chunk, under uvicorn"
PLAIN_HTTPX_UVLOOP = f"{PLAIN_HTTPX} with uvloop"
PLAIN_CLIENT = "plain FastAPI over the gateway's Poe client, a pydantic model per chunk, under uvicorn"
_GATEWAY = "API key, lease, booking, usage, keep-alive"
INCLUDES = {
    DIRECT: "what is in every row",
    FLOOR: "nothing but the upstream",
    ON_RUNTIME: _GATEWAY,
    UNDER_UVICORN: _GATEWAY,
    UNDER_UVICORN_UVLOOP: _GATEWAY,
    PLAIN_HTTPX: "one fixed account, nothing else",
    PLAIN_HTTPX_UVLOOP: "one fixed account, nothing else",
    PLAIN_CLIENT: "one fixed account, nothing else",
}
_ACCOUNT, _ACCOUNT_KEY = "bench-official", "bench-official-key"


@dataclass(slots=True)
class Contest:
    """Ways beside each other on one route. Filled round by round, so that there is something when time is up."""

    route: str
    samples: dict[str, Samples] = field(default_factory=dict)
    includes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peers:
    """Other people's gateways, as far as they are to be measured."""

    litellm: LiteLlm | None = None
    portkey: Portkey | None = None


def prompt(count: int) -> dict[str, object]:
    """A chat whose answer has so many pieces."""
    return {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": f"count {count}"}]}


async def measure_official(around: Surroundings, contest: Contest, peers: Peers) -> None:
    """One account of Poe's documented API for all. Raises `RuntimeError`."""
    await around.add_official_account(_ACCOUNT, _ACCOUNT_KEY)
    await around.use_accounts(_ACCOUNT)
    upstream = OfficialUpstream(around)
    url = f"{around.variables['GATEWAY_POE_OFFICIAL_BASE_URL']}/v1"
    variables = {plain_httpx_app.UPSTREAM_VARIABLE: url, plain_httpx_app.KEY_VARIABLE: _ACCOUNT_KEY}
    plain, plain_client = "local.bench.plain_httpx_app:app", "local.bench.plain_client_app:app"
    key = around.api_key
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ways = {
            DIRECT: Way(_posting(url.removesuffix("/v1"), _ACCOUNT_KEY), [], upstream),
            FLOOR: await enter(_floor(around, variables, upstream)),
            ON_RUNTIME: await enter(gateway_runtime(around, upstream)),
            UNDER_UVICORN: await enter(_application(around, GATEWAY_APPLICATION, upstream, key)),
            UNDER_UVICORN_UVLOOP: await enter(_application(around, GATEWAY_APPLICATION, upstream, key, loop="uvloop")),
            PLAIN_HTTPX: await enter(_application(around, plain, upstream, **variables)),
            PLAIN_HTTPX_UVLOOP: await enter(_application(around, plain, upstream, loop="uvloop", **variables)),
            PLAIN_CLIENT: await enter(_application(around, plain_client, upstream, **variables)),
        }
        if peers.portkey is not None:
            name = f"Portkey's gateway {peers.portkey.version}, Node"
            contest.includes[name] = "routing; nothing is authenticated or booked"
            ways[name] = await enter(_portkey(around, peers.portkey, url, upstream))
        if peers.litellm is not None:
            name = f"LiteLLM proxy {peers.litellm.version}"
            contest.includes[name] = "master key, routing; one worker, no database, nothing booked"
            ways[name] = await enter(_litellm(around, peers.litellm, url, upstream))
        await _measure(contest, ways)


async def measure_web(around: Surroundings, contest: Contest) -> None:
    """Each way has an account of its own: Poe tells every channel of an account everything. Raises `RuntimeError`."""
    upstream = WebUpstream(around)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cookies = {name: f"bench-web-{number}" for number, name in enumerate((ON_RUNTIME, UNDER_UVICORN, PLAIN_CLIENT))}
        for name, cookie in cookies.items():
            await around.web_simulator("accounts", p_b=cookie, points=10_000_000)
            await around.admin("POST", "/accounts", kind="web", label=name, credentials={"p_b": cookie})
        variables = {plain_client_app.COOKIE_VARIABLE: cookies[PLAIN_CLIENT]}
        ways = {
            ON_RUNTIME: await enter(gateway_runtime(around, upstream)),
            UNDER_UVICORN: await enter(_application(around, GATEWAY_APPLICATION, upstream, around.api_key)),
            PLAIN_CLIENT: await enter(_application(around, "local.bench.plain_client_app:app", upstream, **variables)),
        }

        await _measure(contest, ways, before=around.use_accounts)


async def _measure(contest: Contest, ways: Mapping[str, Way], before: Any = None) -> None:
    """The ways take turns, so that what else the machine does falls on all of them."""
    for number in range(ROUNDS):
        for name, way in ways.items():
            sys.stderr.write(f"  {contest.route}, round {number + 1} of {ROUNDS}: {name}\n")
            if before is not None:
                await before(name)
            await add_round(way, contest.samples.setdefault(name, Samples()))


@asynccontextmanager
async def gateway_runtime(around: Surroundings, upstream: Upstream) -> AsyncIterator[Way]:
    """The gateway in a sandbox, the measurement being the Lambda service."""
    sandbox = BareSandbox(around.gateway, around.reaper, reads_late=True)
    await sandbox.start()
    try:
        yield Way(
            lambda count, _: sandbox.request("POST", "/v1/chat/completions", prompt(count), around.api_key),
            [sandbox.pid],
            upstream,
        )
    finally:
        await sandbox.stop()


@asynccontextmanager
async def _application(
    around: Surroundings,
    application: str,
    upstream: Upstream,
    api_key: str = "",
    *,
    loop: str = "asyncio",
    **variables: str,
) -> AsyncIterator[Way]:
    """An application under uvicorn."""
    async with uvicorn(around, application, loop=loop, **variables) as server:
        yield Way(_posting(server.url, api_key), [server.pid], upstream)


@asynccontextmanager
async def _floor(around: Surroundings, variables: Mapping[str, str], upstream: Upstream) -> AsyncIterator[Way]:
    environment = {**around.gateway.environment, **around.variables, **variables}
    command = [sys.executable, str(FLOOR_PROGRAM)]
    log = around.scratch / "floor.log"
    async with served(command, health="/", environment=environment, reaper=around.reaper, log=log) as server:
        yield Way(_posting(server.url, ""), [server.pid], upstream)


@asynccontextmanager
async def _litellm(around: Surroundings, litellm: LiteLlm, url: str, upstream: Upstream) -> AsyncIterator[Way]:
    folder = around.scratch / "litellm"
    serving = litellm.serve(upstream=url, api_key=_ACCOUNT_KEY, models=[MODEL], reaper=around.reaper, folder=folder)
    async with serving as server:
        yield Way(_posting(server.url, MASTER_KEY), [server.pid], upstream)


@asynccontextmanager
async def _portkey(around: Surroundings, portkey: Portkey, url: str, upstream: Upstream) -> AsyncIterator[Way]:
    async with portkey.serve(reaper=around.reaper, folder=around.scratch) as server:
        headers = portkey.headers(url)
        yield Way(_posting(server.url, _ACCOUNT_KEY, headers), [server.pid], upstream)


def _posting(url: str, api_key: str, headers: Mapping[str, str] | None = None) -> Any:
    async def ask(count: int, _: float) -> list[Piece]:
        return await post(f"{url}/v1/chat/completions", prompt(count), api_key=api_key, headers=headers)

    return ask
