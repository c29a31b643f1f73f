"""What must be true of the books after a history, whatever happened in it.

The simulation in virtual time and the soak with real processes check the same equations with these functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from accounts import AccountKind, AccountStore, ApiKey, LedgerEntry, Selection
from accounts._ledger import add_up, day_of

_PAGE = 200
# A send that ended with one of these was taken, and failed: the plan of sends may repeat it once, and pay again.
FAILED_ANSWERS = frozenset({"bot_failed", "empty_answer"})


class Violated(AssertionError):
    """Something that must be true is not."""


def require(is_true: bool, what: str) -> None:
    """Raise `Violated` unless it is true."""
    if not is_true:
        raise Violated(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """What one account was charged, as Poe's stand-in knows it."""

    name: str
    account_id: str
    kind: AccountKind
    ours: int
    """Points that the gateway's sends took."""
    others: int = 0
    """Points that other programs took with the same account."""
    has_history: bool = True
    """Whether what was charged can be read; else only balances tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How many requests there were, and what became of them."""

    asked: int
    ended: int
    """With an outcome that the caller saw."""
    cut: int
    """At most so many have none, because a kill cut them."""


async def all_entries(store: AccountStore, since: float, until: float) -> list[LedgerEntry]:
    """The ledger of a time, the newest entry first."""
    entries: list[LedgerEntry] = []
    cursor: str | None = None
    while True:
        page = await store.list_entries(Selection(since=since, until=until), limit=_PAGE, cursor=cursor)
        entries += page.items
        if (cursor := page.cursor) is None:
            return entries


async def check_books(
    store: AccountStore, entries: Sequence[LedgerEntry], accounts: Iterable[Charged], *, has_skew: bool = False
) -> None:
    """What is booked for an account is what Poe charged our key, to the point.

    Where clocks differ by minutes, which a deployment corrects by AWS's, an entry of the history may be taken for
    somebody else's. Then it is among the points spent elsewhere, and nothing is lost or counted twice. The web
    history, which names no key, does not allow even that to be checked then.
    """
    for account in accounts:
        ours = [entry for entry in entries if entry.account_id == account.account_id]
        booked = sum(entry.settled or 0 for entry in ours)
        unknown = [entry.id for entry in ours if entry.settled is None]
        text = f"{account.name} ({account.kind.value}): booked {booked}, charged {account.ours}; not settled: {unknown}"
        if not account.has_history:
            # What the differences of balances do not explain stays unknown, and says so.
            require(booked <= account.ours if unknown else booked == account.ours, text)
        elif not has_skew:
            require(booked == account.ours, text)
        elif booked != account.ours and account.kind is AccountKind.OFFICIAL:
            state = await store.settlement_state(account.account_id)
            listed = booked + sum(state.elsewhere.values())
            is_bounded = account.ours <= listed <= account.ours + account.others and booked <= account.ours
            require(is_bounded, text)


def check_chats(entries: Sequence[LedgerEntry], account_id: str, there: Collection[int]) -> None:
    """Chats of sends whose ends are known are gone from the account: what a killed process began, nobody knows."""
    left = {entry.chat_id for entry in entries if entry.account_id == account_id} & set(there)
    require(not left, f"{account_id}: chats that nobody needs are there: {left}")


async def check_sums(store: AccountStore, entries: Sequence[LedgerEntry], since: float, until: float) -> None:
    """The sums are those of their entries, and were right before they were checked."""
    expected = add_up(sorted(entries, key=lambda entry: entry.id))
    stored = await store.sums(since=since, until=until)
    require(list(stored) == expected, "sums are not those of their entries")
    require(await store.check_sums(since=since) == 0, "a stored sum had to be corrected")


def check_budgets(entries: Sequence[LedgerEntry], keys: Iterable[ApiKey], *, unpriced_points: int) -> None:
    """No day's budget is overrun by more than the error of the estimates that it was reserved by."""
    for key in keys:
        if key.points_per_day is None:
            continue
        spent, errors = Counter[str](), Counter[str]()
        for entry in entries:
            if entry.key_id == key.id:
                cost = entry.settled or 0
                reserved = unpriced_points if entry.estimate is None else entry.estimate
                spent[day_of(entry.started_at)] += cost
                errors[day_of(entry.started_at)] += max(0, cost - reserved)
        for day, points in spent.items():
            bound = key.points_per_day + errors[day]
            require(points <= bound, f"a budget of {key.points_per_day} was overrun: {points}, bound {bound}")


def check_slots(held: Collection[str]) -> None:
    """No slot is held."""
    require(not held, f"slots are held: {sorted(held)}")


def check_deliveries(paid: Mapping[str, int], allowed: Mapping[str, int], failed: Mapping[str, int]) -> None:
    """No message was paid for more often than answers were asked for, and than failed answers were repeated."""
    most = {message: allowed[message] + failed.get(message, 0) for message in paid}
    twice = {message: (count, most[message]) for message, count in paid.items() if count > most[message]}
    require(not twice, f"messages were paid for more often than they may be (times, allowed): {twice}")


def failed_answers(entries: Iterable[LedgerEntry]) -> Counter[str]:
    """By request, how many of its sends Poe took and failed to answer."""
    return Counter(entry.request_id for entry in entries if entry.outcome in FAILED_ANSWERS)


def check_ends(ends: Ends) -> None:
    """Every request had one outcome, but for those that a kill cut."""
    require(ends.ended <= ends.asked <= ends.ended + ends.cut, f"requests without an outcome, or with two: {ends}")
