"""What sends cost by the difference of two balances, for web accounts whose points history can't be read. Pure.

Between two readings an account lost what it was charged. If only the gateway used it in that time, and no points were
granted or bought, that is what the gateway's sends cost together, to the point: what is known of some of them is taken
off, and the rest is divided among the others in proportion to their estimates. It is only believed where

- no send was under way within five and a half minutes of either reading, as far as clocks may differ,
- no grant was due between them, and
- the rest is between half of the estimates of the answers and twice the estimates of all: otherwise somebody else used
  the account, or bought points.

So a wrong attribution is at most by that much; where one of the sends has no estimate, nothing is attributed.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts import LedgerEntry, SettledBy, Settlement
from lazy_dataclasses import dataclass
from refresh_points.matching import LONGEST_SEND_SECONDS, SLACK_SECONDS

MAX_WINDOW_SECONDS = 3 * 86_400.0
MOST, LEAST = 2.0, 0.5


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance as it was read at a time, and when the next grant was due then, if Poe said so."""

    points: int
    at: float
    grant_at: float | None = None


def ended_at(entry: LedgerEntry) -> float:
    """When a send was over at the latest."""
    return entry.ended_at if entry.ended_at is not None else entry.started_at + LONGEST_SEND_SECONDS


def is_open(entry: LedgerEntry) -> bool:
    """Whether the cost of a send is not known."""
    return entry.settled_by in (None, SettledBy.NONE)


def attribute(before: Balance, after: Balance, entries: Sequence[LedgerEntry]) -> list[Settlement] | None:
    """What the open sends between two readings cost; `None` where that can't be told.

    `entries` are all sends of the account that may touch the time between.
    """
    if not 0 < after.at - before.at <= MAX_WINDOW_SECONDS:
        return None
    # A grant in between hides what was spent.
    if before.grant_at is not None and before.grant_at <= after.at + SLACK_SECONDS:
        return None
    begin, end = before.at - SLACK_SECONDS, after.at + SLACK_SECONDS
    touched = [entry for entry in entries if entry.started_at <= end and ended_at(entry) >= begin]
    inside = [
        entry
        for entry in touched
        if entry.started_at >= before.at + SLACK_SECONDS and ended_at(entry) <= after.at - SLACK_SECONDS
    ]
    # A send over one of the readings may be charged before or after it.
    if len(inside) < len(touched):
        return None
    sends = sorted((entry for entry in inside if is_open(entry)), key=lambda entry: entry.id)
    estimates = [entry.estimate for entry in sends if entry.estimate is not None]
    # What came with its answer is known to the point; only the rest is divided.
    rest = before.points - after.points - sum(entry.settled or 0 for entry in inside if not is_open(entry))
    answered = sum(entry.estimate or 0 for entry in sends if entry.outcome == "ok")
    if len(estimates) < len(sends) or not LEAST * answered <= rest <= MOST * sum(estimates):
        return None
    shares = divided(rest, estimates)
    return [
        Settlement(entry_id=entry.id, points=points, by=SettledBy.BALANCE)
        for entry, points in zip(sends, shares, strict=True)
    ]


def divided(points: int, weights: Sequence[int]) -> list[int]:
    """Whole shares in proportion to the weights that add up to the points (largest remainders first)."""
    if not weights:
        return []
    whole = sum(weights)
    parts = [(points * weight) / whole if whole else points / len(weights) for weight in weights]
    shares = [int(part) for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda index: shares[index] - parts[index])
    # Whole points: what rounding left over goes to those that lost most by it.
    for index in by_remainder[: points - sum(shares)]:
        shares[index] += 1
    return shares
