"""DynamoDB with AWS's faults, in virtual time: what moto, which does one thing after the other, can't show.

Calls take time, and what several callers do at once meets: a transaction holds its items for a moment, and whoever
writes them meanwhile is told of a conflict. Calls are throttled, time out before they arrive or after they were
carried out, and an index is behind its table. A transaction that is repeated with its token counts once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts._aws import TIMEOUT, AwsError
from accounts._engine import Engine

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFaults:
    """Probabilities per call, and times in seconds."""

    throttled: float = 0.0
    """Refused, and not carried out."""
    unheard: float = 0.0
    """Timed out before it arrived."""
    lost: float = 0.0
    """Carried out; the answer timed out."""
    slow: float = 0.0
    """Takes up to a second more."""
    call_seconds: float = 0.004
    transaction_seconds: float = 0.006
    index_lag_seconds: float = 0.05


class SimulatedDynamoDB:
    """One table. `faults` may be changed at any time."""

    def __init__(self, rng: random.Random, faults: StoreFaults) -> None:
        self._rng = rng
        self.faults = faults
        self.engine = Engine(index_later=self._index_later)
        self._locked: set[tuple[str, str]] = set()
        self._done: dict[str, dict[str, Any] | AwsError] = {}
        self.calls = 0

    async def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """One request and its answer. Raises `AwsError`. A cancelled one is carried out all the same."""
        del service
        sending = asyncio.ensure_future(self._send(operation, payload))
        # Nobody may be there any more to hear of a failure.
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(sending)

    async def _send(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        faults, rng = self.faults, self._rng
        self.calls += 1
        await self._travel()
        if rng.random() < faults.throttled:
            raise AwsError(operation, "ThrottlingException", status=400)
        if rng.random() < faults.unheard:
            await asyncio.sleep(TIMEOUT_SECONDS)
            raise AwsError(operation, TIMEOUT)
        answer = await self._carry_out(operation, payload)
        if operation in _WRITES and rng.random() < faults.lost:
            await asyncio.sleep(TIMEOUT_SECONDS)
            raise AwsError(operation, TIMEOUT)
        await self._travel()
        return answer

    async def _travel(self) -> None:
        extra = self._rng.random() if self._rng.random() < self.faults.slow else 0.0
        await asyncio.sleep(self._rng.expovariate(1 / self.faults.call_seconds) + extra)

    async def _carry_out(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        keys = _keys_of(operation, payload)
        if operation != "TransactWriteItems":
            if any(key in self._locked for key in keys):
                raise AwsError(operation, "TransactionConflictException", status=400)
            return self.engine.call(operation, payload)
        token = payload["ClientRequestToken"]
        if token in self._done:
            return _response(self._done[token])
        if any(key in self._locked for key in keys):
            reasons = [{"Code": "TransactionConflict" if key in self._locked else "None"} for key in keys]
            response = {"CancellationReasons": reasons}
            raise AwsError(operation, "TransactionCanceledException", status=400, response=response)
        self._locked.update(keys)
        try:
            await asyncio.sleep(self._rng.expovariate(1 / self.faults.transaction_seconds))
            try:
                self._done[token] = self.engine.call(operation, payload)
            except AwsError as error:
                # A cancelled transaction may be tried again with the same token.
                raise error from None
        finally:
            self._locked.difference_update(keys)
        return _response(self._done[token])

    def _index_later(self, change: Callable[[], None]) -> None:
        # In the order of the writes: an index is behind, but never out of order for one item.
        asyncio.get_running_loop().call_later(self.faults.index_lag_seconds, change)


def _response(done: dict[str, Any] | AwsError) -> dict[str, Any]:
    if isinstance(done, AwsError):
        raise done
    return done


def _keys_of(operation: str, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The items that a call writes."""
    if operation == "TransactWriteItems":
        return [_key(next(iter(item.values()))) for item in payload["TransactItems"]]
    if operation in ("PutItem", "UpdateItem", "DeleteItem"):
        return [_key(payload)]
    return []


def _key(body: Mapping[str, Any]) -> tuple[str, str]:
    key = body.get("Key") or body["Item"]
    return key["pk"]["S"], key["sk"]["S"]
