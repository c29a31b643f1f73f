"""The slots that this process holds: its own requests need not race each other for them."""

from __future__ import annotations


class OwnSlots:
    """Slots by account and number, each until it is given back or expires. What other processes hold is not known."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, int], float] = {}

    def free(self, account_id: str, slots: int, now: float) -> list[int]:
        """The numbers of an account's slots that this process does not hold."""
        return [number for number in range(slots) if self._until.get((account_id, number), now) <= now]

    def hold(self, account_id: str, slot: int, until: float) -> None:
        """Remember a slot that is held, or being asked for, until this time of the store's clock."""
        # A slot that was never given back leaves with the next one that is taken in its place.
        self._until[account_id, slot] = until

    def drop(self, account_id: str, slot: int) -> None:
        """Forget a slot that was given back, or that somebody else has."""
        self._until.pop((account_id, slot), None)
