"""A month of use, written into the table of a running stack: for tests of the pages, and for their pictures.

Sends go through the store as the gateway writes them, at times that have passed; nothing is asked of Poe.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from accounts import (
    AccountStore,
    Intention,
    LeaseRequest,
    Outcome,
    Points,
    RequestRecord,
    SendRecord,
    SettledBy,
    Settlement,
    _keys,
    open_store,
)
from accounts._dynamodb import DynamoDBAccountStore
from accounts._ledger import day_of
from accounts._table import delete

HOUR, DAY = 3_600.0, 86_400.0
FAILURES = ("rate_limited", "server_error", "timeout")


@dataclass(frozen=True)
class Model:
    """How a model is used: how often, and what a message costs."""

    name: str
    weight: int
    points: int
    first_seconds: float


MODELS = (
    Model("claude-sonnet-4.5", 9, 180, 0.9),
    Model("gpt-5-mini", 8, 22, 0.6),
    Model("gemini-2.5-flash", 6, 14, 0.4),
    Model("claude-haiku-4.5", 5, 31, 0.5),
    Model("gpt-5", 3, 240, 2.1),
    Model("grok-4", 2, 150, 1.4),
    Model("deepseek-v3.2", 2, 9, 1.1),
    Model("llama-3.3-70b", 1, 6, 0.7),
)
# Share of a day's use in each hour (UTC): little at night, most in the afternoon.
HOURS = (1, 1, 0, 0, 0, 1, 2, 4, 7, 9, 9, 8, 6, 8, 10, 11, 9, 7, 5, 6, 7, 6, 4, 2)


class _Clock:
    """The time at which the store believes to be."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def plant(
    variables: Mapping[str, str],
    *,
    keys: Mapping[str, int],
    accounts: Mapping[str, int],
    now: float,
    days: int,
    sends: int,
) -> None:
    """Write about `sends` sends over so many days. `keys` and `accounts` are ids with how much each is used."""
    planting = _plant(variables, keys=keys, accounts=accounts, now=now, days=days, sends=sends)
    # Beside a browser: its driver has a loop in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, planting).result()


async def _plant(
    variables: Mapping[str, str],
    *,
    keys: Mapping[str, int],
    accounts: Mapping[str, int],
    now: float,
    days: int,
    sends: int,
) -> None:
    rng = random.Random(20)
    clock = _Clock(now)
    environ = {name: value for name, value in variables.items() if name.startswith("AWS_")}
    store = open_store(table=variables["GATEWAY_TABLE"], kms_key_id=variables["GATEWAY_KMS_KEY_ID"], environ=environ)
    store._clock = clock  # The past is written; no deployment has a clock that stands.
    since = now // HOUR * HOUR - days * DAY
    times = sorted(_moments(rng, since, now - 120, sends))
    try:
        settlements = []
        for number, at in enumerate(times):
            key, account = _pick(rng, keys), _pick(rng, accounts)
            entry = await _send(
                store, clock, rng, number=number, at=at, key=key, account=account, others=list(accounts)
            )
            if entry is not None and at < now - 3 * HOUR:
                settlements.append(entry)
        for begin in range(0, len(settlements), 100):
            await store.settle(settlements[begin : begin + 100])
        await _forget_counts(store, since, now)
        for account in accounts:
            await _read_balances(store, rng, account, since, now)
        # As the scheduled job does once the hours are over.
        clock.now = now
        await store.close_hours()
    finally:
        await store.aclose()


async def _read_balances(
    store: DynamoDBAccountStore, rng: random.Random, account: str, since: float, now: float
) -> None:
    """As the scheduled job would have read them: down by a part each day, up again with a grant, one day missed."""
    left, before = 450_000, None
    moments = range(int(since // DAY * DAY + 20 * HOUR), int(now // DAY * DAY), int(DAY))
    granted_at = moments[max(4, len(moments) - 18)]
    for at in moments:
        if at == moments[2]:
            continue
        left = 1_000_000 if at == granted_at else round(left * rng.uniform(0.98, 0.999))
        points = Points(left, float(at), addon=min(left, 120_000))
        await store._note_balance(account, before, points)
        before = points


async def _forget_counts(store: DynamoDBAccountStore, since: float, now: float) -> None:
    """The job of the running stack has summed up the hours before now, when nothing was in them."""
    for start in range(int(since), int(now + DAY), int(DAY)):
        for partition in (_keys.SUMS_DAYS, _keys.REQUEST_DAYS):
            await store._table.write(delete(_keys.day_pack(partition, day_of(start))))
    await store.put_config("sums", {"closed_until": int(since)})


def _moments(rng: random.Random, since: float, until: float, sends: int) -> list[float]:
    found: list[float] = []
    while len(found) < sends:
        at = rng.uniform(since, until)
        is_weekend = int(at // DAY + 3) % 7 >= 5
        if rng.uniform(0, 11) < HOURS[int(at % DAY // HOUR)] * (0.45 if is_weekend else 1.0):
            found.append(at)
    return found


def _pick(rng: random.Random, weights: Mapping[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


async def _send(
    store: AccountStore,
    clock: _Clock,
    rng: random.Random,
    *,
    number: int,
    at: float,
    key: str,
    account: str,
    others: list[str],
) -> Settlement | None:
    """One request: usually one send, sometimes one that fails and another one, sometimes only a failure."""
    model = rng.choices(MODELS, [model.weight for model in MODELS])[0]
    request_id = f"req_{rng.getrandbits(64):016x}"
    # Whatever the hour is at which this is run, some sends are repeated and some fail.
    luck = {5: 0.02, 10: 0.07}.get(number % 20, rng.random())
    begun, attempt = at, 1
    if luck < 0.09:
        at, attempt = await _fail(store, clock, rng, model, key, account, request_id, at), 2
        rest = [other for other in others if other != account]
        account = rng.choice(rest) if rest else account
    is_answered = not 0.05 <= luck < 0.09
    clock.now = at
    lease = await store.lease(_wanted(model, key, account, request_id, attempt, number))
    points = max(1, round(model.points * rng.lognormvariate(0, 0.6)))
    first, total = model.first_seconds * rng.lognormvariate(0, 0.4), model.first_seconds + rng.lognormvariate(1.4, 0.7)
    clock.now = at + total
    tokens = (round(rng.lognormvariate(6.5, 1.1)), round(rng.lognormvariate(5.6, 0.8)))
    code = "ok" if is_answered else rng.choice(FAILURES)
    usage = SendRecord(
        ended_at=clock.now,
        first_token_at=at + first if is_answered else None,
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1] if is_answered else 0,
        is_estimated=model.weight < 3,
        points=points if is_answered and model.weight > 2 else None,
        is_refused=not is_answered,
    )
    request = RequestRecord(
        request_id=request_id,
        at=clock.now,
        key_id=key,
        model=model.name,
        surface="chat",
        status=200 if is_answered else 502,
        code=None if is_answered else code,
        account_id=account,
        attempts=attempt,
        first_token_seconds=at - begun + first if is_answered else None,
        total_seconds=clock.now - begun,
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1] if is_answered else 0,
        points=points if is_answered else 0,
        points_estimated=is_answered and model.weight <= 2,
        is_estimated=model.weight < 3,
    )
    # A failure of the sample is not one of the account: nothing here makes it wait.
    await store.release(lease, Outcome(code=code, scope="request"), usage=usage, request=request)
    return Settlement(entry_id=lease.entry_id, points=points, by=SettledBy.HISTORY) if is_answered else None


async def _fail(
    store: AccountStore,
    clock: _Clock,
    rng: random.Random,
    model: Model,
    key: str,
    account: str,
    request_id: str,
    at: float,
) -> float:
    """A first send that failed before its first byte; when the second one can begin."""
    clock.now = at
    lease = await store.lease(_wanted(model, key, account, request_id, 1, rng.getrandbits(60)))
    clock.now = at + rng.uniform(0.3, 2.5)
    usage = SendRecord(ended_at=clock.now, is_refused=True, points=0)
    await store.release(lease, Outcome(code=rng.choice(FAILURES), scope="request"), usage=usage)
    return clock.now + 0.05


def _wanted(model: Model, key: str, account: str, request_id: str, attempt: int, number: int) -> LeaseRequest:
    intention = Intention(
        key_id=key, model=model.name, surface="chat", request_id=request_id, attempt=attempt, estimate=model.points
    )
    owner = f"sample-{number}-{attempt}"
    return LeaseRequest(owner=owner, bot=model.name, ttl_seconds=900.0, sticky_account_id=account, intention=intention)
