"""A store, a Poe that says what it is told to, and a run of the job over both."""

from __future__ import annotations

import io
import itertools
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from accounts import Account, AccountKind, InMemoryAccountStore
from refresh_points.handler import run
from refresh_points.job import Job
from refresh_points.journal import Journal
from refresh_points.settings import Settings
from reverse.chat import PointsReading, PointsSpent
from tests.accounts.stand_in import Aws, run_aws

SETTINGS = Settings(table="t", kms_key_id="k", refresh_timeout_seconds=5, refresh_margin_seconds=1)


# Powertools keeps a logger for each name, with the stream that it was first made with.
_NUMBERS = itertools.count()


@dataclass
class FakePoe:
    """Answers each account as told, by its `p_b` cookie or `api_key`; 1,000 points to everybody else."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    session: dict[str, Any] = field(default_factory=dict)
    seen_sessions: list[Any] = field(default_factory=list)
    history: dict[str, list[PointsSpent]] = field(default_factory=dict)
    """What each account spent, newest first."""
    histories_read: int = 0
    pause: Callable[[], Awaitable[object]] | None = None
    at_once: int = 0
    most_at_once: int = 0
    closed: int = 0

    def make_client(self, kind: AccountKind, credentials: Any, session_data: Any) -> FakeClient:
        if not credentials:
            raise ValueError("credential p_b is missing")
        self.seen_sessions.append(session_data)
        return FakeClient(self, credentials.get("p_b") or credentials["api_key"])


class FakeClient:
    """As much of a Poe client as the job uses."""

    def __init__(self, poe: FakePoe, name: str) -> None:
        self._poe = poe
        self._name = name

    async def __aenter__(self) -> FakeClient:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._poe.closed += 1

    async def points(self) -> PointsReading:
        poe = self._poe
        poe.asked.append(self._name)
        poe.at_once += 1
        poe.most_at_once = max(poe.most_at_once, poe.at_once)
        try:
            if poe.pause is not None:
                await poe.pause()
            answer = poe.answers.get(self._name, PointsReading(1_000))
            if callable(answer):
                answer = await answer()
            if isinstance(answer, BaseException):
                raise answer
            return answer
        finally:
            poe.at_once -= 1

    async def points_history(self) -> AsyncGenerator[PointsSpent, None]:
        self._poe.histories_read += 1
        for item in self._poe.history.get(self._name, ()):
            yield item

    def session_data(self) -> dict[str, Any]:
        return self._poe.session


@dataclass
class House:
    """The job with everything around it."""

    store: Any
    poe: FakePoe = field(default_factory=FakePoe)
    output: io.StringIO = field(default_factory=io.StringIO)
    wall_clock: Callable[[], float] = time.time

    async def add(self, name: str, **options: Any) -> Account:
        return await self.store.put_account(
            kind=AccountKind.WEB, label=name, credentials={"p_b": f"cookie-{name}"}, **options
        )

    async def run(
        self,
        event: dict[str, Any] | None = None,
        *,
        seconds: float = 60,
        catalogue: dict[str, Any] | None = None,
        channels: dict[str, Any] | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        settings = Settings(**{name: getattr(SETTINGS, name) for name in SETTINGS.__slots__} | changes)
        return await run(
            Job.from_event(event or {}),
            settings=settings,
            seconds=seconds,
            store=self.store,
            make_client=self.poe.make_client,  # type: ignore[arg-type]
            journal=Journal(with_metrics=True, stream=self.output, service=f"refresh-{next(_NUMBERS)}"),
            catalogue=catalogue,
            channels=channels,
            wall_clock=self.wall_clock,
        )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.getvalue().splitlines()]


@pytest.fixture
def house() -> House:
    return House(InMemoryAccountStore(rng=random.Random(3)))


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with run_aws() as running:
        yield running


@pytest.fixture
def table_name(aws: Aws) -> Iterator[str]:
    """An empty table that is gone after the test."""
    name = aws.create_table()
    yield name
    aws.delete_table(name)
