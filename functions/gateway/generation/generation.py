"""One answer from one of the accounts: what every surface of the gateway goes through.

A `Generation` leases an account, sends the question through a warm client, does what the plan says when that does not
lead to an answer (see `plan`; another model only where the owner allows one), hands on the events that a surface
encodes, and books each send:

    async with generations.start(task, record) as generation:
        await generation.run(take)

On leaving the block, for whatever reason, the upstream is stopped, the lease released, outcome and usage recorded.
What a surface sends after the block is sent after all that.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self

from accounts import AccountKind, Lease, NoAccountError, SendRecord
from accounts import RequestRecord as KeptRequest
from gateway.generation.attempt import Attempt, Resources
from gateway.generation.leasing import Leasing
from gateway.generation.plan import Again, GiveUp, NextModel, decide, may_fall_back, telling
from gateway.generation.rules import Change, Send, failed_send, rejected_send
from gateway.generation.shaping import AnswerShaper
from gateway.generation.task import AnswerRejectedError, GenerationTask
from gateway.generation.usage import Spending, TokenUsage
from gateway.http.errors import UNUSABLE_ANSWER, GatewayError, gateway_error
from gateway.http.request_log import RequestRecord
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import ChatStarted, Event, Finished, TextDelta, UsageReported

Take = Callable[[Event], Awaitable[None] | None]
"""Takes an event, and raises nothing. What it returns, if anything, is awaited before the next one."""


class Generations(Resources):
    """Starts generations: holds what they share."""

    def start(self, task: GenerationTask, record: RequestRecord) -> Generation:
        """A generation, to be entered. Nothing happens before it is run."""
        return Generation(self, task, record)


class Generation:
    """One answer; not reusable. See the module's text."""

    def __init__(self, shared: Generations, task: GenerationTask, record: RequestRecord) -> None:
        self.chat: ChatStarted | None = None
        """The Poe chat that the answer belongs to, once known (web only)."""
        self._shared = shared
        self._task = task
        self._record = record
        self._question = task.new_question()
        self._shaper = AnswerShaper()
        self._spending = Spending(task.prompt_tokens)
        # The send under way, or the one that answered.
        self._attempt: Attempt | None = None
        # How it differs from the question as it stands.
        self._change: Change | None = None
        # The sends before it, and what each ended with.
        self._sends: list[Send] = []
        self._failures: list[PoeError | AnswerRejectedError] = []
        # The same of models in whose place this one is asked: how many sends, and what the first would have ended with.
        self._sends_before = 0
        self._asked_failure: Exception | None = None
        # Whether Poe may have taken one of them; whether the caller has seen anything.
        self._is_taken = False
        self._is_shown = False

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
    def has_begun(self) -> bool:
        """Whether the upstream has begun to answer; from then on the model stays."""
        return self._attempt is not None and self._attempt.has_answered

    @property
    def usage(self) -> TokenUsage:
        """What all sends have consumed so far; final once the block is left."""
        attempt = self._attempt
        return self._spending.total(
            self._shaper.completion_tokens, is_last_free=attempt is None or self._is_free(attempt)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        usage = self.usage
        # A request that was never sent has no usage: zeros would read as an answer that cost nothing.
        if self._attempt is not None or self._sends:
            self._record.usage = {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "estimated": usage.is_estimated,
            }
            self._record.points, self._record.points_estimated = usage.points, usage.points_estimated
        if self._attempt is not None:
            # Booked before `on_end`: whatever goes wrong there, the money is in the ledger.
            await self._attempt.end(self._booking(self._attempt), self._kept(error))
            if self._task.on_end is not None and (self._attempt.has_answered or self._is_taken):
                await self._task.on_end(self, error is None)

    def _kept(self, error: BaseException | None) -> KeptRequest | None:
        """What the log of requests keeps, if this answer is the whole request."""
        if error is None:
            return self._shared.keeper.item(self._record)
        if not isinstance(error, Exception):
            # Nobody waits for the answer any more; how it ended is for the caller of this block to say.
            return None
        failure = gateway_error(error, now=self._shared.now())
        self._record.fail(failure, error)
        return self._shared.keeper.item(self._record, status=failure.status, code=failure.code)

    def _is_free(self, attempt: Attempt) -> bool:
        """Whether the send under way costs nothing: it was refused, or never sent."""
        # What Poe named a price for is not free, whatever else it said.
        return not self._spending.is_reported and (not attempt.was_sent or attempt.was_refused)

    def _booking(self, attempt: Attempt) -> SendRecord | None:
        """What the send under way consumed; `None` if nothing was sent."""
        if not attempt.was_sent and not self._spending.is_reported:
            return None
        spent = self._spending.of_last(self._shaper.completion_tokens)
        answered = attempt.has_answered or self._spending.is_reported
        return SendRecord(
            prompt_tokens=spent.prompt_tokens if answered else None,
            completion_tokens=spent.completion_tokens if answered else None,
            is_estimated=spent.is_estimated,
            points=spent.points,
            is_refused=attempt.was_refused and not self._spending.is_reported,
            conversation=self._task.conversation,
        )

    async def run(self, take: Take) -> None:
        """Give `take` the answer's events as a surface encodes them, the last one `Finished`. To be called once.

        Raises `PoeError`, `GatewayError` or `AccountStoreError` when the plan gives up. Cancelled, it leaves the
        cleaning up to the end of the `async with` block.
        """
        leasing = Leasing(self._shared, self._task, self._record)
        again: Again | None = None
        while True:
            attempt = await self._begin(leasing, again)
            shaper = self._shaper
            try:
                ask = partial(self._question.ask, change=self._change)
                first = await attempt.begin(ask)
                self._record.first_token_at = self._record.first_token_at or self._shared.clock()
                for event in first:
                    for shown in self._shape(event):
                        if (full := take(shown)) is not None:
                            await full
                stream = attempt.stream
                # At a stop sequence or the token limit the loop ends early; leaving the block stops the upstream.
                while stream is not None and not shaper.is_over:
                    event = await anext(stream)
                    # The common case, kept short: this runs for every chunk.
                    is_plain = type(event) is TextDelta and shaper.accept(event.text)
                    for shown in [event] if is_plain else self._shape(event):
                        if (full := take(shown)) is not None:
                            await full
                return
            except StopAsyncIteration:
                # The client promises a last event; without one the answer may be cut, and silence would hide it.
                failure: PoeError | AnswerRejectedError = poe_error(
                    ErrorCode.PROTOCOL, "the answer ended without its last event", delivery=Delivery.PARTIAL
                )
            except (PoeError, AnswerRejectedError) as error:
                failure = error
            again = await self._after(attempt, failure, leasing)
            self._change = again.change if again is not None else None

    def _shape(self, event: Event) -> list[Event]:
        """Note what concerns the booking, and let the shaper decide what is shown."""
        if isinstance(event, UsageReported):
            self._spending.report(event)
        elif isinstance(event, ChatStarted):
            if self.chat is not None and self._is_shown:
                return []  # A corrected answer goes on in the chat that was told.
            self.chat = event
        shaped = list(self._shaper.shape(event))
        self._is_shown = self._is_shown or not all(isinstance(item, ChatStarted | UsageReported) for item in shaped)
        if shaped and isinstance(shaped[-1], Finished):
            self._record.finish = shaped[-1].reason.value
        return shaped

    async def _begin(self, leasing: Leasing, again: Again | None) -> Attempt:
        """The next send, with its lease; nothing is sent yet. Raises what tells most where no account is left."""
        lease = await self._lease(leasing, again)
        shared, task, record = self._shared, self._task, self._record
        record.attempts += 1
        record.account, record.account_kind = lease.account.id, lease.account.kind.value
        attempt = self._attempt = Attempt(lease, shared, bot=task.model.lower())
        self._spending.begin(lease.intention.estimate if lease.intention else None)
        # Once something was shown the shaper stays: stop sequences and limits are about all that the caller saw.
        if not self._is_shown:
            self._shaper = AnswerShaper(task.limits(lease.account.kind), is_streamed=task.is_streamed)
        return attempt

    async def _lease(self, leasing: Leasing, again: Again | None) -> Lease:
        """An account for the next send, or for the first send to the next model. Raises what tells most."""
        while True:
            try:
                return await leasing.next(again)
            except NoAccountError as none:
                failure = self._failures[telling(self._sends)] if self._sends else None
                told = _raised(await leasing.explain(none, failure))
                if not may_fall_back(self._sends, none.reason) or not await self._turn(leasing, told):
                    raise self._for_caller(told) from None
                # The accounts that were tried for the last model were not tried for this one.
                again = None
            except GatewayError as refused:  # the key's budget
                raise self._for_caller(refused) from None

    async def _turn(self, leasing: Leasing, told: Exception) -> bool:
        """Turn to the next model that may answer in this one's place, if there is one. `told` is how this one ended."""
        others = self._task.others
        task = await others.next() if others is not None else None
        if task is None:
            return False
        # The first failure is kept: the caller asked for that model and need not know the others.
        self._asked_failure = self._asked_failure or told
        self._sends_before += len(self._sends)
        # The rules look at the sends to one model; the total is kept in `_sends_before`, which the limit counts.
        self._sends, self._failures, self._change = [], [], None
        self._shared.journal.event("model.fallback", self._record, model=task.model, instead_of=self._task.model)
        self._task, self._question = task, task.new_question()
        self._record.model = task.model
        leasing.turn_to(task)
        return True

    def _for_caller(self, failure: Exception) -> Exception:
        """The caller's failure: that of the model that was asked for, unless another one may have been paid for."""
        is_open = isinstance(failure, PoeError) and failure.delivery in (Delivery.UNKNOWN, Delivery.PARTIAL)
        return failure if self._asked_failure is None or is_open or self._is_shown else self._asked_failure

    async def _after(self, attempt: Attempt, failure: PoeError | AnswerRejectedError, leasing: Leasing) -> Again | None:
        """Note how a send ended, and what the plan says; `None` is the first send to the next model.

        Raises what the caller is told when it gives up.
        """
        send = self._note(attempt, failure)
        policy = self._shared.policy
        decision = decide(
            self._sends,
            kinds=self._task.kinds,
            max_sends=policy.max_attempts,
            is_late=leasing.is_late,
            jitter=random.random(),  # noqa: S311 - spreads callers, protects nothing
            sends_before=self._sends_before,
            fallbacks=self._task.others.left if self._task.others is not None else 0,
        )
        self._shared.journal.event(
            "attempt.failed",
            self._record,
            code=send.code.value if send.code else "answer_rejected",
            operation=failure.operation if isinstance(failure, PoeError) else None,
            delivery=send.fate.value,
            decision=_in_words(decision),
            rule=decision.rule.name if decision.rule else "limit reached",
        )
        if isinstance(decision, GiveUp):
            # The attempt is still set: it is booked when the block is left.
            raise self._for_caller(_raised(self._failures[decision.number])) from None
        # Only one account is ever leased: this one is given back before the next is looked for.
        was_answered, is_free = attempt.has_answered, self._is_free(attempt)
        await attempt.end(self._booking(attempt))
        self._spending.end(was_answered=was_answered, is_free=is_free)
        self._attempt = None
        if isinstance(decision, Again):
            return decision
        told = _raised(self._failures[telling(self._sends)])
        if not await self._turn(leasing, told):
            raise self._for_caller(told) from None
        return None

    def _note(self, attempt: Attempt, failure: PoeError | AnswerRejectedError) -> Send:
        # A price that came before the answer failed: it was never shaped, and has to be booked all the same.
        if attempt.reported is not None and not self._spending.is_reported:
            self._spending.report(attempt.reported)
        account, change = attempt.lease.account, self._change
        if isinstance(failure, PoeError):
            attempt.error = failure
            # Part of the answer came, so Poe has taken the message, whatever the client knew when it failed.
            if attempt.has_answered:
                failure.delivery = Delivery.PARTIAL
            send = failed_send(
                failure,
                account_id=account.id,
                kind=account.kind,
                change=change,
                possible=self._question.changes(failure),
                is_shown=self._is_shown,
                points=self._spending.points,
            )
        else:
            send = rejected_send(
                account_id=account.id,
                kind=account.kind,
                change=change,
                is_correctable=failure.is_correctable,
                is_shown=self._is_shown,
                points=self._spending.points,
            )
        self._record.last_failure = send.code.value if send.code else "answer_rejected"
        self._sends.append(send)
        self._failures.append(failure)
        self._is_taken = self._is_taken or send.fate not in (Delivery.NOT_SENT, Delivery.REFUSED)
        return send


def _in_words(decision: Again | NextModel | GiveUp) -> str:
    if isinstance(decision, NextModel):
        return "the next model"
    return decision.where.value if isinstance(decision, Again) else "give up"


def _raised(failure: Exception) -> Exception:
    """A failure as callers of the generation know it."""
    if isinstance(failure, AnswerRejectedError):
        return GatewayError(UNUSABLE_ANSWER, failure.message, code=failure.code)
    return failure
