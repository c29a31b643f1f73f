"""The account store in this process's memory: for tests, and for runs that keep nothing."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from accounts import _selection
from accounts._exceptions import AccountNotFoundError, ConflictError
from accounts._identity import check_account_id, new_account_id, normal_label
from accounts._memory_records import InMemoryRecords, page_of
from accounts._model import (
    Account,
    AccountKind,
    AccountState,
    Claim,
    Lease,
    LeaseRequest,
    Outcome,
    Page,
    Reading,
    Usage,
)
from accounts._transitions import (
    DEFAULT_POLICY,
    Policy,
    apply_outcome,
    apply_reading,
    bot_limit_until,
    change_state,
    new_account,
    replace_credentials,
)
from accounts._vault import PlainVault


@dataclass(slots=True)
class _Row:
    """An account with what belongs to it."""

    account: Account
    credentials: bytes = field(repr=False)
    session_data: bytes | None = field(default=None, repr=False)
    session_at: float = 0.0
    claimed_until: float = 0.0
    slots: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Owner and expiry of each slot taken."""
    limits: dict[str, _selection.BotLimit] = field(default_factory=dict)


class InMemoryAccountStore(InMemoryRecords):
    """Keeps the contract of `AccountStore` for one event loop. No method waits, so each one is atomic."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        super().__init__(clock=clock)
        # Spreading load is no secret.
        self._rng = rng or random.Random()  # noqa: S311
        self._policy = policy
        self._vault = PlainVault()
        self._rows: dict[str, _Row] = {}

    async def put_account(
        self,
        *,
        kind: AccountKind,
        label: str,
        credentials: Mapping[str, str],
        account_id: str | None = None,
        max_concurrency: int = 2,
    ) -> Account:
        now = self._clock()
        holder = self._id_of(kind, label)
        if account_id is not None and holder not in (None, account_id):
            raise ConflictError("another account has this kind and label")
        account_id = account_id or holder or new_account_id()
        check_account_id(account_id)
        sealed = await self._vault.seal(credentials, account_id=account_id, purpose="credentials")
        row = self._rows.get(account_id)
        if row is None:
            account = new_account(account_id, kind, label, now, max_concurrency=max_concurrency)
            self._rows[account_id] = _Row(account, sealed)
            return account
        row.credentials, row.session_data, row.limits, row.claimed_until = sealed, None, {}, 0.0
        after = replace_credentials(row.account, now, kind=kind, label=label, max_concurrency=max_concurrency)
        return self._save(row, after)

    async def get_account(self, account_id: str) -> Account:
        return self._row(account_id).account

    async def list_accounts(self, *, limit: int = 50, cursor: str | None = None) -> Page[Account]:
        return page_of({row.account.id: row.account for row in self._rows.values()}, limit, cursor)

    async def set_account_state(self, account_id: str, state: AccountState) -> Account:
        row = self._row(account_id)
        return self._save(row, change_state(row.account, state, self._clock()))

    async def delete_account(self, account_id: str) -> None:
        self._rows.pop(account_id, None)

    async def read_credentials(self, account_id: str) -> tuple[Account, Mapping[str, str], Mapping[str, Any] | None]:
        row = self._row(account_id)
        return row.account, *await self._unseal(row)

    async def count_eligible(self, *, at_most: int = 100) -> int:
        now = self._clock()
        everybody = LeaseRequest(owner="", bot="", ttl_seconds=0)
        eligible = (row for row in self._rows.values() if _selection.is_candidate(row.account, everybody, now))
        return sum(1 for _, _ in zip(range(at_most), eligible, strict=False))

    async def lease(self, request: LeaseRequest) -> Lease:
        now = self._clock()
        able = [row.account for row in self._rows.values() if _selection.is_able(row.account, request)]
        candidates = [account for account in able if _selection.is_candidate(account, request, now)]
        limits, has_busy = [], False
        for account in _selection.order(candidates, request, now, self._rng):
            row = self._rows[account.id]
            limit = row.limits.get(request.bot.lower())
            if limit is not None and limit.until > now:
                limits.append(limit)
                continue
            free = [slot for slot in range(account.max_concurrency) if row.slots.get(slot, ("", 0.0))[1] <= now]
            if free:
                return await self._take(row, self._rng.choice(free), request, now)
            has_busy = True
        raise _selection.refusal(
            waiting=[account for account in able if account.eligible_at > now and account.id not in request.exclude],
            limits=limits,
            has_busy=has_busy,
            has_excluded=any(account.id in request.exclude for account in able),
            now=now,
            policy=self._policy,
        )

    async def extend(self, lease: Lease, ttl_seconds: float) -> Lease:
        row = self._rows.get(lease.account.id)
        if row is None or row.slots.get(lease.slot, ("", 0.0))[0] != lease.owner:
            raise ConflictError("the lease was lost")
        extended = replace(lease, expires_at=self._clock() + ttl_seconds)
        row.slots[lease.slot] = (lease.owner, extended.expires_at)
        return extended

    async def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        usage: Usage | None = None,
        session_data: Mapping[str, Any] | None = None,
    ) -> None:
        now = self._clock()
        row = self._rows.get(lease.account.id)
        is_held = row is not None and row.slots.get(lease.slot, ("", 0.0))[0] == lease.owner
        if row is not None and not is_held and lease.expires_at > now:
            return  # Released before.
        if usage is not None:
            self._book(usage, now)
        if row is None:
            return
        if is_held:
            del row.slots[lease.slot]
        if row.account.credentials_version != lease.account.credentials_version:
            return  # What happened to the old credentials says nothing about the new ones.
        until = bot_limit_until(row.account, outcome, now, policy=self._policy)
        if outcome.bot is not None and until is not None:
            row.limits[outcome.bot.lower()] = _selection.BotLimit(until, outcome.code)
        await self._keep_session(row, session_data)
        self._save(row, apply_outcome(row.account, outcome, now, jitter=self._rng.random(), policy=self._policy))

    async def due_accounts(self, *, now: float, limit: int = 1000) -> AsyncIterator[str]:
        accounts = [row.account for row in self._rows.values() if row.account.state is not AccountState.DISABLED]
        due = sorted((account.refresh_due_at, account.id) for account in accounts if account.refresh_due_at <= now)
        for _, account_id in due[:limit]:
            yield account_id

    async def claim_refresh(self, account_id: str, *, now: float, lease_seconds: float, force: bool = False) -> bool:
        row = self._rows.get(account_id)
        if row is None:
            return False
        if row.claimed_until > now or not (force or row.account.refresh_due_at <= now):
            return False
        row.claimed_until = now + lease_seconds
        row.account = replace(row.account, refresh_due_at=now + lease_seconds)
        return True

    async def claim_reading(
        self, account_id: str, *, now: float, lease_seconds: float, force: bool = False
    ) -> Claim | None:
        if not await self.claim_refresh(account_id, now=now, lease_seconds=lease_seconds, force=force):
            return None
        account, credentials, session_data = await self.read_credentials(account_id)
        return Claim(account=account, credentials=credentials, session_data=session_data)

    async def record_reading(
        self,
        account_id: str,
        reading: Reading | Outcome,
        *,
        session_data: Mapping[str, Any] | None = None,
        credentials_version: int | None = None,
        claimed: Account | None = None,
    ) -> Account:
        row = self._row(account_id)
        credentials_version = credentials_version or (claimed.credentials_version if claimed else None)
        if credentials_version not in (None, row.account.credentials_version):
            return row.account
        row.claimed_until = 0.0
        await self._keep_session(row, session_data)
        after = apply_reading(row.account, reading, self._clock(), jitter=self._rng.random(), policy=self._policy)
        return self._save(row, after)

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def _take(self, row: _Row, slot: int, request: LeaseRequest, now: float) -> Lease:
        expires_at = now + request.ttl_seconds
        row.slots[slot] = (request.owner, expires_at)
        credentials, session_data = await self._unseal(row)
        return Lease(
            account=row.account,
            slot=slot,
            owner=request.owner,
            expires_at=expires_at,
            credentials=credentials,
            session_data=session_data,
        )

    async def _unseal(self, row: _Row) -> tuple[dict[str, Any], dict[str, Any] | None]:
        account_id = row.account.id
        credentials = await self._vault.unseal(row.credentials, account_id=account_id, purpose="credentials")
        if row.session_data is None or self._clock() - row.session_at > self._policy.session_data_seconds:
            return credentials, None
        return credentials, await self._vault.unseal(row.session_data, account_id=account_id, purpose="session")

    async def _keep_session(self, row: _Row, session_data: Mapping[str, Any] | None) -> None:
        if session_data is not None:
            row.session_data = await self._vault.seal(session_data, account_id=row.account.id, purpose="session")
            row.session_at = self._clock()

    def _save(self, row: _Row, account: Account) -> Account:
        if account != row.account:
            row.account = replace(account, version=row.account.version + 1, updated_at=self._clock())
        return row.account

    def _row(self, account_id: str) -> _Row:
        if account_id not in self._rows:
            raise AccountNotFoundError("there is no account with this id")
        return self._rows[account_id]

    def _id_of(self, kind: AccountKind, label: str) -> str | None:
        wanted = kind, normal_label(label)
        accounts = (row.account for row in self._rows.values())
        return next((a.id for a in accounts if (a.kind, normal_label(a.label)) == wanted), None)
