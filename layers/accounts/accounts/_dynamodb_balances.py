"""What accounts had left on the last days, in DynamoDB: one small item per account and day with a change.

It is for looking at. What decides is the balance in the account itself, and what an account was charged is in the
ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from accounts import _keys
from accounts._account_model import DayBalance, Points
from accounts._dynamodb_sums import DynamoDBSums
from accounts._exceptions import StoreUnavailableError
from accounts._ledger import DAY_SECONDS, day_of
from accounts._table import ConditionFailed, assignments, update

KEPT_SECONDS = 40 * DAY_SECONDS


class DynamoDBBalances(DynamoDBSums):
    """The last balance of days in one DynamoDB table."""

    async def balances_by_day(self, account_id: str, *, since: float) -> Sequence[DayBalance]:
        key = _keys.day_balance(account_id, day_of(since))
        items = await self._rows(
            "{pk} = :pk AND {sk} BETWEEN :low AND :high", pk=key["pk"], low=key["sk"], high=_keys.LAST_BALANCE
        )
        return [
            DayBalance(
                day=_keys.day_of_balance(item),
                read_at=float(item["read_at"]),
                balance=item["balance"],
                addon=item.get("addon"),
                rose_at=float(item["rose_at"]) if "rose_at" in item else None,
            )
            for item in items
        ]

    async def _note_balance(self, account_id: str, before: Points | None, points: Points) -> None:
        """Keep a reading that differs from the one before, and that one where it was an earlier day's.

        So an account that nobody uses costs no write, and a line through what is kept is flat where nothing changed.
        """
        if before is None or (before.balance, before.addon) == (points.balance, points.addon):
            return
        # Else a line from that day to this one would slope where nothing was spent.
        if day_of(before.read_at) != day_of(points.read_at):
            await self._keep_balance(account_id, before, None)
        await self._keep_balance(account_id, points, points.read_at if points.balance > before.balance else None)

    async def _keep_balance(self, account_id: str, points: Points, rose_at: float | None) -> None:
        """Make a reading its day's last one, unless a later one is. No failure is told: it is for looking at."""
        told: dict[str, Any] = {"read_at": points.read_at, "balance": points.balance, "addon": points.addon}
        # Left as it is otherwise: a day's grant stays known when the points fall again.
        told |= {"rose_at": rose_at} if rose_at is not None else {}
        end = int(points.read_at // DAY_SECONDS + 1) * DAY_SECONDS
        changes, values = assignments({**told, "expires_at": end + KEPT_SECONDS})
        is_news = "attribute_not_exists({read_at}) OR {read_at} < :read_at"
        key = _keys.day_balance(account_id, day_of(points.read_at))
        with suppress(ConditionFailed, StoreUnavailableError):
            await self._table.write(update(key, changes, is_news, **values))
