"""The Poe clients' configuration, with what an operator has replaced in the table while the gateway runs."""

from __future__ import annotations

from gateway.models.live_config import Document, LiveConfig
from pool.config_names import POE
from reverse.config import PoeConfig
from reverse.overrides import with_overrides

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
            self.config = config
