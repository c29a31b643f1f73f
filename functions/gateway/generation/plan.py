"""What to do after a send that did not lead to a usable answer: one decision, as a table of rules. Pure.

A *send* is one message to a bot through one account, corrections and repetitions included. `decide` takes the sends of
one request so far, the failed one last, and says: the same again (changed how), through another account, or give up
(with which error). Nothing else in this project sends a chat again.

Two things hold whatever the rules say: a request makes at most `max_sends` sends, none of them later than its time for
tries; and a message whose delivery is unknown, or that was partly answered, is never sent again. `docs/retries.md` has
the rules as a table, drawn from `RULES` by `scripts/retries_table.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from accounts import AccountKind
from reverse.errors import Delivery, ErrorCode, PoeError, Scope

# A longer wait is left to the caller, who learns of it.
MAX_WAIT_SECONDS = 5.0
# Poe asks for a backoff that starts at 250 ms, with jitter (docs/reference/poe-official.md#errors-and-limits).
_FIRST_PAUSE_SECONDS = 0.25


class Change(StrEnum):
    """How the same question is asked differently. The values are what the documentation calls them."""

    WITHOUT_OPTION = "without the refused option"
    WITHOUT_STOP = "without stop sequences, which the gateway applies itself"
    FORMAT_IN_WORDS = "with the answer's format described in the prompt"
    BOT_PROTOCOL = "in the bot protocol"
    NEW_CHAT = "in a new chat, with the whole conversation"
    CORRECTION = "with what is wrong with the answer"


class Where(StrEnum):
    """Which account the next send goes through."""

    SAME = "the same account"
    OTHER = "another account"
    OTHER_OR_SAME = "another account, or the same if it is the only one"
    OTHER_API = "an account of the other API"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One send that did not lead to a usable answer. `code` is `None` for a complete answer that can't be used."""

    account_id: str
    kind: AccountKind
    code: ErrorCode | None
    delivery: Delivery
    scope: Scope = Scope.REQUEST
    is_retryable: bool = True
    """Whether the error's code lets another try hope."""
    change: Change | None = None
    """How it differed from the question as it stands."""
    possible: frozenset[Change] = frozenset()
    """Changes that would answer this failure."""
    is_shown: bool = False
    """Whether the caller has seen part of the answer."""
    points: int | None = None
    """What it cost, as far as Poe said."""
    retry_after_seconds: float | None = None

    @property
    def fate(self) -> Delivery:
        """The delivery, doubted where points were spent: what was charged for was taken."""
        is_free = self.delivery in (Delivery.NOT_SENT, Delivery.REFUSED)
        return Delivery.FAILED if is_free and self.points else self.delivery


def failed_send(
    error: PoeError,
    *,
    account_id: str,
    kind: AccountKind,
    change: Change | None,
    possible: frozenset[Change],
    is_shown: bool,
    points: int | None,
) -> Send:
    """The send that ended with `error`."""
    return Send(
        account_id=account_id,
        kind=kind,
        code=error.code,
        delivery=error.delivery,
        scope=error.scope,
        is_retryable=error.retryable,
        change=change,
        possible=possible,
        is_shown=is_shown,
        points=points,
        retry_after_seconds=error.retry_after_seconds,
    )


def rejected_send(
    *,
    account_id: str,
    kind: AccountKind,
    change: Change | None,
    is_correctable: bool,
    is_shown: bool,
    points: int | None,
) -> Send:
    """The send whose answer was complete and can't be used."""
    return Send(
        account_id=account_id,
        kind=kind,
        code=None,
        delivery=Delivery.FAILED,
        change=change,
        possible=frozenset({Change.CORRECTION}) if is_correctable else frozenset(),
        is_shown=is_shown,
        points=points,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table. What is left out matches everything; the first row that matches decides."""

    name: str
    why: str
    codes: frozenset[ErrorCode | None] | None = None
    fates: frozenset[Delivery] | None = None
    scopes: frozenset[Scope] | None = None
    is_shown: bool | None = None
    needs: Change | None = None
    """The row is for failures that this change answers, and makes it."""
    is_once: bool = False
    """A second time, the next rows decide."""
    is_retryable: bool | None = None
    within: float | None = None
    """Poe's own time to come back, at most."""
    where: Where | None = None
    """`None` gives up."""
    pauses: bool = False
    """Whether the same account is given a moment first."""

    def matches(self, send: Send) -> bool:
        """Whether the row is about this send."""
        return (
            (self.codes is None or send.code in self.codes)
            and (self.fates is None or send.fate in self.fates)
            and (self.scopes is None or send.scope in self.scopes)
            and (self.is_shown is None or send.is_shown is self.is_shown)
            and (self.needs is None or self.needs in send.possible)
            and (self.is_retryable is None or send.is_retryable is self.is_retryable)
            and (self.within is None or _is_within(send.retry_after_seconds, self.within))
        )


def _is_within(seconds: float | None, limit: float) -> bool:
    return seconds is not None and seconds <= limit


def _codes(*codes: ErrorCode | None) -> frozenset[ErrorCode | None]:
    return frozenset(codes)


_UNSAFE = frozenset({Delivery.UNKNOWN, Delivery.PARTIAL})
_FREE = frozenset({Delivery.NOT_SENT, Delivery.REFUSED})
_OF_ONE_API = _codes(ErrorCode.BOT_NOT_FOUND, ErrorCode.UNSUPPORTED_FEATURE)

RULES: tuple[Rule, ...] = (
    Rule(
        name="unusable answer",
        why="The model gets one chance to correct an answer that does not fit.",
        codes=_codes(None),
        needs=Change.CORRECTION,
        is_once=True,
        where=Where.SAME,
    ),
    Rule(
        name="answer that stays unusable",
        why="No repetition cures it; every one costs points.",
        codes=_codes(None),
    ),
    Rule(
        name="shown in part",
        why="What the caller has seen can't be taken back.",
        is_shown=True,
    ),
    Rule(
        name="delivery unknown or partly answered",
        why="Poe may have it, and may charge for it: another send could be paid twice.",
        fates=_UNSAFE,
    ),
    Rule(
        name="bot of the bot protocol",
        why="Chat completions do not know all bots that the bot protocol knows.",
        codes=_codes(ErrorCode.BOT_NOT_FOUND),
        fates=_FREE,
        needs=Change.BOT_PROTOCOL,
        is_once=True,
        where=Where.SAME,
    ),
    Rule(
        name="refused option",
        why="The model need not take it; the caller is told that it was left out.",
        codes=_codes(ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED_FEATURE),
        fates=_FREE,
        needs=Change.WITHOUT_OPTION,
        where=Where.SAME,
    ),
    Rule(
        name="no stop sequences",
        why="The gateway cuts the answer itself.",
        codes=_codes(ErrorCode.UNSUPPORTED_FEATURE),
        fates=_FREE,
        needs=Change.WITHOUT_STOP,
        where=Where.SAME,
    ),
    Rule(
        name="no response format",
        why="The gateway checks the answer itself.",
        codes=_codes(ErrorCode.UNSUPPORTED_FEATURE),
        fates=_FREE,
        needs=Change.FORMAT_IN_WORDS,
        where=Where.SAME,
    ),
    Rule(
        name="lost chat",
        why="The chat that held the conversation is gone; the caller sent all of it.",
        codes=_codes(ErrorCode.CHAT_NOT_FOUND, ErrorCode.INVALID_REQUEST, ErrorCode.PROTOCOL),
        fates=_FREE,
        needs=Change.NEW_CHAT,
        is_once=True,
        where=Where.SAME,
    ),
    Rule(
        name="not offered by this API",
        why="Each of Poe's two APIs has bots and features that the other one lacks.",
        codes=_OF_ONE_API,
        fates=_FREE,
        where=Where.OTHER_API,
    ),
    Rule(
        name="stale form key",
        why="Poe rejected the message unread; the key is renewed by now.",
        codes=_codes(ErrorCode.STALE_FORM_KEY),
        fates=_FREE,
        is_once=True,
        where=Where.SAME,
    ),
    Rule(
        name="empty or failed answer",
        why="Poe says that no answer came of it. It may have been charged: once more, not more often.",
        fates=frozenset({Delivery.FAILED}),
        is_retryable=True,
        is_once=True,
        where=Where.OTHER_OR_SAME,
        pauses=True,
    ),
    Rule(
        name="failed answer again",
        why="A third one would cost more than it is likely to bring.",
        fates=frozenset({Delivery.FAILED}),
    ),
    Rule(
        name="free again soon",
        why="Poe names the time, and it is short.",
        codes=_codes(ErrorCode.RATE_LIMITED, ErrorCode.OVERLOADED),
        fates=_FREE,
        within=MAX_WAIT_SECONDS,
        where=Where.OTHER_OR_SAME,
        pauses=True,
    ),
    Rule(
        name="refused by the account or for the bot",
        why="Another account may have the points, the access, or the time.",
        fates=_FREE,
        scopes=frozenset({Scope.ACCOUNT, Scope.BOT}),
        is_retryable=True,
        where=Where.OTHER,
    ),
    Rule(
        name="refused on the way",
        why="Another account, of the other API perhaps, may get through.",
        codes=_codes(ErrorCode.BLOCKED, ErrorCode.OVERLOADED, ErrorCode.STALE_FORM_KEY, ErrorCode.PROTOCOL),
        fates=_FREE,
        where=Where.OTHER,
    ),
    Rule(
        name="never taken",
        why="It did not leave, or Poe says that it did not begin: nothing can have been charged.",
        fates=_FREE,
        scopes=frozenset({Scope.NETWORK}),
        is_retryable=True,
        where=Where.OTHER_OR_SAME,
        pauses=True,
    ),
    Rule(
        name="everything else",
        why="Another account, or another time, would be told the same.",
    ),
)


@dataclass(frozen=True, slots=True)
class Again:
    """Send once more."""

    rule: Rule
    where: Where
    change: Change | None
    kinds: tuple[AccountKind, ...]
    """Kinds of account that may still be asked, best first."""
    exclude: frozenset[str]
    """Accounts that were tried, in vain; the last one among them."""
    account_id: str
    """The last one, which is asked again where that is wanted."""
    wait_seconds: float = 0.0
    """What the same account is given, if it is the one."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise what the send with this number ended with."""

    rule: Rule | None
    """`None` where number or time of the sends is used up."""
    number: int


def decide(
    sends: Sequence[Send],
    *,
    kinds: Sequence[AccountKind],
    max_sends: int,
    is_late: bool = False,
    jitter: float = 0.0,
) -> Again | GiveUp:
    """What to do after the last of `sends`. `kinds` may serve the request, best first; `jitter` is random in 0..1."""
    last = sends[-1]
    if len(sends) >= max_sends or is_late:
        return GiveUp(None, telling(sends))
    rule = _rule_for(sends)
    able = _able_kinds(sends, kinds)
    if rule.where is None or not able or (rule.where is Where.SAME and last.kind not in able):
        return GiveUp(rule, telling(sends))
    pause = _FIRST_PAUSE_SECONDS * 2.0 ** (len(sends) - 1) * (0.5 + jitter / 2) if rule.pauses else 0.0
    return Again(
        rule,
        rule.where,
        rule.needs,
        (last.kind,) if rule.where is Where.SAME else able,
        frozenset(send.account_id for send in sends),
        last.account_id,
        max(pause, min(last.retry_after_seconds or 0.0, MAX_WAIT_SECONDS)) if rule.pauses else 0.0,
    )


def _rule_for(sends: Sequence[Send]) -> Rule:
    """The first rule that matches the last send, and is not used up."""
    used: list[Rule] = []
    for send in sends:
        rule = next(rule for rule in RULES if rule.matches(send) and not (rule.is_once and rule in used))
        used.append(rule)
    return used[-1]


def _able_kinds(sends: Sequence[Send], kinds: Sequence[AccountKind]) -> tuple[AccountKind, ...]:
    """The kinds whose API was not found to lack the bot or the feature."""
    lacking = set()
    for number, send in enumerate(sends):
        if _rule_for(sends[: number + 1]).where is Where.OTHER_API:
            lacking.add(send.kind)
    return tuple(kind for kind in kinds if kind not in lacking)


# What tells of one account, or of one protocol, only.
_LACKS_THE_BOT = (ErrorCode.BOT_NOT_FOUND, ErrorCode.BOT_ACCESS_DENIED)


def telling(sends: Sequence[Send]) -> int:
    """The number of the send whose failure tells the caller most: the latest, with these exceptions.

    - How an account failed that has the bot tells more than that another one lacks it.
    - A bot is unknown where an account says so and none shows that it has it; what an account lacks itself (points,
      time, credentials) says nothing of the bot.
    - Of two APIs that both do not help, the one that names a feature is the plainer.
    """
    last = len(sends) - 1
    if sends[last].code is None:
        return last
    unknown = [number for number, send in enumerate(sends) if send.code is ErrorCode.BOT_NOT_FOUND]
    others = [number for number, send in enumerate(sends) if not _lacks_the_bot(send)]
    if unknown and all(sends[number].scope is Scope.ACCOUNT for number in others):
        return unknown[0]
    if not others:
        return 0
    feature = next((n for n in others if sends[n].code is ErrorCode.UNSUPPORTED_FEATURE), None)
    if feature is not None and all(sends[n].scope in (Scope.BOT, Scope.REQUEST) for n in others):
        return feature
    return others[-1]


def _lacks_the_bot(send: Send) -> bool:
    return send.code in _LACKS_THE_BOT or (send.change is Change.BOT_PROTOCOL and send.code is ErrorCode.BOT_FAILED)
