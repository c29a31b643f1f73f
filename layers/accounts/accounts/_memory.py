"""The account store in this process's memory: for tests, and for runs that keep nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from accounts._dynamodb import DynamoDBAccountStore
from accounts._engine import Engine
from accounts._table import Table
from accounts._transitions import DEFAULT_POLICY, Policy
from accounts._vault import PlainVault


class InMemoryAccountStore(DynamoDBAccountStore):
    """Keeps the contract of `AccountStore` for one event loop: the same store over a table in memory."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        super().__init__(Table(_InProcess(Engine()), "memory"), PlainVault(), clock=clock, rng=rng, policy=policy)


class _InProcess:
    """Calls an engine. No call waits, so each is atomic."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return self._engine.call(operation, payload)
