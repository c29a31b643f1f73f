"""What others put into the table while the gateway runs, such as the list of models: read again when it is old.

A document that is due is read together with an API key, whose time is over as often, so that a chat needs no read of
its own for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from accounts import AccountStore, AccountStoreError, ApiKey
from gateway.http.request_log import Journal
from lazy_dataclasses import dataclass
from pool.config_names import POE
from reverse.config import PoeConfig
from reverse.overrides import with_overrides

Document = Mapping[str, Any]


@dataclass(slots=True)
class _Watch:
    take: Callable[[Document | None], None]
    every_seconds: float
    every_seconds_if_absent: float
    due_at: float = float("-inf")


class LiveConfig:
    """Documents by name, each for the one who watches it. None is kept here."""

    def __init__(self, store: AccountStore, journal: Journal, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._watches: dict[str, _Watch] = {}

    def watch(
        self,
        name: str,
        take: Callable[[Document | None], None],
        *,
        every_seconds: float,
        every_seconds_if_absent: float | None = None,
    ) -> None:
        """Give `take` the document whenever it was read; `None` if there is none.

        While there is none it is looked for every `every_seconds_if_absent`, if given.
        It raises `ValueError`, which names no value, for a document that it can't use, and keeps what it had.
        """
        self._watches[name] = _Watch(take, every_seconds, every_seconds_if_absent or every_seconds)

    async def find_key(self, secret: str) -> ApiKey | None:
        """The store's key with this secret, and in the same read what is due. Raises `StoreUnavailableError`."""
        due = self._due()
        if not due:
            return await self._store.find_key(secret)
        # One round trip for both; not postponed before it, so that a failed look-up leaves them due.
        key, documents = await self._store.find_key_and_configs(secret, due)
        self._take(due, documents)
        return key

    async def refresh(self) -> None:
        """Read what is due, all in one. What can't be read stays as it was, and is due again when its time is over."""
        await self._read(self._due())

    async def refresh_early(self) -> None:
        """`refresh` before there is a request. What can't be read is due with the first one."""
        due = self._due()
        if not await self._read(due):
            for name in due:
                self.forget(name)

    async def _read(self, due: Collection[str]) -> bool:
        if not due:
            return True
        # Before the read, so that requests that come meanwhile do not all read the same documents.
        for name in due:
            self._postpone(name)
        try:
            documents = await self._store.get_configs(due)
        except AccountStoreError as error:
            for name in due:
                self.report(name, error)
            return False
        except asyncio.CancelledError:
            # It says nothing about the table: whoever comes next reads them.
            for name in due:
                self.forget(name)
            raise
        self._take(due, documents)
        return True

    async def reload(self, name: str) -> None:
        """Read one now. Raises `AccountStoreError`; then all stays as it was."""
        self._take([name], await self._store.get_configs([name]))

    def forget(self, name: str) -> None:
        """It is due at once: it was changed here, or could not be read."""
        # Other sandboxes learn of the change when their own time is over.
        self._watches[name].due_at = float("-inf")

    def report(self, name: str, error: Exception) -> None:
        """Log that the document, or a part of it, can't be used. Only the type of the error is told."""
        self._journal.event("config.unusable", config=name, code=type(error).__name__)

    def _due(self) -> list[str]:
        now = self._clock()
        return [name for name, watch in self._watches.items() if now >= watch.due_at]

    def _take(self, names: Collection[str], documents: Mapping[str, Document]) -> None:
        for name in names:
            document = documents.get(name)
            # After the read, too: it is `is_absent` that decides how soon to look again.
            self._postpone(name, is_absent=document is None)
            try:
                self._watches[name].take(document)
            # The last good document stays in force: a typo of the owner's must not take the models away.
            except ValueError as error:
                self.report(name, error)

    def _postpone(self, name: str, *, is_absent: bool = False) -> None:
        watch = self._watches[name]
        watch.due_at = self._clock() + (watch.every_seconds_if_absent if is_absent else watch.every_seconds)


REFRESH_SECONDS = 60.0


class PoeSettings:
    """Follows the overrides, at most a minute late. Those that can't be used leave everything as it was."""

    def __init__(self, base: PoeConfig, live: LiveConfig) -> None:
        self.config = base
        """As of the last reading; another object once something has changed."""
        self._base = base
        self._live = live
        live.watch(POE, self._take, every_seconds=REFRESH_SECONDS)

    async def refresh(self) -> PoeConfig:
        """The configuration as it is now."""
        await self._live.refresh()
        return self.config

    def forget(self) -> None:
        """Read again with the next request: the overrides were changed here."""
        self._live.forget(POE)

    def _take(self, document: Document | None) -> None:
        config = with_overrides(self._base, document)
        if config != self.config:
            # Kept as the same object otherwise: warm clients are compared by it, and closed for another one.
            self.config = config
