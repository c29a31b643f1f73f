"""The account store in DynamoDB: leases on top of accounts, ledger and records.

What a chat costs: one query finds a page of accounts together with their sealed credentials, one conditional put takes
a slot, which holds what the lease is about to spend; at the end one transaction gives the slot back, writes the ledger
entry and applies the outcome. A key with a budget takes one conditional update before and one after.

    lease    Query selectable      →  Put SLOT#k if free
       or    Put SLOT#k if free    ∥  Get META, of a remembered account
    release  TransactWriteItems    :  Delete SLOT#k if ours · Put LEDGER#day · Update META if unchanged

The account is the only item of the transaction that others write, too. Where they do, the booking goes first and alone,
and the account follows by itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import field
from typing import Any

from accounts import _keys, _selection
from accounts._account_model import AccountKind
from accounts._at_once import at_once
from accounts._dynamodb_slots import DynamoDBSlots, OutdatedError
from accounts._exceptions import NoAccountError, SealBrokenError, StoreUnavailableError
from accounts._items import Item
from accounts._lease_model import Lease, LeaseRequest
from accounts._table import MAX_BATCH_GET, Found, Table
from accounts._transitions import DEFAULT_POLICY, Policy
from accounts._vault import Vault
from lazy_dataclasses import dataclass

PAGE = 25
# Of a page that holds many who may not use the bot, only the others are returned.
WIDE_PAGE = 1_000
MAX_PAGES = 6
MAX_ATTEMPTS = 12
# A kind of which there was no account to be had is asked last for so long.
ABSENT_SECONDS = 30.0

MAY_USE_THE_BOT = "attribute_not_exists({bot_limits}.{bot}) OR {bot_limits}.{bot}.{until} <= :now"
MAY_BE_SUBSCRIBED = "attribute_not_exists({subscribed}) OR {subscribed} = :yes"


@dataclass(slots=True)
class _Search:
    """What one call of `lease` has seen so far."""

    request: LeaseRequest
    refusals: _selection.Refusals
    attempts: int = 0
    pages: int = 0
    is_wide: bool = False
    """Whether to leave out accounts that may not use the bot: a whole page of them was seen."""
    tried: set[str] = field(default_factory=set)

    @property
    def now(self) -> float:
        return self.refusals.now

    def candidates(self, items: list[Item]) -> dict[str, Item]:
        """Those of a page that may be tried now; the others are remembered for the refusal."""
        accounts = [(_keys.account_of(item), item) for item in items]
        return {
            account.id: item
            for account, item in accounts
            if account.id not in self.tried and self.refusals.admits(account)
        }


class DynamoDBAccountStore(DynamoDBSlots):
    """Keeps the contract of `AccountStore` in one DynamoDB table, for any number of processes at once."""

    def __init__(
        self,
        table: Table,
        vault: Vault,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        policy: Policy = DEFAULT_POLICY,
        connect: Callable[[str, int], Awaitable[None]] | None = None,
        on_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(table, vault, clock=clock, rng=rng, policy=policy)
        self._connect_to = connect
        self._on_close = on_close

    async def prepare(self) -> None:
        async with at_once() as group:
            group.create_task(self._connect())
            group.create_task(self.remember_accounts())

    async def remember_accounts(self) -> None:
        now = self._clock()
        # A page of a larger fleet would not do: every account has its share of the uses.
        if not self._remembered.is_due(now) or sum(self._fleet.values()) > PAGE:
            return
        reading = self._remembered.begin()
        try:
            found = await self._table.query(
                "{sel_pk} = :partition",
                index=_keys.SELECTABLE_INDEX,
                limit=PAGE,
                partition=_keys.SELECTABLE_PARTITION,
            )
            if found.next_key is None:
                self._remembered.learn(reading, found.items, now)
        except StoreUnavailableError:
            pass  # the lease finds out by itself
        finally:
            self._remembered.end(reading)

    async def lease(self, request: LeaseRequest) -> Lease:
        if lease := await self._lease_remembered(request):
            return lease
        search = _Search(request, _selection.Refusals(request, self._clock()))
        # Read by its key: a query of the index might not come across it.
        if request.sticky_account_id is not None:
            item = await self._table.get(_keys.account(request.sticky_account_id))
            if lease := await self._lease_from([item] if item else [], search):
                return lease
        async with aclosing(self._pages(search)) as pages:
            async for items in pages:
                if lease := await self._lease_from(items, search):
                    return lease
        raise await self._refusal(search)

    async def aclose(self) -> None:
        if self._on_close is not None:
            await self._on_close()

    async def _connect(self) -> None:
        if self._connect_to is None:
            return
        # A web account has session data beside its credentials, which a lease unseals at the same time.
        unseals = 2 if AccountKind.WEB in self.known_kinds() else 1
        # A second one to the table, which a lease writes to and reads from at the same time.
        await asyncio.gather(self._connect_to("dynamodb", 1), self._connect_to("kms", unseals))

    async def _lease_remembered(self, request: LeaseRequest) -> Lease | None:
        """A lease of a remembered account; `None` if there is none, or the one that was chosen is not as it was."""
        now = self._clock()
        refusals = _selection.Refusals(request, now)
        candidates = [account for account in self._remembered.accounts(now) if refusals.admits(account)]
        if request.sticky_account_id is not None:
            candidates = [account for account in candidates if account.id == request.sticky_account_id]
        for account in _selection.order(candidates, request, self._rng):
            if free := self._own_slots.free(account.id, account.max_concurrency, now):
                item = self._remembered.item(account.id)
                with suppress(OutdatedError, SealBrokenError):
                    if lease := await self._take(item, account, self._rng.choice(free), request, is_remembered=True):
                        return lease
                # One attempt: others are at work, and the query knows more.
                self._remembered.forget()
                break
        return None

    async def _pages(self, search: _Search) -> AsyncGenerator[list[Item], None]:
        """Accounts whose time has come, page by page, the preferred kind first."""
        known = set(self._fleet)
        ranges = self._ranges(search)
        while ranges:
            low, high = ranges.pop(0)
            after: Mapping[str, Any] | None = None
            while True:
                # Bounded: a request does not read a whole fleet, and each page is paid for.
                if search.pages >= MAX_PAGES:
                    search.refusals.is_partial = True
                    return
                found = await self._page(low, high, after, search)
                search.pages += 1
                if after is None:
                    self._learn(low, found, search.now)
                if found.next_key is not None and set(self._fleet) != known:
                    # The first look at a fleet that turns out to be large: its first page is no fair sample.
                    known, ranges = set(self._fleet), self._ranges(search)
                    break
                if found.items:
                    yield found.items
                if (after := found.next_key) is None:
                    break

    async def _page(self, low: float, high: float, after: Mapping[str, Any] | None, search: _Search) -> Found:
        names = {"bot": search.request.bot.lower()}
        options: dict[str, Any] = {"limit": PAGE}
        if search.is_wide:
            options = {"limit": WIDE_PAGE, "only": MAY_USE_THE_BOT, "names": names, "now": search.now}
        if search.request.subscribed_only:
            only = f"({MAY_USE_THE_BOT}) AND ({MAY_BE_SUBSCRIBED})"
            options = {"limit": WIDE_PAGE, "only": only, "names": names, "now": search.now, "yes": True}
        return await self._table.query(
            "{sel_pk} = :partition AND {eligible_at} BETWEEN :low AND :high",
            index=_keys.SELECTABLE_INDEX,
            after=after,
            partition=_keys.SELECTABLE_PARTITION,
            low=low,
            high=high,
            **options,
        )

    def _learn(self, low: float, found: Found, now: float) -> None:
        """Remember of which kinds there is nobody, and which do not fit one page."""
        # More than a page: whatever was counted, searches must begin at random places.
        if found.next_key is not None and found.items:
            kind = AccountKind(found.items[-1]["kind"])
            self._fleet[kind] = max(self._fleet.get(kind, 0), PAGE + 1)
        first = found.items[0]["eligible_at"] if found.items else None
        for kind in AccountKind:
            begin, end = _keys.places_of(kind)
            if low == begin and (first is None or first >= end):
                self._absent_until[kind] = now + ABSENT_SECONDS

    def _ranges(self, search: _Search) -> list[tuple[float, float]]:
        """The places to look at, in turn.

        A kind that fits one page is read from the start, together with a neighbour. One that does not is read from a
        random place on and then from the start, so that every account has the same chance to be on the first page,
        whatever a sandbox has seen before. Accounts that waited keep the place of their wait until they are used or
        read again, so they come last.
        """
        request = search.request

        def is_absent(kind: AccountKind) -> bool:
            return self._absent_until.get(kind, 0.0) > search.now or self._fleet.get(kind) == 0

        # Stable: among the present and among the absent kinds the request's preference stays.
        kinds = sorted(request.kinds, key=is_absent)
        ranges: list[tuple[float, float]] = []
        for kind in kinds:
            low, high = _keys.places_of(kind)
            if self._fleet.get(kind, 0) > PAGE:
                start = low + (high - low) * self._rng.random()
                ranges += [(start, high), (low, start)]
            else:
                _append_joined(ranges, low, high)
        _append_joined(ranges, _keys.PLACES_END, search.now)
        return ranges

    async def _lease_from(self, items: list[Item], search: _Search) -> Lease | None:
        """A lease of one of these accounts, or `None`; `search` remembers why."""
        found = search.candidates(items)
        # A whole page of accounts that may not use the bot: the next ones are filtered by DynamoDB.
        if items and not found and len(items) >= PAGE:
            search.is_wide = True
        taken: set[tuple[str, int]] = set()
        accounts = [_keys.account_of(item) for item in found.values()]
        for account in _selection.order(accounts, search.request, self._rng, is_sample=len(items) >= PAGE):
            search.tried.add(account.id)
            try:
                while free := [
                    number
                    for number in self._own_slots.free(account.id, account.max_concurrency, search.now)
                    if (account.id, number) not in taken
                ]:
                    if search.attempts >= MAX_ATTEMPTS:
                        break
                    search.attempts += 1
                    # At random, because sandboxes that all take the first free slot collide every time.
                    slot = self._rng.choice(free)
                    if lease := await self._take(found[account.id], account, slot, search.request):
                        return lease
                    # The first collision pays for a look at all slots, so that the rest is not guesswork.
                    if not taken:
                        taken = await self._taken_slots(accounts, search.now)
                    taken.add((account.id, slot))
            except SealBrokenError:
                continue  # It concerns this account alone, and its readings fail, too, where operators see it.
            search.refusals.has_busy = True
        return None

    async def _refusal(self, search: _Search) -> NoAccountError:
        """The reason why there was no account, with a look at those whose time is still to come."""
        refusals = search.refusals
        # The best reason there is: a slot becomes free within seconds.
        if refusals.has_busy:
            return refusals.error()
        found = await self._table.query(
            "{sel_pk} = :partition AND {eligible_at} > :now",
            index=_keys.SELECTABLE_INDEX,
            limit=PAGE,
            partition=_keys.SELECTABLE_PARTITION,
            now=search.now,
        )
        search.candidates(found.items)
        # The list of accounts is read only where nothing else explains it.
        is_explained = refusals.free_at or refusals.has_excluded or refusals.is_partial
        return refusals.error(() if is_explained else (await self.list_accounts(limit=MAX_BATCH_GET)).items)


def _append_joined(ranges: list[tuple[float, float]], low: float, high: float) -> None:
    """Add a range, as a part of the one before where that is its neighbour."""
    if ranges and ranges[-1][1] == low and low > 0:
        ranges[-1] = (ranges[-1][0], high)
    else:
        ranges.append((low, high))
