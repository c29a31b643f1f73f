"""What to do after a send that did not lead to a usable answer: one decision, by the rules of `rules`. Pure.

A *send* is one message to a bot through one account, corrections and repetitions included. `decide` takes the sends of
one request so far, the failed one last, and says: the same again (changed how), through another account, or give up
(with which error). Nothing else in the gateway sends a chat again. Where the owner names models that may answer in the
asked one's place, the next of them follows where nothing else is left to do for this one; the sends of all count.

Two things hold whatever the rules say: a request makes at most `max_sends` sends, none of them later than its time for
tries; and a message whose delivery is unknown, or that was partly answered, is never sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from accounts import AccountKind, NoAccountReason
from gateway.generation.rules import MAX_WAIT_SECONDS, RULES, Change, Rule, Send, Where
from lazy_dataclasses import dataclass
from reverse.errors import ErrorCode, Scope

# Poe asks for a backoff that starts at 250 ms, with jitter (docs/reference/poe-official.md#errors-and-limits).
_FIRST_PAUSE_SECONDS = 0.25


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
class NextModel:
    """Ask the next of the models that may answer in this one's place."""

    rule: Rule


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
    sends_before: int = 0,
    fallbacks: int = 0,
) -> Again | NextModel | GiveUp:
    """What to do after the last of `sends`, which are those to one model.

    `kinds` may serve the request, best first; `jitter` is random in 0..1. `sends_before` went to other models, and
    `fallbacks` models may still be asked in this one's place.
    """
    last = sends[-1]
    # Sends to other models count as well: the limit bounds what one request of the caller may cost.
    left = max_sends - sends_before - len(sends)
    # Before the rules are looked at, so that no rule can send more often than this.
    if left <= 0 or is_late:
        return GiveUp(None, telling(sends))
    rule = _rule_for(sends)
    # Each fallback is to have its turn; other accounts of this model have the sends that are left besides. Where it is
    # the account that can't, others that can come before other models.
    kept = min(fallbacks, 1) if last.scope is Scope.ACCOUNT else fallbacks
    if rule.falls_back and left <= kept:
        return NextModel(rule)
    able = _able_kinds(sends, kinds)
    if rule.where is None or not able or (rule.where is Where.SAME and last.kind not in able):
        return NextModel(rule) if rule.falls_back and fallbacks else GiveUp(rule, telling(sends))
    # Up to half is taken off at random: requests that failed together must not come back together.
    pause = _FIRST_PAUSE_SECONDS * 2.0 ** (len(sends) - 1) * (0.5 + jitter / 2) if rule.pauses else 0.0
    return Again(
        rule,
        rule.where,
        rule.needs,
        (last.kind,) if rule.where is Where.SAME else able,
        frozenset(send.account_id for send in sends),
        last.account_id,
        # Poe's own time counts where it is the longer one, up to what a caller can be kept waiting for.
        max(pause, min(last.retry_after_seconds or 0.0, MAX_WAIT_SECONDS)) if rule.pauses else 0.0,
    )


# Busy accounts are free again in seconds, and accounts that are disabled or signed out need their owner: in neither
# case does another model answer.
_MODEL_CAN_NOT_BE_HAD = frozenset({NoAccountReason.BOT_DENIED, NoAccountReason.COOLING_DOWN, NoAccountReason.NO_POINTS})


def may_fall_back(sends: Sequence[Send], reason: NoAccountReason) -> bool:
    """Whether a model that no account is left for, after these sends to it, may be followed by another one."""
    return _rule_for(sends).falls_back if sends else reason in _MODEL_CAN_NOT_BE_HAD


def _rule_for(sends: Sequence[Send]) -> Rule:
    """The first rule that matches the last send, and is not used up."""
    used: list[Rule] = []
    # A rule that applies once is used up by earlier sends, so their rules are found again; there are ten sends at most.
    for send in sends:
        rule = next(rule for rule in RULES if rule.matches(send) and not (rule.is_once and rule in used))
        used.append(rule)
    return used[-1]


def _able_kinds(sends: Sequence[Send], kinds: Sequence[AccountKind]) -> tuple[AccountKind, ...]:
    """The kinds whose API was not found to lack the bot or the feature."""
    lacking = set()
    for number, send in enumerate(sends):
        # What decided then: the rule for a send depends on those before it, not on those after it.
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
    - Of two APIs that both do not help, the one that names a feature is the plainer, unless that was found out without
      asking, and both do not know the bot.
    """
    last = len(sends) - 1
    # The model answered, so nothing that an account lacked explains the failure better.
    if sends[last].code is None:
        return last
    unknown = [number for number, send in enumerate(sends) if send.code is ErrorCode.BOT_NOT_FOUND]
    unknown_to = {sends[number].kind for number in unknown}
    others = [number for number, send in enumerate(sends) if not _lacks_the_bot(send, unknown_to)]
    # A 404 ends there, while programs come back for hours after a 429: no busy account may hide a misspelt name.
    if unknown and all(sends[number].scope is Scope.ACCOUNT for number in others):
        return unknown[0]
    if not others:
        return 0
    feature = next((n for n in others if sends[n].code is ErrorCode.UNSUPPORTED_FEATURE), None)
    if feature is not None and all(sends[n].scope in (Scope.BOT, Scope.REQUEST) for n in others):
        return feature
    return others[-1]


def _lacks_the_bot(send: Send, unknown_to: Collection[AccountKind]) -> bool:
    if send.change is Change.BOT_PROTOCOL and send.code is ErrorCode.UNSUPPORTED_FEATURE:
        # Refused before the bot was asked for. Accounts of the other kind know the bots of this protocol, too.
        return any(kind is not send.kind for kind in unknown_to)
    return send.code in _LACKS_THE_BOT or (send.change is Change.BOT_PROTOCOL and send.code is ErrorCode.BOT_FAILED)
