"""Whether an account could be leased, asked of the table at most once in a while: anybody may ask."""

from __future__ import annotations

from accounts import AccountStore

# A "no" ends soon after an account was added.
READY_SECONDS = 60.0
NOT_READY_SECONDS = 5.0


class Readiness:
    """Remembers the last answer, so that strangers can't make every request a read of the table, which costs."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._is_ready = False
        self._until = float("-inf")

    async def is_ready(self, now: float) -> bool:
        """Whether there is an eligible account. `now` is monotonic seconds. Raises `AccountStoreError`."""
        if now >= self._until:
            # Requests at the same time believe the last answer, and so do those after a failure, for a moment.
            self._until = now + NOT_READY_SECONDS
            self._is_ready = await self._store.count_eligible(at_most=1) > 0
            if self._is_ready:
                self._until = now + READY_SECONDS
        return self._is_ready
