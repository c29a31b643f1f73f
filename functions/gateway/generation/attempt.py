"""One send: the lease of its account, kept alive while the answer runs, its client, and the booking at the end.

A web account's cost may come some time after the last text, when the caller has its answer and the send is booked. The
client's connection is open all the same, so a task waits for the cost for a while and adds it to the ledger's entry. On
Lambda a sandbox is frozen between requests: then the cost is read with the next request, if the connection lived so
long. Nothing depends on it: what is not known by then, the scheduled job settles.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import field, replace
from typing import Any

from accounts import AccountStore, AccountStoreError, ConflictError, Lease, Outcome, SendRecord, settled
from accounts import RequestRecord as KeptRequest
from gateway.generation.client_pool import WarmClient, WarmClients
from gateway.generation.task import AnswerRejectedError, Ask
from gateway.http.deadline import to_the_end
from gateway.http.request_log import Journal, RequestKeeper
from lazy_dataclasses import dataclass
from pool.outcomes import outcome_of
from reverse.chat import NOTHING_LEFT
from reverse.errors import Delivery, ErrorCode, PoeError, Scope, poe_error
from reverse.events import ChatStarted, Event, Finished, FinishReason, UsageReported

# How long a cost is waited for, in pieces: while a sandbox is frozen, only one of them passes.
_PIECES = 20
_PIECE_SECONDS = 0.5
LATE_REPORT_SECONDS = _PIECES * _PIECE_SECONDS
MAX_LATE_REPORTS = 64


class LateReports:
    """Waits for the costs of a sandbox's answers, at most `MAX_LATE_REPORTS`; the oldest is given up first."""

    def __init__(self, store: AccountStore, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        self._tasks: dict[asyncio.Task[None], None] = {}

    def expect(self, entry_id: str, points: asyncio.Future[int]) -> None:
        """Book the cost of the entry when it comes. The entry must have been written."""
        # The client was closed: the connection that would have told the cost is gone.
        if points.cancelled():
            return
        while len(self._tasks) >= MAX_LATE_REPORTS:
            oldest = next(iter(self._tasks))
            del self._tasks[oldest]
            oldest.cancel()
        task = asyncio.create_task(self._book(entry_id, points), name="late-report")
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def aclose(self) -> None:
        """Give up what is still awaited."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await settled(*tasks)

    async def _book(self, entry_id: str, points: asyncio.Future[int]) -> None:
        for _ in range(_PIECES):
            # `asyncio.wait` leaves the future alone at the timeout; `wait_for` would cancel it, and the cost would be
            # lost.
            await asyncio.wait({points}, timeout=_PIECE_SECONDS)
            if points.done():
                break
        if not points.done() or points.cancelled():
            return
        try:
            await self._store.late_report(entry_id, points.result())
        except AccountStoreError as error:
            # The entry keeps its estimate, and the scheduled job settles it.
            self._journal.event("late_report.failed", code=type(error).__name__)


# After these the connection has done its job and can serve the next request.
_CONNECTION_IS_FINE = frozenset({Scope.REQUEST, Scope.BOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPolicy:
    """Bounds of the sends; times in seconds."""

    max_attempts: int = 3
    """Sends per answer, whatever they are made for."""
    attempts_seconds: float = 60.0
    """No send begins later than this after the first."""
    account_wait_seconds: float = 5.0
    lease_ttl_seconds: float = 90.0
    release_seconds: float = 5.0
    """Bound of the booking at the end; if it fails, the lease frees itself at its expiry."""


@dataclass(slots=True)
class Resources:
    """What the generations of a sandbox share. `clock` is monotonic, `now` the wall clock; both in seconds."""

    store: AccountStore
    clients: WarmClients
    policy: GenerationPolicy
    journal: Journal
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    keeper: RequestKeeper = field(default_factory=RequestKeeper)
    late: LateReports = field(init=False)

    def __post_init__(self) -> None:
        self.late = LateReports(self.store, self.journal)


class Attempt:
    """A leased account being asked once. Call `end` in every case; calls after the first do nothing."""

    def __init__(self, lease: Lease, shared: Resources, *, bot: str) -> None:
        self.lease = lease
        self.stream: AsyncGenerator[Event, None] | None = None
        self.error: PoeError | None = None
        """Why the upstream failed, if it did."""
        self.has_answered = False
        """Whether the upstream began to answer: from then on the account did its part, whoever stops it."""
        self.reported: UsageReported | None = None
        """What the upstream said of its costs before anything else; they are due even if nothing else comes."""
        self._bot = bot
        self._store = shared.store
        self._clients = shared.clients
        self._policy = shared.policy
        self._journal = shared.journal
        self._late = shared.late
        self._warm: WarmClient | None = None
        self._is_ended = False
        # From here on, not from the first event: connecting and uploading files take part of the lease's time.
        self._renewal = asyncio.create_task(self._renew(), name="lease-renewal")

    @property
    def was_sent(self) -> bool:
        """Whether the message may have reached Poe."""
        if self.stream is None:
            return False
        # Without an error the caller left, or the answer was read to its end: the message may have left.
        return self.has_answered or self.error is None or self.error.delivery is not Delivery.NOT_SENT

    @property
    def was_refused(self) -> bool:
        """Whether Poe said no before it took the message: nothing was charged."""
        return not self.has_answered and self.error is not None and self.error.delivery is Delivery.REFUSED

    async def begin(self, ask: Ask) -> list[Event]:
        """Ask, and wait for the first event that anybody would see; the silent ones before it come along.

        Raises `PoeError`, which is also remembered in `error`; an answer that ends well without a word is one. Raises
        `AnswerRejectedError` for an answer of which nothing can be shown.
        """
        try:
            self._warm = await self._clients.take(self.lease)
        except ValueError as error:
            # Credentials that can't be read are treated like refused ones: the owner has to replace them.
            raise self._failed(poe_error(ErrorCode.NOT_AUTHENTICATED)) from error
        self.stream = ask(self._warm.client, self.lease)
        events: list[Event] = []
        try:
            async for event in self.stream:
                events.append(event)
                if isinstance(event, UsageReported):
                    self.reported = event
                # Ended well without content: an empty answer. Any other reason, such as a filter, is an answer of its
                # own.
                if isinstance(event, Finished) and event.reason is FinishReason.STOP:
                    break
                # These two say nothing that a caller could see. A failure right after them can still go to another
                # account.
                if not isinstance(event, ChatStarted | UsageReported):
                    self.has_answered = True
                    return events
        except PoeError as error:
            self._failed(error)
            raise
        # The model did answer: nothing is wrong with the account, and the answer is paid for.
        except AnswerRejectedError:
            self.has_answered = True
            raise
        raise self._failed(poe_error(ErrorCode.EMPTY_ANSWER))

    def _failed(self, error: PoeError) -> PoeError:
        self.error = error
        return error

    async def stop(self) -> None:
        """Stop the upstream; it does one bounded call if the answer is not over."""
        if self.stream is not None:
            await self.stream.aclose()

    async def end(self, usage: SendRecord | None, request: KeptRequest | None = None) -> None:
        """Stop the upstream, keep or close the client, release the lease and book. `request` is written along.

        Failures of the store are logged only: the answer was given, and a lease frees itself. Cancellation waits for
        the booking, which is bounded, and ends the stopping.
        """
        if self._is_ended:
            return
        # Set before the first wait, so that a second call can't book the send again.
        self._is_ended = True
        # A renewal must not extend the lease while it is being released.
        self._renewal.cancel()
        try:
            await self.stop()
        finally:
            await to_the_end(self._settle(usage, request), name="attempt-end")

    async def _settle(self, usage: SendRecord | None, request: KeptRequest | None) -> None:
        session_data: dict[str, Any] | None = None
        aftermath = self._warm.client.aftermath() if self._warm is not None else NOTHING_LEFT
        # A web account's cost may arrive after the last event; where it is here by now, no second write is needed.
        late = aftermath.late_points
        if usage is not None:
            is_known = late is not None and late.done() and not late.cancelled()
            usage = replace(
                usage,
                chat_id=aftermath.chat_id,
                points=late.result() if usage.points is None and late is not None and is_known else usage.points,
            )
        try:
            session_data = await self._give_client_back()
        finally:
            is_booked = await self._release(usage, request, session_data)
            # Only an entry that exists can be changed later. Where the booking failed, the expired lease becomes the
            # entry.
            if is_booked and late is not None and usage is not None and usage.points is None:
                self._late.expect(self.lease.entry_id, late)

    async def _give_client_back(self) -> dict[str, Any] | None:
        """Returns derived data that the account's next client should have, if it changed."""
        if self._warm is None:
            return None
        # Read before the client is given back: after that another request may use it.
        session_data = self._clients.changed_session_data(self._warm, self.lease)
        # Left before an answer, the connection may still hold what was to come.
        is_fine = self.has_answered if self.error is None else self.error.scope in _CONNECTION_IS_FINE
        await self._clients.give_back(self._warm, is_healthy=is_fine)
        return session_data

    async def _release(
        self, usage: SendRecord | None, request: KeptRequest | None, session_data: dict[str, Any] | None
    ) -> bool:
        """Whether that went well."""
        points = usage.points if usage else None
        try:
            async with asyncio.timeout(self._policy.release_seconds):
                await self._store.release(
                    self.lease, self._outcome(points or None), usage=usage, request=request, session_data=session_data
                )
        except (AccountStoreError, TimeoutError) as error:
            self._journal.event("lease.release_failed", code=type(error).__name__)
            return False
        return True

    def _outcome(self, points: int | None) -> Outcome:
        if self.error is not None:
            return outcome_of(self.error, bot=self._bot, points_spent=points)
        if self.has_answered:
            return Outcome(bot=self._bot, points_spent=points)
        # Nobody waited long enough to know.
        return Outcome(code="cancelled", scope=Scope.REQUEST.value, bot=self._bot)

    async def _renew(self) -> None:
        """Keep the lease ours while the answer runs."""
        ttl = self._policy.lease_ttl_seconds
        while True:
            # A third, so that one renewal may fail and the next one still comes in time.
            await asyncio.sleep(ttl / 3)
            try:
                self.lease = await self._store.extend(self.lease, ttl)
            # The slot is somebody else's. The answer is paid for, so it goes on; only the booking will fail.
            except ConflictError:
                self._journal.event("lease.lost")
                return
            except AccountStoreError as error:
                self._journal.event("lease.renewal_failed", code=type(error).__name__)
