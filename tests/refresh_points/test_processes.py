"""The job against DynamoDB and Poe's stand-ins, as a process of its own where it is to be killed."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from accounts import AccountKind, AccountState
from local.poe_official import PoeOfficialSimulator
from local.poe_web import PoeWebSimulator
from refresh_points.handler import handler
from tests.accounts.stand_in import Aws
from tests.refresh_points import stuck_run
from tests.refresh_points.conftest import FakePoe, House

ACCOUNTS = 20


def environment(aws: Aws, table_name: str) -> dict[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**aws.environ, "GATEWAY_TABLE": table_name, "GATEWAY_KMS_KEY_ID": aws.kms_key_id, "PYTHONPATH": paths}


async def test_a_run_that_is_killed_in_the_middle_loses_nothing(aws: Aws, table_name: str) -> None:
    store = aws.store(table_name, rng=random.Random(5))
    house = House(store)
    added = [(await house.add(str(number))).id for number in range(ACCOUNTS)]
    process = subprocess.Popen(
        [sys.executable, stuck_run.__file__],
        env=environment(aws, table_name),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 30)
        process.kill()
    assert line == b"stuck\n"
    after_kill = [await store.get_account(account_id) for account_id in added]
    recorded = [account.id for account in after_kill if account.points]
    assert len(recorded) == stuck_run.ANSWERED

    at_once = await house.run()
    assert at_once["succeeded"] == ACCOUNTS - stuck_run.ANSWERED - stuck_run.CONCURRENCY, "the claims still hold"
    house.wall_clock = lambda: time.time() + 120
    later = await house.run()
    assert later["succeeded"] == stuck_run.CONCURRENCY
    balances = {(await store.get_account(account_id)).points.balance for account_id in added}
    assert balances == {777, 1_000}
    await store.aclose()


async def test_two_runs_over_one_table_read_each_account_once(aws: Aws, table_name: str) -> None:
    """They share nothing but the table."""
    stores = [aws.store(table_name, rng=random.Random(seed)) for seed in (1, 2)]
    poe = FakePoe()
    houses = [House(store, poe) for store in stores]
    for number in range(ACCOUNTS):
        await houses[0].add(str(number))
    answers = await asyncio.gather(*(house.run({"concurrency": 5}) for house in houses))
    assert sum(answer["succeeded"] for answer in answers) == ACCOUNTS
    assert sorted(poe.asked) == sorted({f"cookie-{number}" for number in range(ACCOUNTS)})
    for store in stores:
        await store.aclose()


async def test_an_account_that_nobody_uses_costs_two_writes_and_no_read_of_the_table(aws: Aws, table_name: str) -> None:
    counted = CountingClient(aws)
    house = House(counted.store(table_name))
    for number in range(10):
        await house.add(str(number))
    counted.calls.clear()
    await house.run()
    assert counted.calls.count("UpdateItem") == 20
    assert "Decrypt" not in counted.calls, "new credentials are known to the vault"
    others = Counter(call for call in counted.calls if call != "UpdateItem")
    counted.calls.clear()
    for number in range(10, 20):
        await house.add(str(number))
    counted.calls.clear()
    await house.run()
    assert Counter(call for call in counted.calls if call != "UpdateItem") <= others, "no more for more accounts"
    await house.store.aclose()


class TestDeployed:
    """The handler as Lambda calls it, with the real clients, against the simulators."""

    @pytest.fixture
    async def simulators(self):
        async with PoeWebSimulator() as web, PoeOfficialSimulator(pace_seconds=0) as official:
            yield web, official

    async def test_both_kinds_of_account_are_read_and_strangers_are_doubted(
        self, aws: Aws, table_name: str, simulators, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        web, official = simulators
        web.add_account("cookie-of-mine", points=1_234)
        official.add_account("key-of-mine-0123456789", 4_321)
        store = aws.store(table_name)
        mine = await store.put_account(kind=AccountKind.WEB, label="w", credentials={"p_b": "cookie-of-mine"})
        keyed = await store.put_account(
            kind=AccountKind.OFFICIAL, label="o", credentials={"api_key": "key-of-mine-0123456789"}
        )
        stranger = await store.put_account(kind=AccountKind.WEB, label="s", credentials={"p_b": "cookie-of-nobody"})
        for name, value in environment(aws, table_name).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GATEWAY_POE_WEB_BASE_URL", web.base_url)
        monkeypatch.setenv("GATEWAY_POE_OFFICIAL_BASE_URL", official.base_url)

        answer = await asyncio.to_thread(handler, {"source": "aws.scheduler"}, Context())
        assert (answer["total"], answer["succeeded"], answer["failed"]) == (3, 2, 1)
        assert answer["errors"][0]["code"] == "not_authenticated"
        assert (await store.get_account(mine.id)).points.balance == 1_234
        assert (await store.get_account(keyed.id)).points.balance == 4_321
        doubted = await store.get_account(stranger.id)
        assert (doubted.state, doubted.last_error) == (AccountState.ACTIVE, "not_authenticated")

        again = await asyncio.to_thread(handler, {"account_ids": [stranger.id]}, None)
        assert again["failed"] == 1
        assert (await store.get_account(stranger.id)).state is AccountState.LOGGED_OUT
        assert "cookie-of" not in "".join(capsys.readouterr())
        await store.aclose()


class Context:
    """As much of Lambda's context as is used."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class CountingClient:
    """Stores whose calls to AWS are noted."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self.calls: list[str] = []

    def store(self, table_name: str):
        store = self._aws.store(table_name)
        client = store._table._aws
        call = client.call

        async def counted(service: str, operation: str, payload):
            self.calls.append(operation)
            return await call(service, operation, payload)

        client.call = counted
        return store
