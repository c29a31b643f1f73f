"""The account for each send: where the plan wants it, after a bounded wait, and what to say where there is none."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from accounts import (
    Account,
    AccountKind,
    AccountStoreError,
    Intention,
    Lease,
    LeaseRequest,
    NoAccountError,
    NoAccountReason,
)
from gateway.generation.attempt import Resources
from gateway.generation.plan import Again
from gateway.generation.rules import Where
from gateway.generation.task import GenerationTask
from gateway.http.deadline import to_the_end
from gateway.http.errors import MAX_RETRY_AFTER_SECONDS, WRONG_KIND, GatewayError
from gateway.http.key_budget import UNKNOWN_PRICE, Ticket
from gateway.http.request_log import RequestRecord
from reverse.errors import ErrorCode, PoeError

# Pauses between looks for a free account; the last one repeats.
_WAITS_SECONDS = (0.1, 0.2, 0.4, 0.8)

# Waiting changes nothing.
_NEVER = frozenset(
    {
        NoAccountReason.NONE_CONFIGURED,
        NoAccountReason.BOT_DENIED,
        NoAccountReason.CREDENTIALS_REFUSED,
        NoAccountReason.DISABLED,
    }
)


class Leasing:
    """Leases accounts for one generation, one at a time."""

    def __init__(self, shared: Resources, task: GenerationTask, record: RequestRecord) -> None:
        self._shared = shared
        self._task = task
        self._record = record
        self._last_send_at = shared.clock() + shared.policy.attempts_seconds
        self._asked: list[Account] = []
        self._has_ticket = False

    def turn_to(self, task: GenerationTask) -> None:
        """Lease for another model from now on; its sends count along."""
        self._task = task

    @property
    def is_late(self) -> bool:
        """Whether the time for sends is over."""
        return self._shared.clock() >= self._last_send_at

    async def next(self, again: Again | None) -> Lease:
        """Lease an account for the first send, or for the one that the plan wants. Raises `NoAccountError`."""
        lease = await self._next(again)
        self._asked.append(lease.account)
        return lease

    async def _next(self, again: Again | None) -> Lease:
        if again is None:
            # The account that has the conversation's chat, if there is one: any other one must be sent all of it.
            return await self._lease(self._task.kinds, self._task.sticky_account_id)
        if again.where is not Where.SAME:
            try:
                return await self._lease(
                    again.kinds,
                    self._task.sticky_account_id,
                    again.exclude,
                    # Where the same account would do, another one must be free at once.
                    is_patient=again.where is not Where.OTHER_OR_SAME,
                )
            except NoAccountError:
                if again.where is not Where.OTHER_OR_SAME:
                    raise
            # Only the account that failed needs the pause.
            await asyncio.sleep(again.wait_seconds)
        # The release has given the account the wait that its failure calls for, so that it may have to be waited for.
        others = again.exclude - {again.account_id}
        return await self._lease(again.kinds, again.account_id, others, waits_for_cooldown=True)

    async def _lease(
        self,
        kinds: tuple[AccountKind, ...],
        preferred: str | None,
        exclude: frozenset[str] = frozenset(),
        *,
        is_patient: bool = True,
        waits_for_cooldown: bool = False,
    ) -> Lease:
        """Lease an account, waiting a little while all able ones are busy. What it may spend is reserved first."""
        budget = self._record.budget
        ticket = Ticket(secrets.token_hex(16), UNKNOWN_PRICE, None)
        if budget is not None:
            ticket = await budget.reserve(
                prompt_tokens=self._task.prompt_tokens,
                max_tokens=self._task.max_tokens,
                is_first=not self._has_ticket,
                price_of=self._task.price,
            )
        self._has_ticket = True
        # Reserved before the lease: two requests of a key must not both spend the last of its budget.
        request = LeaseRequest(
            # Never the caller's request id, which a caller may send twice: the owner frees the slot.
            owner=ticket.owner,
            bot=self._task.model.lower(),
            ttl_seconds=self._shared.policy.lease_ttl_seconds,
            kinds=kinds,
            sticky_account_id=preferred,
            exclude=exclude,
            intention=Intention(
                key_id=self._task.key_id,
                model=self._task.model.lower(),
                surface=self._record.surface,
                request_id=self._record.request_id,
                attempt=len(self._asked) + 1,
                estimate=ticket.price.points,
                usd=ticket.price.usd,
                reserved=ticket.reserved,
            ),
        )
        try:
            return await self._wait_for(request, is_patient=is_patient, waits_for_cooldown=waits_for_cooldown)
        # Cancellation included: a reservation without a lease would keep the key's budget for an hour.
        except BaseException:
            if budget is not None and ticket.reserved is not None:
                await to_the_end(budget.give_back(ticket), name="give-back")
            raise

    async def _wait_for(self, request: LeaseRequest, *, is_patient: bool, waits_for_cooldown: bool) -> Lease:
        shared = self._shared
        give_up_at = shared.clock() + (shared.policy.account_wait_seconds if is_patient else 0.0)
        looks = 0
        while True:
            try:
                return await shared.store.lease(request)
            except NoAccountError as error:
                wait = _WAITS_SECONDS[min(looks, len(_WAITS_SECONDS) - 1)]
                passes = error.reason is NoAccountReason.BUSY
                if waits_for_cooldown and error.retry_at is not None:
                    # `retry_at` is a time of the store, on the wall clock; the bound of the waiting is on the monotonic
                    # one.
                    wait = max(wait, error.retry_at - shared.now())
                    passes = True
                # Given up before a wait that would be too long: nothing is gained by making the caller wait for the
                # same error.
                if not passes or shared.clock() + wait > give_up_at:
                    raise
            looks += 1
            await asyncio.sleep(wait)

    async def explain(self, none: NoAccountError, failure: Exception | None) -> Exception:
        """What to raise where no account is left: that, or the failure before it, whichever tells more."""
        # "There is no account" would be wrong where there are some of the other kind.
        if failure is None and none.reason is NoAccountReason.NONE_CONFIGURED and await self._has_other_kinds():
            wanted = " or ".join(f"'{kind.value}'" for kind in self._task.kinds)
            message = f"This request needs an account of kind {wanted}, and there is none. /admin/accounts adds one."
            return GatewayError(WRONG_KIND, message)
        if not isinstance(failure, PoeError):
            return none if failure is None else failure
        if failure.code is ErrorCode.INSUFFICIENT_POINTS:
            return self._explain_points(none, failure)
        if failure.code is ErrorCode.RATE_LIMITED and failure.retry_after_seconds is None:
            free_at = await self._free_at()  # Poe did not say until when; the store knows.
            return failure if free_at is None else NoAccountError(NoAccountReason.COOLING_DOWN, free_at)
        # An account of the API that was not asked may do what the other one does not offer, once it is free. Nobody
        # waits hours for a feature: an account that is that long away is one that was refused the bot.
        if failure.code is ErrorCode.UNSUPPORTED_FEATURE and none.reason not in _NEVER:
            retry_at = none.retry_at
            is_soon = retry_at is not None and retry_at - self._shared.now() <= MAX_RETRY_AFTER_SECONDS
            return none if is_soon or none.reason is NoAccountReason.BUSY else failure
        return failure

    async def _has_other_kinds(self) -> bool:
        """Whether there are accounts at all, where none of the wanted kind was found."""
        if set(self._task.kinds) == set(AccountKind):
            return False
        try:
            return bool((await self._shared.store.list_accounts(limit=1)).items)
        # Only the wording of an error depends on it.
        except AccountStoreError:
            return False

    async def _free_at(self) -> float | None:
        """When the first of the asked accounts may be asked again, if they wait."""
        try:
            accounts = [await self._shared.store.get_account(account.id) for account in self._asked]
        except AccountStoreError:
            return None
        return min(
            (account.eligible_at for account in accounts if account.eligible_at > self._shared.now()), default=None
        )

    def _explain_points(self, none: NoAccountError, failure: PoeError) -> Exception:
        if none.reason is NoAccountReason.BUSY or none.retry_at is not None:
            return none  # Points are not what all accounts lack, or it is known when one has them again.
        grant = _first_grant(self._asked)
        return failure if grant is None else NoAccountError(NoAccountReason.NO_POINTS, grant)


def _first_grant(accounts: Sequence[Account]) -> float | None:
    grants = [account.points.next_grant_at for account in accounts if account.points is not None]
    return min((grant for grant in grants if grant is not None), default=None)
