"""One answer from one of the accounts: the room that every surface of the gateway goes through.

A `Generation` leases an account, asks Poe through a warm client, tries another account (never another model) while
nothing has been said yet, yields the events that a surface encodes, and books how it ended:

    async with generations.start(task, record) as generation:
        async for event in generation.events():
            ...

On leaving the block, for whatever reason, the upstream is stopped, the lease released, outcome and usage recorded.
What a surface sends after the block is sent after all that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from accounts import Account, AccountKind, AccountStore, Lease, LeaseRequest, NoAccountError, NoAccountReason, Usage
from gateway.generation.attempt import Ask, Attempt, GenerationPolicy
from gateway.generation.client_pool import WarmClients
from gateway.generation.shaping import AnswerLimits, AnswerShaper
from gateway.generation.usage import TokenUsage
from gateway.http.errors import MAX_RETRY_AFTER_SECONDS
from gateway.http.request_log import Journal, RequestRecord
from reverse.chat import ChatRequest, PoeClient
from reverse.errors import ErrorCode, PoeError, Scope, poe_error
from reverse.events import ChatStarted, Event, Finished, TextDelta, UsageReported

# Pauses between looks for a free account; the last one repeats.
_WAITS_SECONDS = (0.1, 0.2, 0.4, 0.8)

# What one of Poe's two APIs does not know or offer, the other one may.
_OF_ONE_API = frozenset({ErrorCode.BOT_NOT_FOUND, ErrorCode.UNSUPPORTED_FEATURE})

# Waiting changes nothing.
_NEVER = frozenset({NoAccountReason.NONE_CONFIGURED, NoAccountReason.BOT_DENIED})

# What tells about one account only: how another one failed that has the bot tells more.
_LACKS_THE_BOT = frozenset({ErrorCode.BOT_NOT_FOUND, ErrorCode.BOT_ACCESS_DENIED})

AnyKind = (AccountKind.OFFICIAL, AccountKind.WEB)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationTask:
    """What to generate, whichever account does it."""

    key_id: str
    model: str
    """The bot's name as Poe knows it."""
    build: Callable[[AccountKind], ChatRequest] | None = None
    """Makes the request for an account of this kind. May raise `GatewayError`."""
    ask: Ask | None = None
    """Asks, where that is more than one request to the client; takes the place of `build`."""
    on_end: Callable[[Generation, bool], Awaitable[None]] | None = None
    """Called once an account has begun to answer and the answer is over: well (`True`), or not. What it writes is
    written before the last byte leaves."""
    prompt_tokens: int
    """Estimate, used where the upstream does not say."""
    limits: Callable[[AccountKind], AnswerLimits] = lambda _: AnswerLimits()
    """Limits that the gateway itself must keep, by kind: the official API keeps some on its own."""
    kinds: tuple[AccountKind, ...] = AnyKind
    """Acceptable kinds, best first."""
    is_streamed: bool = True
    """Whether the consumer can't take back what it was given: decides how replaced text is told."""
    sticky_account_id: str | None = None

    def stream(self, client: PoeClient, lease: Lease) -> AsyncGenerator[Event, None]:
        """Ask an account. May raise `GatewayError`."""
        if self.ask is not None:
            return self.ask(client, lease)
        if self.build is None:
            raise ValueError("a generation needs 'build' or 'ask'")
        return client.stream(self.build(lease.account.kind))


class Generations:
    """Starts generations: holds what they share."""

    def __init__(
        self,
        store: AccountStore,
        clients: WarmClients,
        policy: GenerationPolicy,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.clients = clients
        self.policy = policy
        self.journal = journal
        self.clock = clock
        self.now = now

    def start(self, task: GenerationTask, record: RequestRecord) -> Generation:
        """A generation, to be entered. Nothing happens before its events are asked for."""
        return Generation(self, task, record)


class Generation:
    """One answer; not reusable. See the module's text."""

    def __init__(self, room: Generations, task: GenerationTask, record: RequestRecord) -> None:
        self.chat: ChatStarted | None = None
        """The Poe chat that the answer belongs to, once known (web only)."""
        self._room = room
        self._task = task
        self._record = record
        self._shaper = AnswerShaper()
        # The attempt under way, or the one that answered.
        self._attempt: Attempt | None = None
        self._reported: UsageReported | None = None

    @property
    def text(self) -> str:
        """The text given to the surface so far."""
        return self._shaper.text

    @property
    def matched_stop(self) -> str | None:
        """The stop sequence that ended the answer, where the gateway found it."""
        return self._shaper.matched_stop

    @property
    def account_id(self) -> str | None:
        """The account that answers."""
        return self._attempt.lease.account.id if self._attempt else None

    @property
    def kind(self) -> AccountKind | None:
        """What kind of account answers."""
        return self._attempt.lease.account.kind if self._attempt else None

    @property
    def usage(self) -> TokenUsage:
        """What the answer has consumed so far; final once the block is left."""
        completion_tokens = self._shaper.completion_tokens
        reported = self._reported or (self._attempt.reported if self._attempt else None)
        return TokenUsage.of(reported, prompt_tokens=self._task.prompt_tokens, completion_tokens=completion_tokens)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._attempt is not None:
            usage = self.usage
            self._record.usage = {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "estimated": usage.is_estimated,
            }
            await self._attempt.end(self._booking(usage, is_error=isinstance(error, Exception)))
            if self._task.on_end is not None and self._attempt.has_answered:
                await self._task.on_end(self, error is None)

    def _booking(self, usage: TokenUsage, *, is_error: bool) -> Usage:
        answered = self._attempt is not None and self._attempt.has_answered
        return Usage(
            key_id=self._task.key_id,
            model=self._task.model.lower(),
            prompt_tokens=usage.prompt_tokens if answered else 0,
            completion_tokens=usage.completion_tokens,
            points=usage.points or 0,
            is_error=is_error,
        )

    async def events(self) -> AsyncIterator[Event]:
        """The answer's events as a surface encodes them, the last one `Finished`. Iterate once.

        Raises `PoeError` or `AccountStoreError`: before the first event when every permitted account was tried, later
        at once. Cancelled or left early, it leaves the cleaning up to the end of the `async with` block.
        """
        first, attempt = await self._first_events()
        shaper = self._shaper
        for event in first:
            for shaped in self._shape(event):
                yield shaped
        if attempt.stream is None:
            return
        try:
            while not shaper.is_over:
                event = await anext(attempt.stream)
                # The common case, kept short: this runs for every chunk.
                if type(event) is TextDelta and shaper.accept(event.text):
                    yield event
                    continue
                for shaped in self._shape(event):
                    yield shaped
        except StopAsyncIteration:
            # The client promises a last event; without one the answer may be cut, and silence would hide it.
            attempt.error = poe_error(ErrorCode.PROTOCOL, "the answer ended without its last event")
            raise attempt.error from None
        except PoeError as error:
            attempt.error = error
            raise

    def _shape(self, event: Event) -> list[Event]:
        """Note what concerns the booking, and let the shaper decide what is shown."""
        if isinstance(event, UsageReported):
            self._reported = event
        elif isinstance(event, ChatStarted):
            self.chat = event
        shaped = list(self._shaper.shape(event))
        if shaped and isinstance(shaped[-1], Finished):
            self._record.finish = shaped[-1].reason.value
        return shaped

    async def _first_events(self) -> tuple[list[Event], Attempt]:
        """Try accounts until one begins to answer."""
        room, task, record = self._room, self._task, self._record
        give_up_at = room.clock() + room.policy.attempts_seconds
        failed: list[Account] = []
        failure: PoeError | None = None
        kinds = task.kinds
        while True:
            attempt = self._attempt = self._new_attempt(await self._lease(kinds, failed, failure))
            kind = attempt.lease.account.kind
            self._shaper = AnswerShaper(task.limits(kind), is_streamed=task.is_streamed)
            try:
                return await attempt.begin(task.stream), attempt
            except PoeError as error:
                room.journal.event("attempt.failed", record, code=error.code.value, operation=error.operation)
                failed.append(attempt.lease.account)
                if failure is not None and failure.code in _OF_ONE_API and error.scope in (Scope.BOT, Scope.REQUEST):
                    # Where the other API does not help either, the first one's word is the plainer.
                    raise failure from None
                if failure is None or error.code not in _LACKS_THE_BOT:
                    failure = error
                if error.code in _OF_ONE_API:
                    kinds = tuple(other for other in kinds if other is not kind)
                may_help = error.retryable or (error.code in _OF_ONE_API and kinds)
                if not may_help or record.attempts >= room.policy.max_attempts or room.clock() >= give_up_at:
                    raise failure from None
            # Only one account is ever leased: this one is given back before the next is looked for.
            await attempt.end(None)
            self._attempt = None

    def _new_attempt(self, lease: Lease) -> Attempt:
        room = self._room
        self._record.attempts += 1
        self._record.account = lease.account.id
        return Attempt(
            lease,
            bot=self._task.model.lower(),
            store=room.store,
            clients=room.clients,
            policy=room.policy,
            journal=room.journal,
        )

    async def _lease(
        self, kinds: tuple[AccountKind, ...], failed: Collection[Account], failure: PoeError | None
    ) -> Lease:
        """Lease an account, waiting a little while all able ones are busy. A failure before tells more than "none"."""
        room, task = self._room, self._task
        request = LeaseRequest(
            owner=self._record.request_id,
            bot=task.model.lower(),
            ttl_seconds=room.policy.lease_ttl_seconds,
            kinds=kinds,
            sticky_account_id=task.sticky_account_id,
            exclude=frozenset(account.id for account in failed),
        )
        give_up_at = room.clock() + room.policy.account_wait_seconds
        looks = 0
        while True:
            try:
                return await room.store.lease(request)
            except NoAccountError as error:
                wait = _WAITS_SECONDS[min(looks, len(_WAITS_SECONDS) - 1)]
                if error.reason is not NoAccountReason.BUSY or room.clock() + wait > give_up_at:
                    raise _told(error, failure, failed, room.now()) from None
            looks += 1
            await asyncio.sleep(wait)


def _told(none: NoAccountError, failure: PoeError | None, failed: Collection[Account], now: float) -> Exception:
    """What to raise where no account is left: that, or the failure before it, whichever tells more."""
    if failure is None:
        return none
    if failure.code is ErrorCode.INSUFFICIENT_POINTS:
        if none.reason is NoAccountReason.BUSY or none.retry_at is not None:
            return none  # Points are not what all accounts lack, or it is known when one has them again.
        grants = [account.points.next_grant_at for account in failed if account.points is not None]
        known = [grant for grant in grants if grant is not None]
        return NoAccountError(NoAccountReason.NO_POINTS, min(known)) if known else failure
    # An account of the API that was not asked may do what the other one does not offer, once it is free. Nobody waits
    # hours for a feature: an account that is that long away is one that was refused the bot.
    may_help_later = failure.code in _OF_ONE_API and none.reason not in _NEVER
    is_soon = none.retry_at is None or none.retry_at - now <= MAX_RETRY_AFTER_SECONDS
    return none if may_help_later and (is_soon or failure.code is ErrorCode.BOT_NOT_FOUND) else failure
