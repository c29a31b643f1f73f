"""A soak: the gateway in its real processes, everything going wrong, and then the equations of the simulation.

Two thousand requests on all surfaces over both kinds of account, four sandboxes behind the local Function URL, faults
of Poe's stand-ins, callers who leave, corrections, several answers at once, SIGKILLs of sandboxes and of the scheduled
job at random moments. Then nothing happens any more for a day, which a moved clock makes short, and the books must
agree with what the stand-ins charged, to the point. What happens is drawn from a seed; in which order processes come to
it is theirs, so that a seed does not replay exactly.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import httpx

from accounts import LedgerEntry
from accounts._aws import AwsClient
from accounts._aws_choice import open_exchange
from accounts._dynamodb import DynamoDBAccountStore
from accounts._table import Table
from accounts._vault_kms import KmsVault
from pool.clients import PoeClients
from refresh_points.books import BooksReport
from refresh_points.handler import run as run_job
from refresh_points.job import Job
from refresh_points.settings import Settings as JobSettings
from tests.simulation import equations
from tests.simulation.equations import Charged, Ends
from tests.simulation.history import QuietJob
from tests.soak import callers
from tests.soak.asked import Asked, draw
from tests.soak.world import SANDBOXES, UNPRICED_POINTS, World, running

# As in the simulation: everything is listed, every slot is found, every hour is summed up.
JOB_SECONDS = 3_600.0
PAUSES = (900.0, 4_000.0, 8_000.0, 30_000.0, 60_000.0, 3 * 3_600.0)
_MARGIN = 3_600.0
PATIENCE_SECONDS = 120.0


@dataclass(slots=True)
class Report:
    """What a soak did. The equations hold if there is one at all."""

    requests: int
    seconds: float
    happened: Counter[str]
    ends: Counter[str] = field(default_factory=Counter)
    entries: list[LedgerEntry] = field(default_factory=list)
    charged: list[Charged] = field(default_factory=list)


async def soak(
    state: Path,
    *,
    requests: int,
    seed: int = 1,
    kills: int,
    faults: float = 0.2,
    may_hang: bool = True,
    accounts: tuple[int, int] = (4, 3),
    store_faults: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run one. `faults` is how many there are per request. Raises `Violated` with what is not true."""
    rng = random.Random(f"soak {seed}")
    began = time.time()
    async with running(state, rng, store_faults=store_faults) as world:
        official, web = accounts
        await world.prepare(official=official, web=web, slots=2)
        asked = [draw(rng, number) for number in range(requests)]
        started = time.monotonic()
        ends = await _traffic(world, asked, kills=kills, faults=faults, may_hang=may_hang, tell=tell)
        seconds = time.monotonic() - started
        await world.calm_down()
        report = Report(requests, seconds, world.happened, Counter(ends.values()))
        tell("a day later")
        # The table's stand-in takes seconds for a page of a thousand entries where the machine is busy; AWS does not.
        with mock.patch("accounts._aws_lean.READ_TIMEOUT_SECONDS", PATIENCE_SECONDS):
            await _check(world, asked, ends, began, report, tell)
        return report


async def _traffic(
    world: World, asked: list[Asked], *, kills: int, faults: float, may_hang: bool, tell: Callable[[str], None]
) -> dict[str, str]:
    """Everything that happens. Returns how each request ended."""
    rng, ends = world.rng, dict[str, str]()
    waiting = iter(list(enumerate(asked)))
    killed_at = Counter(rng.randrange(len(asked)) for _ in range(kills))

    async def caller(http: httpx.AsyncClient) -> None:
        for number, one in waiting:
            while rng.random() < faults / (1 + faults):
                await world.strike(may_hang=may_hang)
            if rng.random() < 0.05:
                await world.own()
            for _ in range(killed_at[number]):
                others.create_task(world.kill())
            if number % 40 == 20:
                others.create_task(world.run_job())
            if number % 100 == 0:
                tell(f"{number} requests")
            key = rng.choices(world.keys, [6, 2, 2])[0]
            http.headers["Authorization"] = f"Bearer {key.secret}"
            ends[one.id] = await callers.call(http, one)

    async with asyncio.TaskGroup() as others, asyncio.TaskGroup() as group:
        for _ in range(SANDBOXES):
            group.create_task(_with_client(world.stack.url, caller))
    return ends


async def _with_client(url: str, caller: Callable[[httpx.AsyncClient], object]) -> None:
    limits = httpx.Timeout(callers.PATIENCE_SECONDS)
    async with httpx.AsyncClient(base_url=url, timeout=limits, trust_env=False) as http:
        await caller(http)  # type: ignore[misc]


async def _check(
    world: World,
    asked: list[Asked],
    ends: dict[str, str],
    began: float,
    report: Report,
    tell: Callable[[str], None],
) -> None:
    """Let a day pass, with the job running, and hold the books against what was charged."""
    clock = _MovedClock()
    stand_ins = world.stack.stand_ins
    aws = AwsClient(open_exchange(dict(stand_ins), prefer="lean"))
    references = world.stack.aws.references
    settings = JobSettings.from_env(
        {
            **stand_ins,
            "GATEWAY_TABLE": references["AccountsTable"],
            "GATEWAY_KMS_KEY_ID": references["CredentialsKey"],
            # Hundreds of sends are to be settled at once, beside whatever else the machine does.
            "GATEWAY_REFRESH_TIMEOUT_SECONDS": "300",
        }
    )
    journal = _Failures()
    vault = KmsVault(aws, settings.kms_key_id)
    store = DynamoDBAccountStore(Table(aws, settings.table), vault, clock=clock, on_close=aws.aclose)
    async with aclosing(store), aclosing(PoeClients(settings.poe_config, share_connections=True)) as clients:
        job = Job.from_event({"account_ids": [owned.id for owned in world.accounts]})
        for pause in PAUSES:
            clock.ahead += pause
            done = await run_job(
                job,
                settings=settings,
                seconds=JOB_SECONDS,
                store=store,
                make_client=clients.make,
                journal=journal,
                wall_clock=clock,
            )
            tell(f"the job settled {done['books']['settled']} sends, and recovered {done['books']['recovered']}")
        # Nothing goes wrong any more; what the last run could not do, nobody would.
        equations.require(not done["errors"], f"readings failed: {done['errors']}")
        equations.require(not journal.failures, f"the books could not be kept: {journal.failures}")
        since, until = began - _MARGIN, clock() + _MARGIN
        entries = await equations.all_entries(store, since, until)
        report.entries = entries
        report.charged, paid = await world.charged()
        await equations.check_books(store, entries, report.charged)
        keys = [await store.get_key(key.id) for key in world.keys]
        equations.check_budgets(entries, keys, unpriced_points=UNPRICED_POINTS)
        await equations.check_sums(store, entries, since, until)
        equations.check_slots(await _held_slots(aws, settings.table))
        allowed = {one.id: one.most_sends for one in asked}
        equations.check_deliveries(paid, allowed, equations.failed_answers(entries))
        cut = sum(end == callers.CUT for end in ends.values())
        equations.check_ends(Ends(asked=len(asked), ended=len(ends) - cut, cut=world.cuts))
        await _check_requests(store, since, until)


class _Failures(QuietJob):
    """Remembers what the latest run could not do in the books."""

    failures: dict[str, object]

    def books_kept(self, report: BooksReport, failures: Mapping[str, int]) -> None:  # type: ignore[override]
        self.failures = {**report.failures, **failures}


class _MovedClock:
    """The wall clock, some time ahead."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


async def _held_slots(aws: AwsClient, table: str) -> list[str]:
    held: list[str] = []
    start: dict[str, object] = {}
    while True:
        page = await aws.call("dynamodb", "Scan", {"TableName": table, **start})
        held += [item["pk"]["S"] for item in page["Items"] if item["sk"]["S"].startswith("SLOT#")]
        if "LastEvaluatedKey" not in page:
            return held
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


async def _check_requests(store: DynamoDBAccountStore, since: float, until: float) -> None:
    """The log has each request once at most."""
    seen = Counter[str]()
    cursor: str | None = None
    while True:
        page = await store.list_requests(equations.Selection(since=since, until=until), limit=200, cursor=cursor)
        seen.update(record.request_id for record in page.items)
        if (cursor := page.cursor) is None:
            break
    twice = {id_: count for id_, count in seen.items() if count > 1 and id_.startswith("soak-")}
    equations.require(not twice, f"requests are in the log more than once: {twice}")
