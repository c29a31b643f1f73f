"""The account store in DynamoDB: leases on top of accounts and records.

What a chat costs: one query finds a page of accounts together with their sealed credentials, one conditional put takes
a slot; at the end one transaction gives it back, applies the outcome and books the usage. More only where slots are
contested, or an account failed.

    lease    Query selectable      →  Put SLOT#k if free, expired, or already ours
    release  TransactWriteItems    :  Delete SLOT#k if ours · Update META if unchanged · Add to USAGE#day
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from accounts import _keys, _selection
from accounts._dynamodb_accounts import MAX_RACES, DynamoDBAccounts
from accounts._exceptions import AccountStoreError, ConflictError, SealBrokenError
from accounts._items import Item
from accounts._model import Account, AccountKind, Lease, LeaseRequest, Outcome, Usage
from accounts._table import MAX_BATCH_GET, ConditionFailed, Found, Table, Write, delete, put, update
from accounts._transitions import DEFAULT_POLICY, Policy, apply_outcome, bot_limit_until
from accounts._vault import Vault

PAGE = 25
# With fewer to choose from at the end of a kind's places, the search goes on at their start.
ENOUGH_CHOICE = 5
MAX_PAGES = 4
MAX_ATTEMPTS = 12
# A kind of which there was no account to be had is asked last for so long.
ABSENT_SECONDS = 30.0
# A use only moves `last_used_at` if that is older: one write less for a busy account.
USE_GRANULARITY_SECONDS = 60.0

# A slot may be taken when nobody has it, when its holder's time is over (TTL deletes late), or when this very call
# took it and only the answer was lost.
SLOT_IS_FREE = "attribute_not_exists({pk}) OR {until} <= :now OR ({owner} = :owner AND {until} = :until)"
SLOT_IS_OURS = "{owner} = :owner"
SLOT_IS_THIS_CALLS = "{owner} = :owner AND {until} = :until"
# Whoever cancels a call waits so long at most for what it has begun to be undone.
UNDO_SECONDS = 5.0


@dataclass(slots=True)
class _Search:
    """What one call of `lease` has seen so far."""

    request: LeaseRequest
    now: float
    attempts: int = 0
    has_busy: bool = False
    has_excluded: bool = False
    limits: list[_selection.BotLimit] = field(default_factory=list)
    waiting: list[Account] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)

    def candidates(self, items: list[Item]) -> dict[str, Item]:
        """Those of a page that may be tried now; the others are remembered for the refusal."""
        found: dict[str, Item] = {}
        for item in items:
            account = _keys.account_of(item)
            if not _selection.is_able(account, self.request) or account.id in self.tried:
                continue
            if account.id in self.request.exclude:
                self.has_excluded = True
            elif account.eligible_at > self.now:
                self.waiting.append(account)
            else:
                found[account.id] = item
        return found


class DynamoDBAccountStore(DynamoDBAccounts):
    """Keeps the contract of `AccountStore` in one DynamoDB table, for any number of processes at once."""

    def __init__(
        self,
        table: Table,
        vault: Vault,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        policy: Policy = DEFAULT_POLICY,
        on_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(table, vault, clock=clock, rng=rng, policy=policy)
        self._on_close = on_close
        self._continue_at: dict[AccountKind, float] = {}
        self._absent_until: dict[AccountKind, float] = {}

    async def lease(self, request: LeaseRequest) -> Lease:
        search = _Search(request, self._clock())
        if request.sticky_account_id is not None:
            item = await self._table.get(_keys.account(request.sticky_account_id))
            if lease := await self._lease_from([item] if item else [], search):
                return lease
        async with aclosing(self._pages(search)) as pages:
            async for items in pages:
                if lease := await self._lease_from(items, search):
                    return lease
        raise await self._refusal(search)

    async def extend(self, lease: Lease, ttl_seconds: float) -> Lease:
        until = self._clock() + ttl_seconds
        renewal = update(
            _keys.slot(lease.account.id, lease.slot),
            "SET {until} = :until, {expires_at} = :expires_at",
            SLOT_IS_OURS,
            owner=lease.owner,
            **_keys.lifetime(until),
        )
        try:
            await self._table.write(renewal)
        except ConditionFailed as error:
            raise ConflictError("the lease was lost") from error
        return replace(lease, expires_at=until)

    async def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        usage: Usage | None = None,
        session_data: Mapping[str, Any] | None = None,
    ) -> None:
        now = self._clock()
        account_id = lease.account.id
        session = await self._sealed_session(account_id, session_data)
        account: Account | None = lease.account
        give_back = delete(_keys.slot(account_id, lease.slot), SLOT_IS_OURS, owner=lease.owner)
        is_held = True
        booking = [self._booking(usage, now)] if usage is not None else []
        for _ in range(MAX_RACES):
            changes: list[Write] = []
            if account is not None and account.credentials_version == lease.account.credentials_version:
                changes = self._outcome_writes(account, outcome, session, now)
            writes = [*([give_back] if is_held else []), *booking, *changes]
            try:
                if writes:
                    await self._table.write(*writes)
            except ConditionFailed as failed:
                item = await self._table.get(_keys.account(account_id))
                account = _keys.account_of(item) if item else None
                if is_held and 0 in failed.found:
                    if account is not None and lease.expires_at > now:
                        return  # Released before. Else the slot expired, or went with its account.
                    is_held = False
                continue
            return
        raise ConflictError("the account is being changed by others all the time")

    async def aclose(self) -> None:
        if self._on_close is not None:
            await self._on_close()

    async def _pages(self, search: _Search) -> AsyncGenerator[list[Item], None]:
        """Accounts whose time has come, page by page, the preferred kind first."""
        pages = 0
        for group in self._groups(search):
            held_back: list[Item] = []
            for low, high in group:
                after: Mapping[str, Any] | None = None
                while pages < MAX_PAGES:
                    found = await self._page(low, high, after)
                    pages += 1
                    if after is None:
                        self._learn(low, found, search.now)
                    held_back += found.items
                    # The few at the end of a kind's places would be asked too often if they were the only choice.
                    if len(held_back) >= ENOUGH_CHOICE:
                        yield held_back
                        held_back = []
                    if (after := found.next_key) is None:
                        break
            if held_back:
                yield held_back

    async def _page(self, low: float, high: float, after: Mapping[str, Any] | None) -> Found:
        return await self._table.query(
            "{sel_pk} = :partition AND {eligible_at} BETWEEN :low AND :high",
            index=_keys.SELECTABLE_INDEX,
            limit=PAGE,
            after=after,
            partition=_keys.SELECTABLE_PARTITION,
            low=low,
            high=high,
        )

    def _learn(self, low: float, found: Found, now: float) -> None:
        """Remember where to go on, and of which kinds there was nobody."""
        if found.next_key is not None:
            last = found.items[-1]
            self._continue_at[AccountKind(last["kind"])] = float(last["eligible_at"])
        first = found.items[0]["eligible_at"] if found.items else None
        for kind in AccountKind:
            begin, end = _keys.places_of(kind, subscribed_only=False)
            if low == begin and (first is None or first >= end):
                self._absent_until[kind] = now + ABSENT_SECONDS

    def _groups(self, search: _Search) -> list[list[tuple[float, float]]]:
        """The places to look at, in turn.

        A kind that fits one page is read from the start, together with a neighbour. One that does not is read on from
        where the page before ended, then from the start: so the requests of a sandbox go round the whole fleet, while
        every change moves an account to another place. Accounts that waited keep the place of their wait until they
        are used or read again, so they come last.
        """
        request = search.request
        kinds = sorted(request.kinds, key=lambda kind: self._absent_until.get(kind, 0.0) > search.now)
        groups: list[list[tuple[float, float]]] = []
        for kind in kinds:
            low, high = _keys.places_of(kind, subscribed_only=request.subscribed_only)
            start = self._continue_at.pop(kind, low)
            if low < start < high:
                groups.append([(start, high), (low, start)])
            else:
                _append_joined(groups, low, high)
        _append_joined(groups, _keys.PLACES_END, search.now)
        return groups

    async def _lease_from(self, items: list[Item], search: _Search) -> Lease | None:
        """A lease of one of these accounts, or `None`; `search` remembers why."""
        found = search.candidates(items)
        limits: dict[str, _selection.BotLimit] | None = None
        taken: set[tuple[str, int]] = set()
        accounts = [_keys.account_of(item) for item in found.values()]
        for account in _selection.order(accounts, search.request, search.now, self._rng):
            search.tried.add(account.id)
            if limits is None and _may_be_limited(found[account.id], search.now):
                limits = await self._limits(found.values(), search)
            if limits and account.id in limits:
                search.limits.append(limits[account.id])
                continue
            try:
                while free := [n for n in range(account.max_concurrency) if (account.id, n) not in taken]:
                    if search.attempts >= MAX_ATTEMPTS:
                        break
                    search.attempts += 1
                    slot = self._rng.choice(free)
                    if lease := await self._take(found[account.id], account, slot, search):
                        return lease
                    # The first collision pays for a look at all slots, so that the rest is not guesswork.
                    if not taken:
                        taken = await self._taken_slots(accounts, search.now)
                    taken.add((account.id, slot))
            except SealBrokenError:
                continue  # It concerns this account alone, and its readings fail, too, where operators see it.
            search.has_busy = True
        return None

    async def _take(self, item: Item, account: Account, slot: int, search: _Search) -> Lease | None:
        request, until = search.request, search.now + search.request.ttl_seconds
        # Unsealing comes first: if it fails, no slot is held for nothing.
        credentials, session_data = await self._unseal(item)
        holding = {**_keys.slot(account.id, slot), "owner": request.owner, **_keys.lifetime(until)}
        taking = asyncio.create_task(
            self._table.write(put(holding, SLOT_IS_FREE, now=search.now, owner=request.owner, until=until))
        )
        try:
            await asyncio.shield(taking)
        except ConditionFailed:
            return None
        except asyncio.CancelledError:
            undoing = asyncio.create_task(self._undo_taking(taking, _keys.slot(account.id, slot), request.owner, until))
            # Whoever is in a hurry may cancel again.
            while not undoing.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({undoing})
            raise
        return Lease(
            account=account,
            slot=slot,
            owner=request.owner,
            expires_at=until,
            credentials=credentials,
            session_data=session_data,
        )

    async def _undo_taking(self, taking: asyncio.Task[None], slot: _keys.Key, owner: str, until: float) -> None:
        """Free a slot that AWS was asked for already, and may have given. If it can't be done, the slot expires."""
        try:
            async with asyncio.timeout(UNDO_SECONDS):
                await taking
                await self._table.write(delete(slot, SLOT_IS_THIS_CALLS, owner=owner, until=until))
        except (AccountStoreError, ConditionFailed, TimeoutError):
            pass

    async def _taken_slots(self, accounts: Collection[Account], now: float) -> set[tuple[str, int]]:
        """Account id and number of the slots that are held, as far as one batch can tell."""
        slots = [(account.id, number) for account in accounts for number in range(account.max_concurrency)]
        items = await self._table.get_many([_keys.slot(*slot) for slot in slots[:MAX_BATCH_GET]])
        held = {(item["pk"], item["sk"]) for item in items if item["until"] > now}
        return {slot for slot in slots if tuple(_keys.slot(*slot).values()) in held}

    async def _limits(self, items: Collection[Item], search: _Search) -> dict[str, _selection.BotLimit]:
        """The limits for the wanted bot among accounts that have limits at all, by account id."""
        bot = search.request.bot
        limited = {
            _keys.bot_limit(item["account_id"], bot)["pk"]: item for item in items if _may_be_limited(item, search.now)
        }
        rows = await self._table.get_many([_keys.bot_limit(item["account_id"], bot) for item in limited.values()])
        return {
            limited[row["pk"]]["account_id"]: _selection.BotLimit(float(row["until"]), row["code"])
            for row in rows
            if row["until"] > search.now and row["credentials_version"] == limited[row["pk"]]["credentials_version"]
        }

    def _outcome_writes(self, account: Account, outcome: Outcome, session: Item, now: float) -> list[Write]:
        """The writes that apply an outcome and keep session data; none where nothing would change that matters."""
        after = apply_outcome(account, outcome, now, jitter=self._rng.random(), policy=self._policy)
        writes, extra = [], dict(session)
        until = bot_limit_until(account, outcome, now, policy=self._policy)
        if outcome.bot is not None and until is not None:
            limit = {"code": outcome.code, "credentials_version": account.credentials_version, **_keys.lifetime(until)}
            writes.append(put({**_keys.bot_limit(account.id, outcome.bot), **limit}))
            extra["limits_until"] = now + self._policy.max_bot_limit_seconds
        if replace(after, last_used_at=account.last_used_at) != account:
            after = replace(after, version=account.version + 1, updated_at=now)
        elif not extra and now - (account.last_used_at or 0.0) < USE_GRANULARITY_SECONDS:
            return writes
        return [*writes, self._save(account, after, now, extra)]

    async def _refusal(self, search: _Search) -> Exception:
        """The reason why there was no account, with a look at those whose time is still to come."""
        if not search.has_busy:
            found = await self._table.query(
                "{sel_pk} = :partition AND {eligible_at} > :now",
                index=_keys.SELECTABLE_INDEX,
                limit=PAGE,
                partition=_keys.SELECTABLE_PARTITION,
                now=search.now,
            )
            search.candidates(found.items)
        return _selection.refusal(
            waiting=search.waiting,
            limits=search.limits,
            has_busy=search.has_busy,
            has_excluded=search.has_excluded,
            now=search.now,
            policy=self._policy,
        )


def _append_joined(groups: list[list[tuple[float, float]]], low: float, high: float) -> None:
    """Add a range, as a part of the one before where that is its neighbour."""
    if groups and len(groups[-1]) == 1 and groups[-1][0][1] == low:
        groups[-1] = [(groups[-1][0][0], high)]
    else:
        groups.append([(low, high)])


def _may_be_limited(item: Item, now: float) -> bool:
    return bool(item.get("limits_until", 0.0) > now)
