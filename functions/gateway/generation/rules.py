"""The rules of the plan of sends, as data: which ends of a send lead to which next one. Pure.

`RULES` is read from the top, and the first rule that matches a send decides: see `plan`. `docs/retries.md` has them as
a table, drawn by `scripts/retries.py`.
"""

from __future__ import annotations

from enum import StrEnum

from accounts import AccountKind
from lazy_dataclasses import dataclass
from reverse.errors import Delivery, ErrorCode, PoeError, Scope

# A longer wait is left to the caller, who learns of it.
MAX_WAIT_SECONDS = 5.0


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
        # A refusal that came with a price was none: sending again as if it were free could be paid twice.
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
    falls_back: bool = False
    """Whether a model that the owner names for this one may be asked where nothing else is left to do."""

    def matches(self, send: Send) -> bool:
        """Whether the row is about this send."""
        return (
            # `codes` may hold `None`, the code of an unusable answer; "matches everything" is `codes=None`.
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


# The message may be at Poe, or is: nothing of these is sent again, by any rule.
_UNSAFE = frozenset({Delivery.UNKNOWN, Delivery.PARTIAL})
# Poe charges nothing for these, so that a repetition can't be paid twice.
_FREE = frozenset({Delivery.NOT_SENT, Delivery.REFUSED})
_OF_ONE_API = _codes(ErrorCode.BOT_NOT_FOUND, ErrorCode.UNSUPPORTED_FEATURE)

# The order is part of the meaning: answers that can't be used, what forbids another send, changes that answer one
# failure only, general rules. A rule that sends again belongs below "delivery unknown or partly answered".
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
        # Before "not offered by this API", which gives up the whole kind of account.
        name="bot of the bot protocol",
        why="Chat completions do not know all bots that the bot protocol knows.",
        codes=_codes(ErrorCode.BOT_NOT_FOUND),
        fates=_FREE,
        needs=Change.BOT_PROTOCOL,
        is_once=True,
        where=Where.SAME,
    ),
    Rule(
        # Not limited to once: a model may refuse several options, one after the other.
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
        # Poe has no code of its own for a lost chat. The change is only possible where a chat was continued, so the
        # other codes can't be mistaken for one.
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
        falls_back=True,
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
        falls_back=True,
    ),
    Rule(
        name="failed answer again",
        why="A third one would cost more than it is likely to bring.",
        fates=frozenset({Delivery.FAILED}),
        falls_back=True,
    ),
    Rule(
        # Before the next rule, which has no use for the only account and would turn a wait of seconds into an error.
        name="free again soon",
        why="Poe names the time, and it is short.",
        codes=_codes(ErrorCode.RATE_LIMITED, ErrorCode.OVERLOADED),
        fates=_FREE,
        within=MAX_WAIT_SECONDS,
        where=Where.OTHER_OR_SAME,
        pauses=True,
        falls_back=True,
    ),
    Rule(
        name="refused by the account or for the bot",
        why="Another account may have the points, the access, or the time.",
        fates=_FREE,
        scopes=frozenset({Scope.ACCOUNT, Scope.BOT}),
        is_retryable=True,
        where=Where.OTHER,
        falls_back=True,
    ),
    Rule(
        name="refused on the way",
        why="Another account, of the other API perhaps, may get through.",
        codes=_codes(ErrorCode.BLOCKED, ErrorCode.OVERLOADED, ErrorCode.STALE_FORM_KEY, ErrorCode.PROTOCOL),
        fates=_FREE,
        where=Where.OTHER,
        falls_back=True,
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
        # Matches everything, so that each send has a rule.
        name="everything else",
        why="Another account, or another time, would be told the same.",
    ),
)
