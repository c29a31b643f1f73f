"""Sends changed bodies to the gateway, with a hostile upstream behind it, and says what was not answered as it must be.

No body and no upstream may make the gateway fail: an answer of 500, an error of its own in a stream, an exception, or
a request that does not end within a minute is a finding. What the upstream did wrong may be a 502, 503 or 504.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from accounts import AccountKind, AccountState
from gateway.settings import Settings
from local.poe_official import PoeOfficialSimulator
from tests.fuzz import upstream
from tests.fuzz.bodies import body_of
from tests.gateway.scripted import ADMIN_KEY, House
from tests.gateway.test_bootstrap import POE_KEY, RealHouse

_SECONDS = 60.0
_SEARCHER = {"id": "Searcher", "parameters": [{"name": "web_search", "schema": {"type": "boolean"}}]}
_CLAUDE = {
    "id": "Claude-Sonnet-4.5",
    "upstream_endpoints": ["/v1/messages", "/v1/chat/completions"],
    "max_output_tokens": 32_000,
    "parameters": [{"name": "thinking_budget", "schema": {"type": "number", "maximum": 30_000}}],
}
_MODELS = [_SEARCHER, _CLAUDE, {"id": "GPT-5", "upstream_endpoints": ["/v1/responses"]}, {"id": "Gemini-3-Pro"}]
_ENVIRONMENT = {"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY, "GATEWAY_ACCOUNT_WAIT_SECONDS": "0.01"}


@dataclass
class Findings:
    """What was sent, and what went wrong."""

    statuses: Counter[int] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many bodies."""
        return self.statuses.total()


async def fuzz(seeds: Iterable[int]) -> Findings:
    """Send one body for each seed: every third to the wire of the documented API, the others to a source of events."""
    findings = Findings()
    async with _scripted() as scripted, _real() as (real, simulator):
        for seed in seeds:
            random = Random(seed)
            house: House = scripted
            if seed % 3 == 2:
                house = real
                for scenario in upstream.answers(random):
                    simulator.enqueue(scenario)
            else:
                scripted.poe.scripts.clear()
                for _ in range(random.randrange(1, 4)):
                    scripted.poe.enqueue(*upstream.events(random))
            await _send(house, seed, random, findings)
            simulator.discard_scenarios()
            await _revive(house)
    return findings


async def _send(house: House, seed: int, random: Random, findings: Findings) -> None:
    path, body = body_of(random)
    place = f"seed {seed}, {path}"
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await house.call(path, raw=body)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed shows it again
        findings.failed.append(f"{place}: {type(error).__name__}: {error}")
        return
    findings.statuses[answer.status] += 1
    if answer.status == 500 or b'"internal_error"' in answer.body:
        findings.failed.append(f"{place}: {answer.status} {answer.body[-300:]!r}")
    elif house.store.held:
        findings.failed.append(f"{place}: a lease was not released")


async def _revive(house: House) -> None:
    """Accounts that were refused or limited answer again: every seed stands alone."""
    for account in (await house.store.list_accounts()).items:
        await house.store.set_account_state(account.id, AccountState.ACTIVE)


@asynccontextmanager
async def _scripted() -> AsyncIterator[House]:
    house = House(Settings.from_env(_ENVIRONMENT))
    await _furnish(house)
    await house.add_account(kind=AccountKind.OFFICIAL)
    await house.add_account("cookie", kind=AccountKind.WEB)
    yield house


@asynccontextmanager
async def _real() -> AsyncIterator[tuple[RealHouse, PoeOfficialSimulator]]:
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account(POE_KEY, 10**9)
        house = RealHouse(Settings.from_env(_ENVIRONMENT | {"GATEWAY_POE_OFFICIAL_BASE_URL": simulator.base_url}))
        await _furnish(house)
        await house.add_account(POE_KEY)
        yield house, simulator
        await house.services.aclose()


async def _furnish(house: House) -> None:
    await house.add_key(requests_per_minute=None)
    await house.store.put_config("models", {"models": _MODELS})
