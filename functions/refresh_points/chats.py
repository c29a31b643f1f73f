"""Deletes chats that the gateway began at Poe and that nobody needs any more.

Every stateless request through a web account leaves a chat in that account. Its id is in the ledger entry of the send
that began it, and nothing else is ever deleted: chats of the account's owner and of other programs are unknown here.
A chat that a stored conversation still goes on in stays. Deletion is repeated until Poe has done it or says that there
is no such chat, so a run that is killed loses nothing; after a month it is given up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from accounts import (
    Account,
    AccountNotFoundError,
    AccountState,
    AccountStore,
    AccountStoreError,
    LedgerEntry,
    SealBrokenError,
)
from lazy_dataclasses import dataclass
from pool.clients import ClientFactory
from reverse.errors import ErrorCode, PoeError, Scope

if TYPE_CHECKING:
    from reverse.web import PoeWebClient

HOUR, DAY = 3_600.0, 86_400.0
# An answer may still be corrected in its chat, and its conversation be stored, for so long after a send has ended.
LEAST_AGE_SECONDS = 1_800.0
# Chats that one run looks at, and accounts at once.
MAX_PER_RUN = 500
_AT_ONCE = 5
# For one call of Poe.
_CALL_SECONDS = 20.0
# Pauses: a conversation goes on in it; the account can't be used; Poe refused or could not be reached.
_NEEDED_SECONDS = DAY
_UNUSABLE_SECONDS = 6 * HOUR
_FAILED_SECONDS = HOUR
# From the beginning of the send on.
_GIVE_UP_SECONDS = 30 * DAY + LEAST_AGE_SECONDS


@dataclass(slots=True)
class ChatsReport:
    """What became of the chats."""

    deleted: int = 0
    kept: int = 0
    """A conversation goes on in them."""
    failed: int = 0
    """Tried again later."""


class ChatCleaner:
    """One run. `hours` is how old a chat must be since its last answer; `None` deletes none."""

    def __init__(
        self,
        store: AccountStore,
        make_client: ClientFactory,
        *,
        hours: float | None,
        wall_clock: Callable[[], float],
        stop_at: float,
    ) -> None:
        self._store = store
        self._make_client = make_client
        self._age = None if hours is None else max(hours * HOUR, LEAST_AGE_SECONDS)
        self._wall_clock = wall_clock
        self._stop_at = stop_at
        self.report = ChatsReport()

    async def run(self) -> int:
        """Delete what is old enough; returns how many chats that were. Raises `AccountStoreError`."""
        if self._age is None:
            return 0
        found = await self._store.chats_to_delete(ended_before=self._wall_clock() - self._age, limit=MAX_PER_RUN)
        by_account: dict[str, list[LedgerEntry]] = {}
        for entry in found:
            by_account.setdefault(entry.account_id, []).append(entry)
        # Few at once: nobody waits for it, and Poe sees them all from one address.
        turns = asyncio.Semaphore(_AT_ONCE)

        async def clean(account_id: str, entries: Sequence[LedgerEntry]) -> AccountStoreError | None:
            async with turns:
                try:
                    await self._clean(account_id, entries)
                except AccountStoreError as error:
                    return error  # The other accounts' chats are deleted first.
            return None

        failures = await asyncio.gather(*(clean(account_id, entries) for account_id, entries in by_account.items()))
        if failure := next((error for error in failures if error is not None), None):
            raise failure
        return self.report.deleted

    async def _clean(self, account_id: str, entries: Sequence[LedgerEntry]) -> None:
        unneeded = [entry for entry in entries if not await self._is_needed(entry)]
        if not unneeded:
            return
        try:
            account, credentials, session_data = await self._store.read_credentials(account_id)
            client = self._make_client(account.kind, credentials, session_data)
        except AccountNotFoundError:
            # Nobody can delete them any more.
            return await self._put_off(unneeded, None)
        except (SealBrokenError, ValueError):
            return await self._put_off(unneeded, _UNUSABLE_SECONDS)
        # An account that waits is not asked: another refusal could make it wait longer.
        if (pause := self._pause_of(account)) is not None:
            return await self._put_off(unneeded, pause)
        left = list(unneeded)
        async with client as entered:
            while left and time.monotonic() < self._stop_at:
                try:
                    async with asyncio.timeout(_CALL_SECONDS):
                        is_gone = await _delete(cast("PoeWebClient", entered), left[0].chat_id or 0)
                except (PoeError, TimeoutError) as error:
                    # The next one would fail as well.
                    is_unusable = isinstance(error, PoeError) and error.scope is Scope.ACCOUNT
                    return await self._put_off(left, _UNUSABLE_SECONDS if is_unusable else _FAILED_SECONDS)
                # Only now: where the call failed, this one is put off with those behind it.
                entry = left.pop(0)
                if is_gone:
                    await self._store.put_off_chat(entry.id, None)
                    self.report.deleted += 1
                else:
                    await self._put_off([entry], _FAILED_SECONDS)

    async def _is_needed(self, entry: LedgerEntry) -> bool:
        """Whether a conversation goes on in the chat; then it is looked at again another day."""
        if entry.conversation is None:
            return False
        session = await self._store.get_session(entry.key_id, entry.conversation)
        # The conversation has ended, or goes on in another chat.
        if session is None or (session.account_id, session.chat_id) != (entry.account_id, entry.chat_id):
            return False
        self.report.kept += 1
        await self._store.put_off_chat(entry.id, self._due_in(_NEEDED_SECONDS))
        return True

    def _pause_of(self, account: Account) -> float | None:
        """How long not to ask through this account; `None` if it may be asked."""
        if not account.kind.traits.keeps_chats or account.state is not AccountState.ACTIVE:
            return _UNUSABLE_SECONDS
        now = self._wall_clock()
        until = max(account.speed_until, account.credentials_until)
        return until - now if until > now else None

    async def _put_off(self, entries: Sequence[LedgerEntry], seconds: float | None) -> None:
        """Look at these again after so many seconds; never, if `None`, or where that was tried for a month."""
        now = self._wall_clock()
        for entry in entries:
            # An entry that is never finished would be read by every run for ever.
            is_hopeless = seconds is None or now - entry.started_at > _GIVE_UP_SECONDS + (self._age or 0.0)
            await self._store.put_off_chat(entry.id, None if is_hopeless else self._due_in(seconds or 0.0))
            self.report.failed += seconds is not None

    def _due_in(self, seconds: float) -> float:
        """When a chat's last answer would have ended that is old enough in so many seconds."""
        return self._wall_clock() - (self._age or 0.0) + seconds


async def _delete(client: PoeWebClient, chat_id: int) -> bool:
    """Delete a chat; whether it is gone then. Raises `PoeError` for what is not about this chat."""
    try:
        await client.chats.delete(chat_id)
    except PoeError as error:
        # Poe refuses to delete what is gone in words that it has for other things as well.
        if error.code is not ErrorCode.UPSTREAM_FAILED or error.upstream_text is None:
            raise
        return not await client.chats.exists(chat_id)
    return True
