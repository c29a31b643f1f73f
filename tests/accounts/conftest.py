"""Stores under test: every contract test runs on each of them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from accounts import AccountStore, InMemoryAccountStore


class SteppedClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(params=["memory"])
async def store(request: pytest.FixtureRequest, clock: SteppedClock) -> AsyncIterator[AccountStore]:
    """An empty store with a clock that stands and seeded randomness."""
    opened = InMemoryAccountStore(clock=clock, rng=random.Random(7))
    yield opened
    await opened.aclose()
