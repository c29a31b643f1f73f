"""The Poe clients' configuration, with what an operator has replaced in the table while the gateway runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from accounts import AccountStore, AccountStoreError
from gateway.observability import Journal
from reverse.config import PoeConfig
from reverse.overrides import OverrideError, with_overrides

CONFIG_NAME = "poe"
REFRESH_SECONDS = 60.0


class PoeSettings:
    """Reads the overrides when they are a minute old. What can't be read or used leaves everything as it was."""

    def __init__(
        self,
        base: PoeConfig,
        store: AccountStore,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = base
        """As of the last reading; another object once something has changed."""
        self._base = base
        self._store = store
        self._journal = journal
        self._clock = clock
        self._fresh_until: float | None = None

    async def refresh(self) -> PoeConfig:
        """The configuration as it is now, at most a minute late."""
        if self._fresh_until is not None and self._clock() < self._fresh_until:
            return self.config
        self._fresh_until = self._clock() + REFRESH_SECONDS
        try:
            config = with_overrides(self._base, await self._store.get_config(CONFIG_NAME))
        except (AccountStoreError, OverrideError) as error:
            self._journal.event("poe_settings.unusable", code=type(error).__name__)
            return self.config
        if config != self.config:
            self.config = config
        return self.config

    def forget(self) -> None:
        """Read again with the next request: the overrides were changed here."""
        self._fresh_until = None
