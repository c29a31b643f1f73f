"""Ledger entries: how they begin with a lease, how they end, and what they add up to. Pure.

An entry begins as the intention that a slot item holds while its lease lasts. It is written when the lease is
released, or, if the holder was killed, by whoever finds the expired slot. Both compute the same id.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from accounts._account_model import Account, AccountKind, Outcome
from accounts._lease_model import Intention, Lease, entry_id
from accounts._ledger_model import LedgerEntry, SendRecord, SettledBy, Settlement, Sums
from lazy_dataclasses import dataclass

HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
# An hour is summed up when no entry can begin in it any more: the longest answer takes a quarter of an hour, a lost
# one is found some minutes after that, and clocks differ.
CLOSE_AFTER_SECONDS = 2 * HOUR_SECONDS
LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a slot item tells of the lease that holds it, or held it."""

    account_id: str
    kind: AccountKind
    owner: str
    started_at: float
    until: float
    intention: Intention | None


def in_points(usd: float, usd_per_point: float) -> int:
    """Dollars in points, rounded up; a cost that was computed with this rate comes out as it was."""
    # Rounded first: division leaves a remainder that is no point.
    return math.ceil(round(usd / usd_per_point, 6))


def priced(intention: Intention | None, account: Account) -> Intention | None:
    """The intention with its estimate in the points of this account, if the account tells what they are worth."""
    rate = account.points.usd_per_point if account.points else None
    if intention is None or intention.usd is None or rate is None:
        return intention
    return replace(intention, estimate=in_points(intention.usd, rate))


def completed(lease: Lease, outcome: Outcome, usage: SendRecord, now: float) -> LedgerEntry:
    """The entry of a lease that was released. The lease must have an intention."""
    intention = lease.intention
    if intention is None:
        raise ValueError("a lease without an intention has no entry")
    begun = _begun(lease.account.id, lease.account.kind, lease.owner, lease.started_at, intention)
    return finish(begun, outcome, usage, now)


def finish(entry: LedgerEntry, outcome: Outcome, usage: SendRecord, now: float) -> LedgerEntry:
    """The entry with what its holder knows at the end."""
    done = replace(
        entry,
        ended_at=usage.ended_at if usage.ended_at is not None else now,
        first_token_at=usage.first_token_at,
        outcome=outcome.code,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        is_estimated=usage.is_estimated,
    )
    if usage.chat_id is not None:
        # Also where the send failed: Poe keeps the chat all the same.
        done = replace(done, chat_id=usage.chat_id, conversation=usage.conversation, chat_due_at=done.ended_at)
    # Poe took nothing, so that there is nothing to look for in its history.
    if usage.is_refused and done.settled_by is None:
        return replace(done, settled=0, settled_by=SettledBy.REFUSED)
    return report(done, usage.points) if usage.points is not None else done


def report(entry: LedgerEntry, points: int) -> LedgerEntry:
    """The entry with the cost that the upstream reported. Where that is what Poe charged, it settles."""
    # A final cost stays, whatever comes later; one that was given up on may still be found.
    if entry.settled_by not in (None, SettledBy.NONE):
        return replace(entry, reported=points)
    if entry.kind.traits.reports_charges:
        return replace(entry, reported=points, settled=points, settled_by=SettledBy.REPORTED)
    return replace(entry, reported=points)


def settled(entry: LedgerEntry, settlement: Settlement) -> LedgerEntry | None:
    """The entry with its final cost; `None` if it has one already."""
    if entry.settled_by not in (None, SettledBy.NONE):
        return None
    # Given up already: writing it once more would open its hour for nothing.
    if settlement.by is SettledBy.NONE and entry.settled_by is SettledBy.NONE:
        return None
    return replace(entry, settled=settlement.points, settled_by=settlement.by)


def lost(held: Held) -> LedgerEntry:
    """The entry of a lease whose holder was killed."""
    if held.intention is None:
        raise ValueError("a lease without an intention has no entry")
    return _begun(held.account_id, held.kind, held.owner, held.started_at, held.intention)


def budget_points(entry: LedgerEntry, reserved: int) -> int:
    """What the key's budget counts for the entry: the best known cost, else what was reserved."""
    # Never zero for want of knowledge: a budget would be overrun without anybody noticing.
    return reserved if entry.points is None else entry.points


def tokens_of(entry: LedgerEntry, reserved: int) -> int:
    """Tokens that the key's budget counts; the reserved ones where none are known."""
    if entry.prompt_tokens is None and entry.completion_tokens is None:
        return reserved
    return (entry.prompt_tokens or 0) + (entry.completion_tokens or 0)


def started_at(entry_id_: str) -> float:
    """When the lease of the entry with this id began. Raises `ValueError` for what is no id."""
    digits, separator, owner = entry_id_.partition("#")
    # Ids come from callers, too, as cursors and in addresses.
    if not separator or not owner or len(digits) != 14 or not (digits.isascii() and digits.isdigit()):  # noqa: PLR2004 - as `entry_id` writes it
        raise ValueError("this is no id of a ledger entry")
    return int(digits) / 1000


def hour_of(at: float) -> int:
    """The beginning of the hour, in epoch seconds."""
    return int(at // HOUR_SECONDS) * HOUR_SECONDS


def day_of(at: float) -> str:
    """The UTC day, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def month_of(at: float) -> str:
    """The UTC month, as `YYYY-MM`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


def next_month(at: float) -> float:
    """When the next UTC month begins."""
    moment = datetime.fromtimestamp(at, UTC)
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    # No month has more than 31 days.
    return (first + timedelta(days=32)).replace(day=1).timestamp()


def seconds_to_next_month(at: float) -> float:
    """How long the UTC month lasts from then on."""
    return next_month(at) - at


def days_between(since: float, until: float) -> list[str]:
    """The UTC days that overlap `[since, until)`, oldest first."""
    # `until` is exclusive, and ids know milliseconds.
    first, last = int(since // DAY_SECONDS), int((until - 0.001) // DAY_SECONDS)
    return [day_of(day * DAY_SECONDS) for day in range(first, last + 1)]


def months_between(since: float, until: float) -> list[str]:
    """The UTC months that overlap `[since, until)`, oldest first."""
    return sorted({day[:7] for day in days_between(since, until)})


def add_up(entries: Iterable[LedgerEntry]) -> list[Sums]:
    """What the entries add up to, by hour, key, model and account, in that order."""
    groups: defaultdict[tuple[int, str, str, str], list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        groups[hour_of(entry.started_at), entry.key_id, entry.model, entry.account_id].append(entry)
    return [_sums(name, group) for name, group in sorted(groups.items())]


def total(rows: Iterable[Sums]) -> Sums:
    """Rows added to one that names no hour, key, model or account."""
    kept = list(rows)

    def add(name: str) -> int:
        return sum(getattr(row, name) for row in kept)

    return Sums(
        hour=0,
        key_id="",
        model="",
        account_id="",
        sends=add("sends"),
        errors=add("errors"),
        prompt_tokens=add("prompt_tokens"),
        completion_tokens=add("completion_tokens"),
        settled=add("settled"),
        estimated=add("estimated"),
        unknown=add("unknown"),
        unattributed=add("unattributed"),
    )


def _sums(name: tuple[int, str, str, str], entries: Sequence[LedgerEntry]) -> Sums:
    hour, key_id, model, account_id = name
    return Sums(
        hour=hour,
        key_id=key_id,
        model=model,
        account_id=account_id,
        sends=len(entries),
        errors=sum(entry.is_error for entry in entries),
        prompt_tokens=sum(entry.prompt_tokens or 0 for entry in entries),
        completion_tokens=sum(entry.completion_tokens or 0 for entry in entries),
        settled=sum(entry.settled or 0 for entry in entries),
        estimated=sum(entry.points or 0 for entry in entries if entry.settled is None),
        unknown=sum(entry.points is None for entry in entries),
        unattributed=sum(entry.settled_by is SettledBy.NONE for entry in entries),
    )


def _begun(account_id: str, kind: AccountKind, owner: str, started: float, intention: Intention) -> LedgerEntry:
    return LedgerEntry(
        id=entry_id(started, owner),
        account_id=account_id,
        kind=kind,
        key_id=intention.key_id,
        model=intention.model,
        surface=intention.surface,
        request_id=intention.request_id,
        attempt=intention.attempt,
        started_at=started,
        estimate=intention.estimate,
    )


def start_of(day: str) -> float:
    """When a UTC day, `YYYY-MM-DD`, begins. Raises `ValueError`."""
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()


def id_from(at: float) -> str:
    """What the ids of entries that began at a time, or later, are not below."""
    return f"{round(at * 1000):014d}"


def time_of(sort_key: str) -> float:
    """The time with which a sort key begins. Raises `ValueError`."""
    return int(sort_key[:14]) / 1000
