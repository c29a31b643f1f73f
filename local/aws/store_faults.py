"""DynamoDB's faults for `make run STORE_FAULTS=throttled=0.1,lost=0.05,conflict=0.1,slow=0.2,seed=7`.

Each number is a probability per call. What was lost was carried out: only its answer is an error.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields

VARIABLE = "STORE_FAULTS"
SLOW_SECONDS = 1.0
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


class StoreFaultsError(ValueError):
    """The text names no faults; the message says what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFaults:
    """Which faults, and how often."""

    throttled: float = 0.0
    """Refused, and not carried out."""
    conflict: float = 0.0
    """A transaction that others got in the way of: not carried out."""
    lost: float = 0.0
    """A write that was carried out, and whose answer is an internal failure."""
    slow: float = 0.0
    """Takes up to a second more."""
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> StoreFaults:
        """Read `name=value` pairs, separated by commas. Raises `StoreFaultsError`."""
        known = {field.name for field in fields(cls)}
        values: dict[str, float] = {}
        for pair in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = pair.partition("=")
            try:
                values[name] = int(value) if name == "seed" else float(value)
            except ValueError:
                raise StoreFaultsError(f"{VARIABLE}: {pair!r} is not name=number") from None
            if name not in known or (name != "seed" and not 0 <= values[name] <= 1):
                raise StoreFaultsError(f"{VARIABLE}: {pair!r} is not one of {', '.join(sorted(known))} from 0 to 1")
        return cls(**values)  # type: ignore[arg-type]  # `seed` is read as an integer


Refusal = tuple[str, bytes]
"""Status line and body of an answer."""


class FaultPlan:
    """Draws the fault of each call, in the order of the calls. Safe to use from several threads."""

    def __init__(self, faults: StoreFaults, *, wait: Callable[[float], object] | None = None) -> None:
        self._faults = faults
        self._rng = random.Random(faults.seed)
        self._lock = threading.Lock()
        self._wait = wait or threading.Event().wait

    def before(self, operation: str, body: bytes) -> Refusal | None:
        """The answer that a call gets instead of being carried out, if any. May take its time."""
        faults = self._faults
        with self._lock:
            # All at once and always four: the same seed gives the same faults, whichever of them are switched on.
            chances = [self._rng.random() for _ in range(4)]
        if chances[0] < faults.slow:
            self._wait(SLOW_SECONDS * chances[3])
        if chances[1] < faults.throttled:
            return _refusal("ThrottlingException")
        if operation == "TransactWriteItems" and chances[2] < faults.conflict:
            count = len(json.loads(body).get("TransactItems", ()))
            reasons = [{"Code": "TransactionConflict" if number == 0 else "None"} for number in range(count)]
            return _refusal("TransactionCanceledException", CancellationReasons=reasons)
        return None

    def after(self, operation: str) -> Refusal | None:
        """The answer that a call gets although it was carried out, if any."""
        with self._lock:
            is_lost = self._rng.random() < self._faults.lost
        # A read whose answer is lost is a read that was never made.
        if not is_lost or operation not in _WRITES:
            return None
        return "500 Internal Server Error", json.dumps({"__type": "InternalServerError"}).encode()


def _refusal(code: str, **more: object) -> Refusal:
    return "400 Bad Request", json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}).encode()
