"""How many accounts are eligible, asked of the table at most every few seconds."""

from __future__ import annotations

from accounts import AccountStore

CACHE_SECONDS = 5.0


class Readiness:
    """Remembers the last count for a moment: anybody may ask for it."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._count = 0
        self._until = float("-inf")

    async def count(self, now: float) -> int:
        """Eligible accounts, counted no further than a hundred. `now` is monotonic seconds."""
        if now >= self._until:
            self._count = await self._store.count_eligible(at_most=100)
            self._until = now + CACHE_SECONDS
        return self._count
