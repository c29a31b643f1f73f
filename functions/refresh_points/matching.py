"""Which entries of an account's points history pay for which of our sends. Pure.

Poe's history does not name our requests, so an entry is matched by bot, time and, for official accounts, by the name
of the API key. A send explains an entry that was made between its beginning and its end, as far as clocks agree; only
when no send is under way any more that might explain it better, it may lie outside by as much as clocks may differ.
Where several would do, the one whose time is over first is taken, which leaves the most matches for the others; sends
whose tokens are known exactly are matched by these before.

What matches nothing of ours after a while was spent elsewhere. What nothing in the history pays for within a day is
marked as that, and if it failed anyway, it cost nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from itertools import accumulate

from accounts import LedgerEntry, SettledBy, Settlement, SettlementState
from lazy_dataclasses import dataclass
from reverse.chat import PointsSpent

# An entry is made when the request arrives or when its answer is over; clocks that agree differ by this much.
NEAR_SECONDS = 5.0
# Clocks that do not agree differ by five minutes at most: AWS refuses requests signed with a larger error.
SLACK_SECONDS = 330.0
# How long a send may have taken of which nobody knows when it ended.
LONGEST_SEND_SECONDS = 1_200.0
# Only after so long a send may be paid by an entry outside its own time: everything near it is listed by then, and
# every send that the entry fits better is in the ledger.
LOOSE_SECONDS = LONGEST_SEND_SECONDS + 2 * SLACK_SECONDS + 900.0
# A cost may read 0 for a moment before it lands.
ZERO_IS_FINAL_SECONDS = 900.0
# An entry of ours is in the ledger by then, even if it was lost.
ELSEWHERE_SECONDS = 7_200.0
GIVE_UP_SECONDS = 86_400.0
# Sends that are over for so long are listed by now.
NAME_SECONDS = 900.0
SEVERAL = 3
MAX_DAYS = 40
_TOKENS = re.compile(r"\((\d+) tokens\)")
_API = "API"


@dataclass(frozen=True, slots=True)
class Match:
    """What came of one reading of a history."""

    settlements: Sequence[Settlement]
    state: SettlementState


@dataclass(slots=True)
class _Open:
    """A send that may explain an entry of the history."""

    entry: LedgerEntry
    begins: float
    ends: float
    is_taken: bool = False

    @property
    def is_likely(self) -> bool:
        """Whether it was probably charged."""
        return self.entry.outcome in ("ok", "lost", "cancelled")


Fits = Callable[[_Open, PointsSpent], bool]


@dataclass(slots=True)
class _Work:
    """One run of the matching."""

    now: float
    by_bot: dict[str, list[_Open]] = field(default_factory=dict)
    settlements: list[Settlement] = field(default_factory=list)
    explained: dict[str, float] = field(default_factory=dict)

    def pay(self, send: _Open, item: PointsSpent) -> None:
        send.is_taken = True
        if send.entry.settled_by not in (None, SettledBy.NONE):
            self.explained[send.entry.id] = send.entry.started_at
        else:
            self.settlements.append(Settlement(entry_id=send.entry.id, points=item.points, by=SettledBy.HISTORY))


def match(sends: Sequence[LedgerEntry], history: Iterable[PointsSpent], state: SettlementState, now: float) -> Match:
    """Match the history since `state.read_until` with the account's sends, settled ones included, of that time."""
    items = sorted(
        (item for item in history if item.spent_at is not None and item.spent_at >= state.read_until),
        key=lambda item: item.spent_at or 0.0,
    )
    fresh = [item for item in items if item.query_id not in state.claimed and item.points is not None]
    work = _Work(now)
    work.by_bot = _open_sends([entry for entry in sends if entry.id not in state.explained])
    key_name = state.key_name or _our_key_name(fresh, work.by_bot, now)
    claimed = dict(state.claimed)
    elsewhere = Counter(state.elsewhere)
    pending: list[float] = []
    ours = [item for item in fresh if _may_be_ours(item, key_name)]
    ready = [item for item in ours if item.points or now - (item.spent_at or 0.0) >= ZERO_IS_FINAL_SECONDS]
    paid = _assign(ready, work)
    for item in fresh:
        at = item.spent_at or 0.0
        if item.query_id in paid:
            claimed[item.query_id] = at
        elif _is_elsewhere(item, key_name, now - at):
            claimed[item.query_id] = at
            elsewhere[_day(at)] += item.points or 0
        else:
            pending.append(at)
    _give_up(work)
    # Never back, and never beyond what waits for its send.
    read_until = max(state.read_until, min([*pending, now - ELSEWHERE_SECONDS]))
    after = replace(
        state,
        read_until=read_until,
        key_name=key_name,
        # Older ones are not read again, so that the item stays small.
        claimed={query_id: at for query_id, at in claimed.items() if at >= read_until},
        explained={
            entry_id: at
            for entry_id, at in (dict(state.explained) | work.explained).items()
            if at >= read_until - LONGEST_SEND_SECONDS - 2 * SLACK_SECONDS
        },
        elsewhere=dict(sorted(elsewhere.items())[-MAX_DAYS:]),
    )
    return Match(work.settlements, after)


def _open_sends(sends: Sequence[LedgerEntry]) -> dict[str, list[_Open]]:
    by_bot: defaultdict[str, list[_Open]] = defaultdict(list)
    for entry in sends:
        # The one has its entry already, the other never gets one.
        if entry.settled_by in (SettledBy.HISTORY, SettledBy.REFUSED):
            continue
        ended = entry.ended_at if entry.ended_at is not None else entry.started_at + LONGEST_SEND_SECONDS
        by_bot[_bot(entry.model)].append(_Open(entry, entry.started_at, ended))
    for group in by_bot.values():
        group.sort(key=lambda send: (send.ends, send.entry.id))
    return dict(by_bot)


def _our_key_name(items: Sequence[PointsSpent], by_bot: Mapping[str, list[_Open]], now: float) -> str | None:
    """The name under which the history lists our key: the one that explains more of our sends than any other.

    It is only believed where sends are old enough to be listed by now, or where it explains several, and all there
    are: another program's entry may happen to fit, and be listed first.
    """
    names = {item.api_key_name for item in items if item.api_key_name and item.usage_type in (None, _API)}
    sends = [send for group in by_bot.values() for send in group if send.is_likely]
    old = [send for send in sends if now - send.ends >= NAME_SECONDS]
    explained = {name: _explained(items, name, old or sends) for name in names}
    ranking = sorted(explained.items(), key=lambda pair: -pair[1])
    # Where two names explain as much, neither is believed.
    if not ranking or ranking[0][1] == 0 or (len(ranking) > 1 and ranking[0][1] == ranking[1][1]):
        return None
    name, count = ranking[0]
    return name if old or count == len(sends) >= SEVERAL else None


def _explained(items: Sequence[PointsSpent], name: str, sends: Sequence[_Open]) -> int:
    """How many of these sends the entries of one name can pay for."""
    free, count = list(sends), 0
    for item in items:
        if item.api_key_name == name:
            send = next((s for s in free if _bot(s.entry.model) == _bot(item.bot) and _covers(s, item)), None)
            if send is not None:
                free.remove(send)
                count += 1
    return count


def _may_be_ours(item: PointsSpent, key_name: str | None) -> bool:
    if item.usage_type is not None and item.usage_type != _API:
        return False
    return item.api_key_name is None or item.api_key_name == key_name


def _is_elsewhere(item: PointsSpent, key_name: str | None, age: float) -> bool:
    """Whether an entry that pays for nothing was made by somebody else; where that is not known yet, it waits."""
    # Before our key's name is known, any entry of the API may be ours.
    is_undecided = key_name is None and item.api_key_name is not None and item.usage_type in (None, _API)
    if is_undecided:
        return age >= GIVE_UP_SECONDS
    return age >= ELSEWHERE_SECONDS or not _may_be_ours(item, key_name)


def _assign(items: Sequence[PointsSpent], work: _Work) -> set[str]:
    """Pay sends with these entries, the oldest first; returns the ids of those that pay for one."""
    paid: set[str] = set()
    old = [item for item in items if work.now - (item.spent_at or 0.0) >= LOOSE_SECONDS]
    # From the surest to the loosest: what merely fits must not use up what is certain.
    passes: list[tuple[Fits, Sequence[PointsSpent]]] = [
        (lambda send, item: _has_its_cost(send, item) and _covers(send, item, NEAR_SECONDS), items),
        (_has_its_tokens, items),
        (lambda send, item: send.is_likely and _covers(send, item, NEAR_SECONDS), items),
        (lambda send, item: _covers(send, item, NEAR_SECONDS), items),
        (_has_its_cost, old),
        (lambda send, item: send.is_likely and _covers(send, item), old),
        (_covers, old),
    ]
    pairing = _Pairing(work.by_bot)
    for fits, candidates in passes:
        for item in candidates:
            pairing.pair(item, fits)
    # What is left over may still fit if others make room: their first choice was not their only one.
    for item in old:
        pairing.make_room(item)
    for send, item in pairing.pairs():
        work.pay(send, item)
        paid.add(item.query_id)
    return paid


@dataclass(frozen=True, slots=True)
class _Lane:
    """The sends to one bot by their ends, so that those around a time are found without looking at all of a day."""

    sends: Sequence[_Open]
    ends: Sequence[float]
    begins: Sequence[float]
    """For each send, when the first of it and those after it began."""

    @classmethod
    def of(cls, sends: Sequence[_Open]) -> _Lane:
        earliest = accumulate((send.begins for send in reversed(sends)), min)
        return cls(sends, [send.ends for send in sends], [*earliest][::-1])

    def around(self, at: float) -> Sequence[_Open]:
        first, end = bisect_left(self.ends, at - SLACK_SECONDS), bisect_right(self.begins, at + SLACK_SECONDS)
        return self.sends[first:end]


class _Pairing:
    """Which entry of the history pays for which send, while that is being found out."""

    def __init__(self, by_bot: Mapping[str, list[_Open]]) -> None:
        self._lanes = {bot: _Lane.of(sends) for bot, sends in by_bot.items()}
        self._item_of: dict[str, PointsSpent] = {}
        self._send_of: dict[str, str] = {}
        self._hopeless: set[str] = set()

    def pair(self, item: PointsSpent, fits: Fits) -> None:
        """Let the entry pay for the first free send that it fits."""
        if item.query_id in self._send_of:
            return
        send = next(
            (send for send in self._sends(item) if send.entry.id not in self._item_of and fits(send, item)), None
        )
        if send is not None:
            self._item_of[send.entry.id] = item
            self._send_of[item.query_id] = send.entry.id

    def make_room(self, item: PointsSpent) -> None:
        """Find a send for the entry, if need be by finding another one for the entry that has it (Kuhn, 1955)."""
        if item.query_id in self._send_of:
            return
        wanted_by: dict[str, PointsSpent] = {}
        # A queue and no recursion: on a busy day thousands of sends may have to be asked to make room.
        waiting = deque([item])
        while waiting:
            seeker = waiting.popleft()
            for send in self._sends(seeker):
                name = send.entry.id
                if name in wanted_by or name in self._hopeless or not _covers(send, seeker):
                    continue
                wanted_by[name] = seeker
                if name not in self._item_of:
                    self._move(name, wanted_by)
                    return
                waiting.append(self._item_of[name])
        # None of these leads to a free send, and none ever will: later entries need not look at them again.
        self._hopeless |= wanted_by.keys()

    def _move(self, free: str, wanted_by: Mapping[str, PointsSpent]) -> None:
        """Give the free send to the entry that wants it, the one which that had to the next, and so on."""
        name: str | None = free
        while name is not None:
            item = wanted_by[name]
            left = self._send_of.get(item.query_id)
            self._item_of[name], self._send_of[item.query_id] = item, name
            name = left

    def pairs(self) -> list[tuple[_Open, PointsSpent]]:
        """The sends that are paid, with what pays for them."""
        sends = {send.entry.id: send for lane in self._lanes.values() for send in lane.sends}
        return [(sends[name], item) for name, item in self._item_of.items()]

    def _sends(self, item: PointsSpent) -> Sequence[_Open]:
        """Those that the entry may pay for by its bot and time, as far as clocks may differ."""
        lane = self._lanes.get(_bot(item.bot))
        return () if lane is None else lane.around(item.spent_at or 0.0)


def _has_its_cost(send: _Open, item: PointsSpent) -> bool:
    return send.entry.reported is not None and _covers(send, item)


def _has_its_tokens(send: _Open, item: PointsSpent) -> bool:
    if send.entry.is_estimated or send.entry.prompt_tokens is None or not _covers(send, item):
        return False
    # The number of tokens, in parentheses, is all that the history says about the request itself.
    told = [_tokens(item.breakdown.get(part)) for part in ("Input", "Output")]
    known = [send.entry.prompt_tokens, send.entry.completion_tokens]
    return told[0] is not None and told == known


def _covers(send: _Open, item: PointsSpent, slack: float = SLACK_SECONDS) -> bool:
    """Whether the entry was made during the send, give or take; what was reported must be what was charged."""
    return (
        send.entry.reported in (None, item.points)
        and send.begins - slack <= (item.spent_at or 0.0) <= send.ends + slack
    )


def _give_up(work: _Work) -> None:
    """Settle what nothing has paid for within a day."""
    for send in (send for group in work.by_bot.values() for send in group if not send.is_taken):
        entry = send.entry
        if entry.settled_by is not None or work.now - send.ends < GIVE_UP_SECONDS:
            continue
        if entry.outcome == "ok":
            work.settlements.append(Settlement(entry_id=entry.id, points=None, by=SettledBy.NONE))
        else:
            # It failed, and a day of Poe's history has nothing for it: that is Poe's word and no guess.
            work.settlements.append(Settlement(entry_id=entry.id, points=0, by=SettledBy.HISTORY))


def _tokens(text: str | None) -> int | None:
    found = _TOKENS.search(text or "")
    return int(found.group(1)) if found else None


def _bot(name: str) -> str:
    # The history may have a bot's shown name, which differs from the id in case, and in spaces for hyphens.
    return name.casefold().replace(" ", "-")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
