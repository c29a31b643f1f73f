"""How the store calls AWS: one port and one retry policy, over either way to send.

`AwsClient.call("dynamodb", "GetItem", {...})` takes and returns the JSON shapes of AWS's service models. Binary values
go in as `bytes` and come out as `bytes` or, undecoded, as base64 text (`as_bytes` accepts both).
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Protocol

from accounts._exceptions import StoreUnavailableError

# Retries are spread by "full jitter" below a doubling limit: 50, 100, 200 ms.
MAX_ATTEMPTS = 4
FIRST_RETRY_SECONDS = 0.05
MAX_THREADS = 16

TIMEOUT = "timeout"
CONNECTION_FAILED = "connection_failed"

_TRANSIENT_CODES = frozenset(
    {
        TIMEOUT,
        CONNECTION_FAILED,
        "DependencyTimeoutException",
        "InternalFailure",
        "InternalServerError",
        "KMSInternalException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottledException",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


class AwsError(Exception):
    """AWS refused a call, or was not reached. `response` is the decoded error body, for the details some codes have."""

    def __init__(self, operation: str, code: str, *, status: int | None = None, response: Any = None) -> None:
        super().__init__(f"{operation} failed: {code}")
        self.operation = operation
        self.code = code
        self.status = status
        self.response: Mapping[str, Any] = response or {}


class Exchange(Protocol):
    """One blocking request and its answer, callable from several threads at once."""

    def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Raises `AwsError`."""

    def close(self) -> None: ...


class AwsCaller(Protocol):
    """What the table and the vault need of `AwsClient`."""

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Raises `AwsError`, and `StoreUnavailableError` when AWS can't be reached or refuses this deployment."""


class AwsClient:
    """Calls AWS without blocking the event loop: each call takes a thread for as long as it lasts.

    A cancelled call is abandoned: its thread goes on to the end of the request, which the exchange's timeouts bound.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        rng: random.Random | None = None,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._exchange = exchange
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._sleep = sleep
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="aws")

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Send, and try again what may succeed the next time. Raises `AwsError`, `StoreUnavailableError` at the end."""
        loop = asyncio.get_running_loop()
        attempt = 1
        while True:
            try:
                return await loop.run_in_executor(self._threads, self._exchange.send, service, operation, payload)
            except AwsError as error:
                delay = retry_delay(error, attempt, self._rng.random())
                if delay is None:
                    if is_transient(error) or error.status in _REFUSED:
                        raise StoreUnavailableError(operation, error.code) from error
                    raise
            await self._sleep(delay)
            attempt += 1

    async def aclose(self) -> None:
        """Close idle connections. Calls under way end by themselves and close theirs."""
        self._exchange.close()
        self._threads.shutdown(wait=False)


# Access denied, wrong table, wrong key: the deployment is at fault, not the caller.
_REFUSED = frozenset({401, 403, 404})


def is_transient(error: AwsError) -> bool:
    """Whether the same call may succeed a moment later."""
    return error.code in _TRANSIENT_CODES or (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR


def retry_delay(error: AwsError, attempt: int, jitter: float) -> float | None:
    """Seconds to wait before the next attempt; `None` to give up. `attempt` counts from 1, `jitter` is in [0, 1)."""
    if attempt >= MAX_ATTEMPTS or not is_transient(error):
        return None
    return float(FIRST_RETRY_SECONDS * 2 ** (attempt - 1) * jitter)


def as_bytes(value: bytes | str) -> bytes:
    """A binary value of an answer, whichever way it was sent."""
    return base64.b64decode(value) if isinstance(value, str) else bytes(value)
