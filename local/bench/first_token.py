"""What a person waits for: from the start of a new sandbox's process to the first streamed token, by TLS.

Lambda runs the init phase with a whole processor, and an invocation with a share that goes with the memory: 512 MB get
0.29 of one. That share is computed, not enforced: what the process used after its init takes `1 / SHARE` as long.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace

from local.bench import plain_httpx_app
from local.bench.measure import cpu_seconds, text_chunks
from local.bench.model_list import store_model_list
from local.bench.runtime import BareSandbox
from local.bench.streaming import prompt
from local.bench.surroundings import Surroundings
from local.bench.tls_front import Fronts, tls_fronts
from local.function_url import Function
from local.settings import ROOT

SHARE = 0.29
ROUNDS = 5
STACK = "a small stack (fastapi, mangum, httpx, boto3) with the same upstream call"
_KINDS = {"this gateway, official account": "bench-first-official", "this gateway, web account": "bench-first-web"}
_KEY = "bench-first-key"


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


async def measure_first_tokens(around: Surroundings, found: dict[str, FirstTokens]) -> None:
    """Fill `found`, the ways taking turns. Raises `RuntimeError`."""
    await store_model_list(around, now=time.time())
    await around.add_official_account(_KINDS["this gateway, official account"], _KEY)
    web = _KINDS["this gateway, web account"]
    await around.web_simulator("accounts", p_b=web, points=10_000_000)
    await around.admin("POST", "/accounts", kind="web", label=web, credentials={"p_b": web})
    async with tls_fronts(around.gateway.environment, around.scratch) as fronts:
        gateway, stack = _gateway(around, fronts), _stack(around, fronts)
        for label in _KINDS.values():
            # An account's session is used before, by another sandbox.
            await around.use_accounts(label)
            await _add(around, gateway, FirstTokens())
        for number in range(ROUNDS):
            sys.stderr.write(f"  first tokens, round {number + 1} of {ROUNDS}\n")
            for name, label in _KINDS.items():
                await around.use_accounts(label)
                await _add(around, gateway, found.setdefault(name, FirstTokens()))
            await _add(around, stack, found.setdefault(STACK, FirstTokens()))


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


def _stack(around: Surroundings, fronts: Fronts) -> Function:
    """Another application in the gateway's place, with the same runtime and limits."""
    environment = {
        **around.gateway.environment,
        plain_httpx_app.UPSTREAM_VARIABLE: f"{fronts.variables['GATEWAY_POE_OFFICIAL_BASE_URL']}/v1",
        plain_httpx_app.KEY_VARIABLE: _KEY,
        "SSL_CERT_FILE": str(fronts.bundle),
    }
    return replace(around.gateway, handler="local.bench.small_stack.app", task_root=ROOT, environment=environment)
