"""The world of a soak: the local stack with its real processes, accounts of both kinds, and what happens to them."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from accounts import AccountKind
from local.function_url import InvocationOutcome
from local.schedule import InvocationError
from local.settings import RunSettings
from local.stack import Stack
from tests.simulation.equations import Charged
from tests.soak.asked import ID, official_fault, web_fault

SANDBOXES = 4
UNPRICED_POINTS = 100
SETTINGS = {
    # A slot of a killed sandbox is soon found, and a busy machine renews in time all the same.
    "GATEWAY_LEASE_TTL_SECONDS": "6",
    "GATEWAY_ACCOUNT_WAIT_SECONDS": "3",
    "GATEWAY_UNPRICED_POINTS": str(UNPRICED_POINTS),
}
# What hangs ends at the deadline of the function.
FUNCTION_SECONDS = 60.0
QUIET_SECONDS = 120.0
BUDGET = 400
LISTING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Owned:
    """One account with its secret and the table's id."""

    kind: AccountKind
    secret: str
    id: str


@dataclass(slots=True)
class Key:
    """An API key of the soak."""

    id: str
    secret: str


class World:
    """The running stack. `happened` counts what was done to it."""

    def __init__(self, stack: Stack, rng: random.Random) -> None:
        self.stack = stack
        self.rng = rng
        self.accounts: list[Owned] = []
        self.keys: list[Key] = []
        self.happened = Counter[str]()
        self._http = httpx.AsyncClient(timeout=60.0, trust_env=False)

    @property
    def official(self) -> str:
        return self.stack.stand_ins["GATEWAY_POE_OFFICIAL_BASE_URL"] + "/_sim"

    @property
    def web(self) -> str:
        return self.stack.stand_ins["GATEWAY_POE_WEB_BASE_URL"] + "/_sim"

    async def aclose(self) -> None:
        await self._http.aclose()

    async def admin(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.stack.admin_key}"}
        reply = await self._http.request(method, f"{self.stack.url}/admin{path}", headers=headers, **options)
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json() if reply.content else None

    async def simulated(self, method: str, address: str, **options: Any) -> Any:
        for _ in range(3):
            # A kept connection may end just as it is used; what is asked for twice here does no harm.
            with suppress(httpx.TransportError):
                reply = await self._http.request(method, address, **options)
                assert reply.is_success, reply.text
                return reply.json()
        raise AssertionError(f"{method} {address}: no answer")

    async def prepare(self, *, official: int, web: int, slots: int) -> None:
        """Accounts of both kinds, and keys: one without limits, one with a budget, one with few requests at once."""
        for account in (await self.admin("GET", "/accounts"))["data"]:
            await self.admin("DELETE", f"/accounts/{account['id']}")
        await self.simulated(
            "PATCH", f"{self.official}/settings", json={"pace_seconds": 0.005, "listing_seconds": LISTING_SECONDS}
        )
        quick = {"pace_seconds": 0.005, "answer_delay_seconds": 0.01, "history_delay_seconds": LISTING_SECONDS}
        await self.simulated("POST", f"{self.web}/settings", json=quick)
        for number in range(official + web):
            kind = AccountKind.OFFICIAL if number < official else AccountKind.WEB
            secret = f"soak-{kind.value}-account-{number}"
            name, address = ("api_key", self.official) if kind is AccountKind.OFFICIAL else ("p_b", self.web)
            points = self.rng.choice([3_000, 100_000])
            await self.simulated("POST", f"{address}/accounts", json={name: secret, "points": points})
            new = {"kind": kind.value, "label": secret, "credentials": {name: secret}, "max_concurrency": slots}
            made = await self.admin("POST", "/accounts", json=new)
            self.accounts.append(Owned(kind, secret, made["id"]))
        for limits in ({}, {"points_per_day": BUDGET}, {"max_concurrent": 2, "points_per_day": 100 * BUDGET}):
            made = await self.admin("POST", "/keys", json={"name": "soak", **limits})
            self.keys.append(Key(made["id"], made["key"]))

    # What happens.

    async def strike(self, *, may_hang: bool) -> None:
        """Let one of the next requests to a stand-in go wrong."""
        is_official = self.rng.random() < 0.6
        draw, address = (official_fault, self.official) if is_official else (web_fault, self.web)
        fault = draw(self.rng, may_hang=may_hang)
        await self.simulated("POST", f"{address}/scenarios", json={"faults": [fault]})
        self.happened[f"fault {'official' if is_official else 'web'} {fault['type']}"] += 1

    async def kill(self) -> None:
        """SIGKILL for a sandbox, one that works if there is one, after a moment."""
        await asyncio.sleep(self.rng.uniform(0.0, 0.5))
        alive = [one for one in self.stack.function_url.sandboxes if one.is_alive]
        busy = [one for one in alive if not one.is_frozen]
        if chosen := (busy or alive):
            with suppress(ProcessLookupError):
                os.kill(self.rng.choice(chosen).pid, signal.SIGKILL)
            self.happened["kill"] += 1

    async def own(self) -> None:
        """Something that owners do: they buy points, or spend some with another program."""
        owned = self.rng.choice(self.accounts)
        address = self.official if owned.kind is AccountKind.OFFICIAL else self.web
        name = "api_key" if owned.kind is AccountKind.OFFICIAL else "p_b"
        if self.rng.random() < 0.5:
            await self.simulated("POST", f"{address}/accounts", json={name: owned.secret, "points": 20_000})
            self.happened["top-up"] += 1
        elif owned.kind is AccountKind.OFFICIAL:
            spent = {"api_key": owned.secret, "bot": "Story", "points": 9, "usage_type": "API", "key_name": "notebook"}
            await self.simulated("POST", f"{address}/charges", json=spent)
            self.happened["spent elsewhere"] += 1

    async def run_job(self) -> None:
        """One run of the scheduled job, which may be killed in the middle."""
        is_killed = self.rng.random() < 0.3
        try:
            async with asyncio.timeout(self.rng.uniform(0.5, 3.0) if is_killed else None):
                await self.stack.refresh.invoke()
        except TimeoutError:
            self.happened["job killed"] += 1
        except InvocationError:
            self.happened["job failed"] += 1
        else:
            self.happened["job"] += 1

    async def calm_down(self) -> None:
        """No more faults, and nothing under way any more."""
        await self.simulated("DELETE", f"{self.official}/scenarios")
        await self.simulated("POST", f"{self.web}/reset", json={})
        await until(lambda: all(one.is_frozen or not one.is_alive for one in self.stack.function_url.sandboxes))
        # The stand-ins' clocks are not moved: until then their histories lack entries, or show them with a cost of 0.
        latest = [await self._final_at(owned) for owned in self.accounts]
        await until(lambda: time.time() > max(latest, default=0.0))

    async def _final_at(self, owned: Owned) -> float:
        """When the history of an account shows all that it was charged."""
        if owned.kind is AccountKind.OFFICIAL:
            listed = await self.simulated("GET", f"{self.official}/charges", params={"api_key": owned.secret})
            return max((one["settled_at"] for one in listed), default=0.0)
        listed = await self.simulated("GET", f"{self.web}/charges", params={"p_b": owned.secret})
        return max((one["at"] / 1e6 + LISTING_SECONDS for one in listed), default=0.0)

    @property
    def cuts(self) -> int:
        """How many requests the URL cut: their sandbox was killed, or did not end in time on a busy machine."""
        late = sum(report.outcome is InvocationOutcome.TIMEOUT for report in self.stack.function_url.reports)
        return self.happened["kill"] + late

    # What is known at Poe.

    async def charged(self) -> tuple[list[Charged], Counter[str]]:
        """What each account was charged, and how often each request was paid for."""
        rows, paid = [], Counter[str]()
        for owned in self.accounts:
            if owned.kind is AccountKind.OFFICIAL:
                listed = await self.simulated("GET", f"{self.official}/charges", params={"api_key": owned.secret})
                texts = [(one["points"], one["request"]) for one in listed]
            else:
                listed = await self.simulated("GET", f"{self.web}/charges", params={"p_b": owned.secret})
                texts = [(one["points"], one["question"]) for one in listed]
            ours = sum(points for points, text in texts if text)
            others = sum(points for points, text in texts if not text)
            rows.append(Charged(name=owned.secret, account_id=owned.id, kind=owned.kind, ours=ours, others=others))
            paid.update(found[0] for _, text in texts if (found := ID.search(text)))
        return rows, paid


@asynccontextmanager
async def running(state: Path, rng: random.Random, *, store_faults: str = "") -> AsyncIterator[World]:
    """The stack in processes of its own, and nothing left of it afterwards."""
    settings = RunSettings(port=0, sandboxes=SANDBOXES, state=state, function_variables=SETTINGS)
    given = {"STORE_FAULTS": store_faults}
    os.environ.update(given)
    try:
        async with Stack(settings) as stack:
            url = stack.function_url
            url.function = replace(url.function, timeout_seconds=FUNCTION_SECONDS)
            world = World(stack, rng)
            try:
                yield world
            finally:
                await world.aclose()
    finally:
        del os.environ["STORE_FAULTS"]


async def until(condition: Callable[[], bool], seconds: float = QUIET_SECONDS) -> None:
    """Wait for what other processes bring about. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)
