"""Stores under test: in memory, and in DynamoDB, reached by both ways to AWS.

Where `DYNALITE_URL` names one, also in dynalite, another stand-in for DynamoDB (`make conformance` starts it).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from accounts import AccountStore, InMemoryAccountStore, Lease, LeaseRequest
from tests.accounts.stand_in import Aws, SteppedClock, run_aws


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in of DynamoDB is one process in Python, and slow on a busy machine."""
    for module in ("_aws_lean", "_aws_boto"):
        monkeypatch.setattr(f"accounts.{module}.READ_TIMEOUT_SECONDS", 60.0)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with run_aws() as running:
        yield running


@pytest.fixture(autouse=True)
async def _connections_end_with_their_test(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Each belongs to the event loop of one test."""
    aws = request.getfixturevalue("aws") if "aws" in request.fixturenames else None
    yield
    while aws is not None and aws.opened:
        await aws.opened.pop().aclose()


@pytest.fixture
def table_name(aws: Aws) -> Iterator[str]:
    """An empty table that is gone after the test."""
    name = aws.create_table()
    yield name
    aws.delete_table(name)


DYNALITE = ["dynalite"] if os.environ.get("DYNALITE_URL") else []


class RememberingStore(InMemoryAccountStore):
    """Chooses among the accounts that it remembers, wherever it may."""

    async def lease(self, request: LeaseRequest) -> Lease:
        await self.remember_accounts()
        return await super().lease(request)


@pytest.fixture(params=["memory", "memory-remembering", "dynamodb-lean", "dynamodb-boto", *DYNALITE])
async def store(request: pytest.FixtureRequest, clock: SteppedClock) -> AsyncIterator[AccountStore]:
    """An empty store with a clock that stands and seeded randomness."""
    opened: AccountStore
    if request.param == "memory":
        opened = InMemoryAccountStore(clock=clock, rng=random.Random(7))
    elif request.param == "memory-remembering":
        opened = RememberingStore(clock=clock, rng=random.Random(7))
    elif request.param == "dynalite":
        aws: Aws = request.getfixturevalue("aws").with_dynalite(os.environ["DYNALITE_URL"])
        opened = aws.store(await asyncio.to_thread(aws.create_table), clock=clock, rng=random.Random(7))
    else:
        aws = request.getfixturevalue("aws")
        table = request.getfixturevalue("table_name")
        opened = aws.store(table, request.param.partition("-")[2], clock=clock, rng=random.Random(7))
    yield opened
    await opened.aclose()
