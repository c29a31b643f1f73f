"""One history of the gateway in virtual time, everything random from one seed, and what must be true after it.

Sandboxes with the gateway's own way of asking, the scheduled job, DynamoDB and Poe are in one process. Sandboxes are
killed at any moment, frozen, and have clocks of their own; calls are throttled, lost and slow; Poe refuses, breaks off,
and charges late; owners buy points and use their accounts elsewhere. Then everything is left alone for a day, the job
runs, and the books must agree with what Poe charged, to the point.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from accounts import (
    DEFAULT_POLICY,
    AccountKind,
    AccountStoreError,
    ApiKey,
)
from accounts._aws import Retrying
from accounts._dynamodb import DynamoDBAccountStore
from accounts._table import Table
from accounts._vault import PlainVault
from gateway.generation.attempt import GenerationPolicy
from gateway.generation.client_pool import WarmClients
from gateway.generation.generation import Generations, GenerationTask
from gateway.http.errors import GatewayError
from gateway.http.key_budget import KeyBudget, Price
from gateway.http.request_log import Journal, RequestRecord
from refresh_points.handler import run as run_job
from refresh_points.job import Job
from refresh_points.journal import Journal as JobJournal
from refresh_points.settings import Settings as JobSettings
from reverse.chat import ChatRequest, Message
from reverse.errors import PoeError
from tests.simulation import equations
from tests.simulation.dynamodb import SimulatedDynamoDB, StoreFaults
from tests.simulation.equations import Charged, Ends, Violated
from tests.simulation.poe import OUR_NAME, PRICES, PoeAccount, PoeFaults, SimulatedPoe, make_client
from tests.virtual_time import VirtualTimeLoop

START = 1_800_000_000.0 - 1_800_000_000.0 % 86_400 + 3_600.0
BUSY_SECONDS = 2_400.0
JOB_SETTINGS = JobSettings(table="t", kms_key_id="k")
LEASE_SECONDS = 90.0
# A wait that is in the table for so long is known to everybody who leases an account now, however slow their calls.
RECORDED_SECONDS = 25.0
# A reading more than this is not due at once, so the job reads accounts where it is told to.
JOB_EVERY_SECONDS = 600.0


class Quiet(Journal):
    """Writes nothing: lines are not what is tested."""

    def event(self, name: str, record: RequestRecord | None = None, **fields: Any) -> None:
        """Nothing."""


class QuietJob(JobJournal):
    """Writes nothing, of runs of the job."""

    def run_ended(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def run_failed(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def books_kept(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def alerts_told(self, *_: Any, **__: Any) -> None:
        """Nothing."""


@dataclass(slots=True)
class Sandbox:
    """A process: it can be killed, after which nothing that it does has an effect, and frozen for a while."""

    clock: Callable[[], float]
    store: DynamoDBAccountStore = field(init=False)
    generations: Generations = field(init=False)
    is_dead: bool = False
    frozen_until: float = 0.0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def gate(self) -> None:
        """Before and after everything that leaves or enters the process."""
        loop = asyncio.get_running_loop()
        if loop.time() < self.frozen_until:
            await asyncio.sleep(self.frozen_until - loop.time())
        if self.is_dead:
            await loop.create_future()


@dataclass(slots=True)
class Outcomes:
    """What became of the requests."""

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    asked: int = 0


# The chat that every account's owner has, which is not ours.
OWNERS_CHAT = -1


class World:
    """One history."""

    def __init__(self, seed: int, *, requests: int = 40, has_skew: bool | None = None) -> None:
        self.seed = seed
        self.rng = random.Random(f"history {seed}")
        # What was added later has numbers of its own, so that older histories stay as they were.
        self.other_rng = random.Random(f"other {seed}")
        # In half of the histories sandboxes choose among accounts that they remember.
        self.remembers = random.Random(f"memory {seed}").random() < 0.5
        self.loop = asyncio.get_running_loop()
        # Some histories are gentle, so that what a single fault does is seen as well.
        hostility = self.rng.choice([0.0, 0.3, 1.0])
        self.has_skew = self.rng.random() < 0.4 if has_skew is None else has_skew
        self.store_faults = StoreFaults(
            throttled=0.15 * hostility * self.rng.random(),
            unheard=0.03 * hostility * self.rng.random(),
            lost=0.06 * hostility * self.rng.random(),
            slow=0.1 * hostility,
            index_lag_seconds=self.rng.uniform(0.0, 1.5),
        )
        self.poe_faults = PoeFaults(
            refused=0.1 * hostility,
            not_sent=0.1 * hostility,
            vanished=0.1 * hostility,
            cut=0.1 * hostility,
            unreported=0.3 * hostility,
            reported_late=0.5,
            not_deleted=0.3 * hostility,
        )
        self.kills = self.rng.random() < 0.5
        self.db = SimulatedDynamoDB(random.Random(f"store {seed}"), StoreFaults())
        self.poe = SimulatedPoe(random.Random(f"poe {seed}"), PoeFaults(), self.now, self._must_wait)
        self.requests = requests
        self.outcomes = Outcomes()
        self.sandboxes: list[Sandbox] = []
        self.every: list[Sandbox] = []
        self.keys: list[ApiKey] = []
        self.account_ids: dict[str, str] = {}

    def now(self) -> float:
        """The true time."""
        return START + self.loop.time()

    def _must_wait(self, secret: str) -> bool:
        """Whether the table has said for a while that the account waits: longer than calls and the index take."""
        for item in self.db.engine.items():
            if item["sk"]["S"] == "META" and item.get("label", {}).get("S") == secret:
                until, since = (float(item[name]["N"]) for name in ("speed_until", "updated_at"))
                return since + RECORDED_SECONDS < self.now() < until
        return False

    def new_sandbox(self, *, skew: float = 0.0) -> Sandbox:
        sandbox = Sandbox(lambda: self.now() + skew)

        async def send(service: str, operation: str, payload: Any) -> dict[str, Any]:
            await sandbox.gate()
            try:
                return await self.db.send(service, operation, payload)
            finally:
                await sandbox.gate()

        rng = random.Random(self.rng.random())
        aws = Retrying(send, rng=rng)
        sandbox.store = DynamoDBAccountStore(
            Table(aws, "t", rng=rng), PlainVault(), clock=sandbox.clock, rng=rng, policy=DEFAULT_POLICY
        )
        sandbox.generations = Generations(
            sandbox.store,
            WarmClients(make_client(self.poe, sandbox), clock=self.loop.time),
            GenerationPolicy(account_wait_seconds=8.0, lease_ttl_seconds=LEASE_SECONDS, release_seconds=60.0),
            Quiet(),
            clock=self.loop.time,
            now=sandbox.clock,
        )
        self.every.append(sandbox)
        return sandbox

    # The history.

    async def run(self) -> None:
        """Everything that happens. Raises `Violated`."""
        owner = self.new_sandbox()
        await self._prepare(owner)
        if not all(account.has_history for account in self.poe.accounts.values()):
            # Their balance is known from before their first use, as it is when accounts are added.
            await self._job(owner, is_complete=True)
            await asyncio.sleep(self.other_rng.choice([5.0, 400.0]))
        self.db.faults, self.poe.faults = self.store_faults, self.poe_faults
        skews = [self.rng.uniform(-150, 150) if self.has_skew else 0.0 for _ in range(3)]
        self.sandboxes = [self.new_sandbox(skew=skew) for skew in skews]
        busy = [
            asyncio.ensure_future(part)
            for part in (self._arrivals(), self._misfortunes(), self._owners(), self._jobs())
        ]
        await asyncio.gather(*busy)
        # Requests under way end by themselves, and those of killed sandboxes never.
        alive = [task for sandbox in self.every if not sandbox.is_dead for task in sandbox.tasks]
        if alive:
            await asyncio.wait(alive, timeout=3_600)
        self.db.faults, self.poe.faults = StoreFaults(), PoeFaults()
        for pause in (900.0, 4_000.0, 8_000.0, 30_000.0, 60_000.0, 3 * 3_600.0):
            await asyncio.sleep(pause)
            await self._job(owner, is_complete=True)
        await self.check(owner.store)

    async def _prepare(self, owner: Sandbox) -> None:
        for number in range(self.rng.randint(1, 4)):
            kind = self.rng.choice(list(AccountKind))
            secret, slots = f"secret-{number}", self.rng.randint(1, 3)
            poes = PoeAccount(kind, self.rng.choice([200, 2_000, 50_000]), slots, secret=secret)
            poes.chats.add(OWNERS_CHAT)
            poes.has_history = kind is AccountKind.OFFICIAL or self.other_rng.random() < 0.7
            self.poe.accounts[secret] = poes
            account = await owner.store.put_account(
                kind=kind, label=secret, credentials={"api_key": secret}, max_concurrency=slots
            )
            self.account_ids[secret] = account.id
        for limits in ({}, {"points_per_day": self.rng.choice([60, 300, 1_000])}, {"requests_per_minute": 20}):
            key, _ = await owner.store.create_key(name="k", **limits)
            self.keys.append(key)

    async def _arrivals(self) -> None:
        for number in range(self.requests):
            await asyncio.sleep(self.rng.choice([0.0, 0.01, self.rng.expovariate(self.requests / BUSY_SECONDS)]))
            sandbox = self.rng.choice(self.sandboxes)
            task = asyncio.ensure_future(self._request(sandbox, number))
            sandbox.tasks.add(task)
            task.add_done_callback(sandbox.tasks.discard)
            self.outcomes.asked += 1

    async def _request(self, sandbox: Sandbox, number: int) -> None:
        """What a surface does with one request."""
        key, bot = self.rng.choice(self.keys), self.rng.choice(list(PRICES))
        record = RequestRecord(f"r{number}", "POST", self.loop.time())
        record.budget = KeyBudget(sandbox.store, key, price=lambda *_: Price(points=PRICES[bot], reserved=PRICES[bot]))

        def build(_: AccountKind) -> ChatRequest:
            return ChatRequest(bot, (Message("user", f"message {number}"),))

        task = GenerationTask(key_id=key.id, model=bot, build=build, prompt_tokens=3)
        leaves_after = self.rng.choice([None, None, None, self.rng.uniform(0, 6)])
        try:
            await record.budget.count()
            if self.remembers:
                # As with a key that is asked for again.
                await sandbox.store.remember_accounts()
            async with asyncio.timeout(leaves_after), sandbox.generations.start(task, record) as generation:
                await generation.run(lambda _: None)
        except TimeoutError:
            self.outcomes.failed["caller left"] += 1
        except (PoeError, GatewayError, AccountStoreError) as error:
            self.outcomes.failed[type(error).__name__] += 1
        else:
            self.outcomes.answered += 1

    async def _misfortunes(self) -> None:
        while self.loop.time() < BUSY_SECONDS:
            await asyncio.sleep(self.rng.expovariate(1 / 150))
            index = self.rng.randrange(len(self.sandboxes))
            if self.kills and self.rng.random() < 0.6:
                dead = self.sandboxes[index]
                dead.is_dead = True
                self.outcomes.killed += len(dead.tasks)
                skew = self.rng.uniform(-150, 150) if self.has_skew else 0.0
                self.sandboxes[index] = self.new_sandbox(skew=skew)
            elif self.rng.random() < 0.3:
                self.sandboxes[index].frozen_until = self.loop.time() + self.rng.uniform(1, 60)

    async def _owners(self) -> None:
        """What people do with their accounts."""
        while self.loop.time() < BUSY_SECONDS:
            await asyncio.sleep(self.rng.expovariate(1 / 300))
            account = self.rng.choice(list(self.poe.accounts.values()))
            if not account.has_history:
                continue  # What is bought there can't be told apart from what is not spent.
            if self.rng.random() < 0.5:
                account.balance += 3_000
            elif account.kind is AccountKind.OFFICIAL and account.balance > 500:
                self.poe.charge(account, self.rng.choice(list(PRICES)), "", "another program")

    async def _jobs(self) -> None:
        while self.loop.time() < BUSY_SECONDS:
            await asyncio.sleep(JOB_EVERY_SECONDS)
            sandbox = self.new_sandbox()
            task = asyncio.ensure_future(self._job(sandbox))
            sandbox.tasks.add(task)
            task.add_done_callback(sandbox.tasks.discard)
            if self.kills and self.rng.random() < 0.3:
                await asyncio.sleep(self.rng.uniform(0, 3))
                sandbox.is_dead = True
            else:
                await asyncio.wait({task}, timeout=JOB_EVERY_SECONDS)

    async def _job(self, sandbox: Sandbox, *, is_complete: bool = False) -> None:
        event = {"account_ids": list(self.account_ids.values())} if is_complete else {}
        try:
            await run_job(
                Job.from_event(event),
                settings=JOB_SETTINGS,
                seconds=10**6,
                store=sandbox.store,
                make_client=make_client(self.poe, sandbox),  # type: ignore[arg-type]
                journal=QuietJob(),
                wall_clock=sandbox.clock,
            )
        except AccountStoreError:
            if is_complete:
                raise

    # What must be true.

    async def check(self, store: DynamoDBAccountStore) -> None:
        """Raises `Violated` with the seed that shows it."""
        since, until = START - 3_600, self.now() + 3_600
        try:
            entries = await equations.all_entries(store, since, until)
            await equations.check_books(store, entries, self._charged(), has_skew=self.has_skew)
            # Costs are known beforehand here, so that there is no error of the estimates.
            equations.check_budgets(entries, self.keys, unpriced_points=0)
            await equations.check_sums(store, entries, since, until)
            equations.check_slots([item["pk"]["S"] for item in self.db.engine.items() if _is_slot(item)])
            self._check_accounts()
            for secret, account in self.poe.accounts.items():
                equations.check_chats(entries, self.account_ids[secret], account.chats)
                equations.require(OWNERS_CHAT in account.chats, f"{secret}: its owner's chat was deleted")
            delivered = self.poe.delivered
            equations.check_deliveries(delivered, dict.fromkeys(delivered, 1), {})
            ended = self.outcomes.answered + self.outcomes.failed.total()
            equations.check_ends(Ends(asked=self.outcomes.asked, ended=ended, cut=self.outcomes.killed))
        except Violated as error:
            raise Violated(f"seed {self.seed}: {error}") from None

    def _charged(self) -> list[Charged]:
        """What each account was really charged."""
        rows = []
        for secret, account in self.poe.accounts.items():
            ours = sum(charge.points for charge in account.charges if charge.name == OUR_NAME)
            others = sum(charge.points for charge in account.charges) - ours
            account_id = self.account_ids[secret]
            rows.append(
                Charged(
                    name=secret,
                    account_id=account_id,
                    kind=account.kind,
                    ours=ours,
                    others=others,
                    has_history=account.has_history,
                )
            )
        return rows

    def _check_accounts(self) -> None:
        for secret, account in self.poe.accounts.items():
            equations.require(
                account.most_at_once <= account.slots,
                f"{secret} was asked {account.most_at_once} times at once, and has {account.slots} slots",
            )
            if not self.has_skew:
                equations.require(account.asked_too_early == 0, f"{secret} was asked while it had said to wait")


def _is_slot(item: dict[str, Any]) -> bool:
    return bool(item["sk"]["S"].startswith("SLOT#"))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Everything that asks the system for randomness gets it from the seed."""
    rng = random.Random(f"secrets {seed}")
    real, state = secrets.token_hex, random.getstate()
    secrets.token_hex = lambda nbytes=32: rng.randbytes(nbytes or 32).hex()
    random.seed(seed)
    try:
        yield
    finally:
        secrets.token_hex = real
        random.setstate(state)


def simulate(seed: int, **options: Any) -> Outcomes:
    """Run one history from its beginning to its check. Raises `Violated`."""

    async def history() -> Outcomes:
        world = World(seed, **options)
        try:
            await world.run()
        finally:
            await _end()
        return world.outcomes

    with seeded(seed), asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(history())


async def _end() -> None:
    """End what killed sandboxes have left: their tasks wait for what never comes."""
    own = asyncio.current_task()
    for _ in range(20):
        left = [task for task in asyncio.all_tasks() if task is not own]
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=1)
