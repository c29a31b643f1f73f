"""What a person waits for: from the start of a new sandbox's process to the first streamed token, by TLS.

Lambda runs the init phase with a whole processor, and an invocation with a share that goes with the memory: 512 MB get
0.29 of one. That share is computed, not enforced: what the process used after its init takes `1 / SHARE` as long.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.bench import plain_httpx_app
from local.bench.measure import cpu_seconds, text_chunks
from local.bench.model_list import store_model_list
from local.bench.runtime import BareSandbox
from local.bench.streaming import prompt
from local.bench.surroundings import Surroundings, surroundings
from local.bench.tls_front import Fronts, tls_fronts
from local.function_url import Function
from local.settings import ROOT

SHARE = 0.29
ROUNDS = 7
_KEY = "bench-first-key"
STACK = "a small stack (fastapi, mangum, httpx, boto3) with the same upstream call"
_FLEETS = {
    "this gateway, official accounts": ("official",),
    "this gateway, web accounts": ("web",),
    "this gateway, accounts of both kinds, an official one answers": ("official", "web"),
}


@dataclass(slots=True)
class FirstTokens:
    """Of one way: seconds, one entry per new sandbox."""

    init: list[float] = field(default_factory=list)
    """Processor time up to the end of the init phase, which has a whole processor."""
    wait: list[float] = field(default_factory=list)
    """By the clock, from the invocation to the first token, at full speed."""
    work: list[float] = field(default_factory=list)
    """Processor time in that wait."""

    def at_share(self) -> list[float]:
        """From process start to the first token without the network's time, where an invocation has its share only."""
        return [init + work / SHARE for init, work in zip(self.init, self.work, strict=True)]


async def measure_first_tokens(found: dict[str, FirstTokens]) -> None:
    """Fill `found`, the ways taking turns. Raises `RuntimeError`."""
    async with AsyncExitStack() as stack:
        # A stack of its own, since what a sandbox loads depends on which kinds of account there are.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="poe-gateway-first-token-"))
        around = await stack.enter_async_context(surroundings(Path(folder)))
        fronts = await stack.enter_async_context(tls_fronts(around.gateway.environment, around.scratch))
        await store_model_list(around, now=time.time())
        await around.add_key_at_poe(_KEY)
        gateway, small_stack = _gateway(around, fronts), _small_stack(around, fronts)
        for number in range(ROUNDS):
            sys.stderr.write(f"  first tokens, round {number + 1} of {ROUNDS}\n")
            for name, kinds in _FLEETS.items():
                await around.have_only(*kinds)
                if kinds[0] == "web":
                    # An account's session is used before, by another sandbox.
                    await _add(around, gateway, FirstTokens())
                await _add(around, gateway, found.setdefault(name, FirstTokens()))
            await _add(around, small_stack, found.setdefault(STACK, FirstTokens()))


async def _add(around: Surroundings, function: Function, found: FirstTokens) -> None:
    sandbox = BareSandbox(function, around.reaper)
    try:
        await sandbox.start()
        used, since = cpu_seconds([sandbox.pid]), time.monotonic()
        at_first: list[float] = []

        def note(data: bytes) -> None:
            if not at_first and b'"content":"w' in data:
                at_first.append(cpu_seconds([sandbox.pid]) - used)

        pieces = await sandbox.request("POST", "/v1/chat/completions", prompt(3), around.api_key, on_piece=note)
        found.init.append(used)
        found.wait.append(text_chunks(pieces)[0].time - since)
        found.work.append(at_first[0])
    finally:
        await sandbox.stop()


def _gateway(around: Surroundings, fronts: Fronts) -> Function:
    environment = {**around.gateway.environment, **fronts.variables, "SSL_CERT_DIR": str(fronts.hashed)}
    return replace(around.gateway, environment=environment)


def _small_stack(around: Surroundings, fronts: Fronts) -> Function:
    """Another application in the gateway's place, with the same runtime and limits."""
    environment = {
        **around.gateway.environment,
        plain_httpx_app.UPSTREAM_VARIABLE: f"{fronts.variables['GATEWAY_POE_OFFICIAL_BASE_URL']}/v1",
        plain_httpx_app.KEY_VARIABLE: _KEY,
        "SSL_CERT_FILE": str(fronts.bundle),
    }
    return replace(around.gateway, handler="local.bench.small_stack.app", task_root=ROOT, environment=environment)
