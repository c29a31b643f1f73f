"""AWS in this process, which shows how many of its calls wait for each other."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from accounts import StoreUnavailableError
from accounts._engine import Engine


class WatchedAws:
    """A table and a key. Calls are counted, and grouped into steps: those that overlap are one step."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.calls: Counter[str] = Counter()
        self.steps: list[Counter[str]] = []
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        """What happens before the next call of an operation is carried out."""
        self.failing: set[str] = set()
        self._under_way = 0

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.calls[operation] += 1
        if not self._under_way:
            self.steps.append(Counter())
        self.steps[-1][operation] += 1
        self._under_way += 1
        try:
            # Long enough for everything that is asked at the same time.
            for _ in range(30):
                await asyncio.sleep(0)
            if (act := self.before.pop(operation, None)) is not None:
                await act()
            if operation in self.failing:
                raise StoreUnavailableError(operation, "ThrottlingException")
            return self.engine.call(operation, payload) if service == "dynamodb" else _seal(operation, payload)
        finally:
            self._under_way -= 1

    def clear(self) -> None:
        self.calls.clear()
        self.steps.clear()


def _seal(operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A key that binds to the context, and hides nothing."""
    context = json.dumps(payload["EncryptionContext"], sort_keys=True).encode()
    if operation == "Encrypt":
        return {"CiphertextBlob": context + payload["Plaintext"]}
    assert payload["CiphertextBlob"].startswith(context)
    return {"Plaintext": payload["CiphertextBlob"].removeprefix(context)}
