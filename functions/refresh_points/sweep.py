"""Reads many accounts at once, each on its own: bounded in number, in time per account, and by a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import field

from accounts import Account, AccountNotFoundError, AccountStore, AccountStoreError, Claim, Outcome
from lazy_dataclasses import dataclass
from refresh_points.readers import Read, Reader

MAX_ERRORS_SHOWN = 20
# A claim outlives the reading it is for, so that a run that is merely late keeps it; after a killed run, the next
# one reads the account when this has passed.
CLAIM_GRACE_SECONDS = 30.0


@dataclass(slots=True)
class Report:
    """What a run did. `total` is how many accounts it looked at."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    """Claimed by another run, deleted meanwhile, or only counted."""
    errors: list[dict[str, str]] = field(default_factory=list)
    """The first failures: the account and a code."""
    remaining: bool = False
    """Whether the deadline came before the end of the list."""

    @property
    def total(self) -> int:
        return self.succeeded + self.failed + self.skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once and how long. `stop_at` is a time of the monotonic clock: after it no account is begun."""

    concurrency: int
    timeout_seconds: float
    stop_at: float


class Sweep:
    """One run over a list of accounts. Memory does not grow with the list. `on_read` sees each account after it."""

    def __init__(
        self,
        store: AccountStore,
        read: Reader,
        limits: Limits,
        *,
        is_forced: bool = False,
        wall_clock: Callable[[], float] = time.time,
        on_read: Callable[[Account], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._read = read
        self._limits = limits
        self._is_forced = is_forced
        self._wall_clock = wall_clock
        self._on_read = on_read
        self._next_id = asyncio.Lock()
        self.report = Report()

    async def run(self, ids: AsyncGenerator[str, None]) -> Report:
        """Read every account until the list or the time ends. Raises `AccountStoreError` if the list can't be read.

        Cancelling, or a crash, loses nothing: claims that were not recorded expire, and the accounts are due again.
        """
        try:
            async with aclosing(ids), asyncio.TaskGroup() as workers:
                for _ in range(self._limits.concurrency):
                    workers.create_task(self._work(ids))
        except ExceptionGroup as failures:
            # Workers only fail when the list does, and one is as good as another.
            raise failures.exceptions[0] from None
        return self.report

    async def count(self, ids: AsyncGenerator[str, None]) -> Report:
        """Only count, reading and writing nothing."""
        async with aclosing(ids):
            async for _ in ids:
                if self._is_late():
                    break
                self.report.skipped += 1
        return self.report

    async def _work(self, ids: AsyncGenerator[str, None]) -> None:
        while True:
            # One list for all workers: a generator takes one step at a time.
            async with self._next_id:
                account_id = await anext(ids, None)
                # Before the claim: an account that is claimed and not read is kept from other runs.
                if account_id is None or self._is_late():
                    return
            await self._refresh(account_id)

    def _is_late(self) -> bool:
        is_late = time.monotonic() >= self._limits.stop_at
        self.report.remaining = self.report.remaining or is_late
        return is_late

    async def _refresh(self, account_id: str) -> None:
        """Read one account and record what came of it. Whatever happens to it happens to it alone."""
        try:
            async with asyncio.timeout(self._limits.timeout_seconds):
                code = await self._claim_and_read(account_id)
        except TimeoutError:
            code = "timeout"
        except AccountNotFoundError:
            self.report.skipped += 1
            return
        except AccountStoreError as error:
            code = type(error).__name__
        except Exception as error:  # noqa: BLE001 - a defect that one account's stored data brings out
            code = _unexpected(error)
        if code == "skipped":
            self.report.skipped += 1
        elif code == "ok":
            self.report.succeeded += 1
        else:
            self.report.failed += 1
            # Lambda's answer is bounded to 6 MB, and nobody reads ten thousand codes.
            if len(self.report.errors) < MAX_ERRORS_SHOWN:
                self.report.errors.append({"account": account_id, "code": code})

    async def _claim_and_read(self, account_id: str) -> str:
        claim = await self._store.claim_reading(
            account_id,
            now=self._wall_clock(),
            lease_seconds=self._limits.timeout_seconds + CLAIM_GRACE_SECONDS,
            force=self._is_forced,
        )
        if claim is None:
            return "skipped"
        read = await self._read_safely(claim)
        account = await self._store.record_reading(
            account_id, read.result, session_data=read.session_data, claimed=claim.account
        )
        self._on_read(account)
        return read.result.code if isinstance(read.result, Outcome) else "ok"

    async def _read_safely(self, claim: Claim) -> Read:
        """Leaves time to record a reading that takes too long; a surprise is recorded like any other failure."""
        try:
            async with asyncio.timeout(self._limits.timeout_seconds * 0.8):
                return await self._read(claim)
        except TimeoutError:
            return Read(Outcome(code="timeout", scope="network"))
        except Exception as error:  # noqa: BLE001 - a defect that one account's answer brings out
            return Read(Outcome(code=_unexpected(error), scope="network"))


def _unexpected(error: Exception) -> str:
    return f"unexpected_{type(error).__name__}"
