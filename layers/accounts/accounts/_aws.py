"""How the store calls AWS: one port and one retry policy, over either way to send.

`AwsClient.call("dynamodb", "GetItem", {...})` takes and returns the JSON shapes of AWS's service models. Binary values
go in as `bytes` and come out as `bytes` or, undecoded, as base64 text (`as_bytes` accepts both).
"""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol

from accounts._exceptions import StoreUnavailableError

# Retries are spread by "full jitter" below a doubling limit: 50, 100, 200 ms.
MAX_ATTEMPTS = 4
FIRST_RETRY_SECONDS = 0.05
CLOCK_STEP_SECONDS = 2.0

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


AwsSend = Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Sends one request: service, operation, payload. Raises `AwsError`."""


class Exchange(Protocol):
    """One request and its answer, without retries; many at once. Nothing of it blocks the event loop."""

    clock_offset: float
    """Seconds by which AWS's clock is ahead of this machine's, 0 while they differ by less than can be told."""

    async def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Raises `AwsError`. After a cancellation AWS may have taken the request, or not."""

    async def connect(self, service: str, number: int) -> None:
        """Open so many connections for later `send`s, where that can be done apart from them. Never raises."""

    async def aclose(self) -> None: ...


class AwsCaller(Protocol):
    """What the table and the vault need of `AwsClient`."""

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Raises `AwsError`, and `StoreUnavailableError` when AWS can't be reached or refuses this deployment."""


class Retrying:
    """Sends, and tries again what may succeed the next time."""

    def __init__(
        self,
        send: AwsSend,
        *,
        rng: random.Random | None = None,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._send = send
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._sleep = sleep

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """One call. Raises `AwsError`, and at the end `StoreUnavailableError`."""
        attempt, is_signed_anew = 1, False
        while True:
            try:
                return await self._send(service, operation, payload)
            except AwsError as error:
                if error.code in _CLOCK_CODES and not is_signed_anew:
                    # The clock had not caught up after a thaw; every send signs anew.
                    is_signed_anew = True
                    continue
                # Every write is conditional or may be repeated: a lost answer does no harm.
                delay = retry_delay(error, attempt, self._rng.random())
                if delay is None:
                    if is_transient(error) or error.status in _REFUSED or error.code in _CLOCK_CODES:
                        raise StoreUnavailableError(operation, error.code) from error
                    raise
            await self._sleep(delay)
            attempt += 1


class AwsClient(Retrying):
    """Calls AWS over one way to send, and tells its time."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        rng: random.Random | None = None,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        super().__init__(exchange.send, rng=rng, sleep=sleep)
        self._exchange = exchange

    def clock(self) -> float:
        """AWS's time in epoch seconds, as far as its answers have shown that this machine's differs."""
        return time.time() + self._exchange.clock_offset

    async def connect(self, service: str, number: int) -> None:
        """Open so many connections for the calls that follow. What does not succeed is left to them."""
        await self._exchange.connect(service, number)

    async def aclose(self) -> None:
        """Close connections. Calls under way fail."""
        await self._exchange.aclose()


# A signature is refused when the clock is off by more than five minutes.
_CLOCK_CODES = frozenset({"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"})

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


def clock_offset(date: str | None, sent_at: float, now: float) -> float | None:
    """Seconds by which the clock of who sent this `Date` header is ahead; `None` if that can't be told.

    The header has whole seconds and was on its way for some time: less than `CLOCK_STEP_SECONDS` means nothing, and
    neither does an answer that took so long to come, or was read so late after a freeze.
    """
    if not 0 <= now - sent_at < CLOCK_STEP_SECONDS:
        return None
    try:
        moment = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    # The header's second has passed by half on average.
    offset = moment + 0.5 - now
    return offset if abs(offset) >= CLOCK_STEP_SECONDS else 0.0


def as_bytes(value: bytes | str) -> bytes:
    """A binary value of an answer, whichever way it was sent."""
    return base64.b64decode(value) if isinstance(value, str) else bytes(value)
