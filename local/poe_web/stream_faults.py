"""Faults of a stream: each turns the plan of an answer into another plan.

`at` counts the frames that leave before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from local.poe_web.answers import Snapshot
from local.poe_web.foreign_frames import GarbageFrames, UnknownEvents
from local.poe_web.plan import (
    Action,
    CancelNames,
    ChatBreak,
    Cut,
    Deplete,
    Missed,
    Plan,
    Refetch,
    Stall,
    StreamFault,
    Title,
    Update,
    Wait,
)

INSUFFICIENT = "error_insufficient_fund"
INSUFFICIENT_TEXT = "You have insufficient points to use this bot."


@dataclass(frozen=True, slots=True)
class DropEvents(StreamFault):
    """`count` frames are lost, and no replay brings them back."""

    at: int = 1
    count: int = 1

    def shape(self, plan: Plan) -> Plan:
        """Send no copy of them."""
        return _map_updates(plan, range(self.at, self.at + self.count), copies=0)


@dataclass(frozen=True, slots=True)
class DuplicateEvents(StreamFault):
    """`count` frames arrive `copies` times, each time with a new number."""

    at: int = 0
    count: int = 1_000_000
    copies: int = 2

    def shape(self, plan: Plan) -> Plan:
        """Send more copies of them."""
        return _map_updates(plan, range(self.at, self.at + self.count), copies=self.copies)


def _map_updates(plan: Plan, which: range, copies: int) -> Plan:
    number, actions = -1, list[Action]()
    for action in plan.actions:
        number += isinstance(action, Update)
        hit = isinstance(action, Update) and number in which
        actions.append(replace(action, copies=copies) if hit and isinstance(action, Update) else action)
    return replace(plan, actions=tuple(actions))


@dataclass(frozen=True, slots=True)
class DelayEvents(StreamFault):
    """Nothing is sent for `seconds` in mid-stream."""

    at: int = 1
    seconds: float = 1.0

    def shape(self, plan: Plan) -> Plan:
        """Wait there."""
        return plan.insert(self.at, Wait(self.seconds))


@dataclass(frozen=True, slots=True)
class ReorderEvents(StreamFault):
    """From `at` on, every `window` frames arrive in reverse order; the last frame of the answer among them."""

    at: int = 0
    window: int = 2

    def shape(self, plan: Plan) -> Plan:
        """Reverse the windows."""
        i = plan.at(self.at)
        tail = plan.actions[i:]
        size = max(1, self.window)
        turned = tuple(a for start in range(0, len(tail), size) for a in reversed(tail[start : start + size]))
        return replace(plan, actions=plan.actions[:i] + turned)


@dataclass(frozen=True, slots=True)
class BatchEvents(StreamFault):
    """Frames have up to `size` events each."""

    size: int = 4

    def shape(self, plan: Plan) -> Plan:
        """Join neighbouring updates."""
        actions: list[Action] = []
        for action in plan.actions:
            last = actions[-1] if actions else None
            if isinstance(action, Update) and isinstance(last, Update) and len(last.snapshots) < self.size:
                actions[-1] = Update(last.snapshots + action.snapshots)
            else:
                actions.append(action)
        return replace(plan, actions=tuple(actions))


@dataclass(frozen=True, slots=True)
class Pace(StreamFault):
    """`seconds` between frames, and optionally steps of so many `characters` in place of whole words."""

    seconds: float = 0.0
    characters: int | None = None

    def shape(self, plan: Plan) -> Plan:
        """Set the pace; split each growth into smaller ones."""
        actions: list[Action] = []
        for action in plan.actions:
            if self.characters and isinstance(action, Update) and len(action.snapshots) == 1:
                shown = next((a.snapshots[-1] for a in reversed(actions) if isinstance(a, Update)), Snapshot("", 0))
                actions += (Update((s,)) for s in _steps(shown, action.snapshots[0], self.characters))
            actions.append(action)
        return replace(plan, actions=tuple(actions), pace_seconds=self.seconds)


def _steps(shown: Snapshot, goal: Snapshot, size: int) -> list[Snapshot]:
    start = shown.end if goal.text.startswith(shown.text) else 0
    return [Snapshot(goal.base, end) for end in range(start + size, goal.end, size)]


@dataclass(frozen=True, slots=True)
class CutSocket(StreamFault):
    """The sockets are gone, `abrupt` without a close frame; the answer goes on meanwhile.

    `refuse` handshakes fail after it.
    """

    at: int = 3
    how: Literal["abrupt", "close"] = "abrupt"
    refuse: int = 0

    def shape(self, plan: Plan) -> Plan:
        """Cut there."""
        return plan.insert(self.at, Cut(self.how, self.refuse))


@dataclass(frozen=True, slots=True)
class RefetchChannel(StreamFault):
    """The service asks for new channel settings; the old channel is dead from then on."""

    at: int = 3

    def shape(self, plan: Plan) -> Plan:
        """Move the channel there."""
        return plan.insert(self.at, Refetch())


@dataclass(frozen=True, slots=True)
class MissedMessages(StreamFault):
    """The service cannot replay any more; the sockets get no further event."""

    at: int = 3

    def shape(self, plan: Plan) -> Plan:
        """Forget there."""
        return plan.insert(self.at, Missed())


@dataclass(frozen=True, slots=True)
class EarlyEvents(StreamFault):
    """So many frames leave before the mutation is answered; -1 is the whole answer."""

    count: int = -1

    def shape(self, plan: Plan) -> Plan:
        """Hold the HTTP response back."""
        return replace(plan, early=self.count)


@dataclass(frozen=True, slots=True)
class MessageState(StreamFault):
    """The answer ends in `state`, with what was said so far."""

    state: str
    at: int = 3
    text: str | None = None

    def shape(self, plan: Plan) -> Plan:
        """End there."""
        shown = plan.last_before(self.at)
        return plan.end(self.at, Update((replace(shown, state=self.state, state_text=self.text),)))


@dataclass(frozen=True, slots=True)
class PointsRunOut(StreamFault):
    """The points are gone in mid-answer (`at` frames left before), or before it begins (`at` is 0)."""

    at: int = 3

    def shape(self, plan: Plan) -> Plan:
        """End there with the refusal as a message state."""
        shown = plan.last_before(self.at)
        refusal = replace(shown, state=INSUFFICIENT, state_text=INSUFFICIENT_TEXT)
        return plan.end(self.at, Deplete(), Update((refusal,)))


@dataclass(frozen=True, slots=True)
class HangStream(StreamFault):
    """No more event ever comes, and the message stays incomplete."""

    at: int = 3

    def shape(self, plan: Plan) -> Plan:
        """Stop there."""
        return plan.end(self.at, Stall())


@dataclass(frozen=True, slots=True)
class TitleFirst(StreamFault):
    """`chatTitleUpdated` comes before the first `messageAdded`."""

    def shape(self, plan: Plan) -> Plan:
        """Begin with the title."""
        return replace(plan.insert(0, Title()), titled=True)


@dataclass(frozen=True, slots=True)
class ChatBreakDuring(StreamFault):
    """A `chat_break` message arrives in mid-stream."""

    at: int = 3

    def shape(self, plan: Plan) -> Plan:
        """Break there."""
        return plan.insert(self.at, ChatBreak())


@dataclass(frozen=True, slots=True)
class OddCancellation(StreamFault):
    """The event that confirms a stop names the question instead of the answer, or no message, or is lost."""

    names: CancelNames = "question"

    def shape(self, plan: Plan) -> Plan:
        """Say so."""
        return replace(plan, cancel_names=self.names)


@dataclass(frozen=True, slots=True)
class LateCost(StreamFault):
    """The cost is told so many seconds after the answer's end."""

    seconds: float = 1.0

    def shape(self, plan: Plan) -> Plan:
        """Wait so long."""
        return replace(plan, cost_delay_seconds=self.seconds)


STREAM_FAULTS: tuple[type[StreamFault], ...] = (
    DropEvents,
    DelayEvents,
    DuplicateEvents,
    ReorderEvents,
    BatchEvents,
    Pace,
    CutSocket,
    RefetchChannel,
    MissedMessages,
    EarlyEvents,
    MessageState,
    PointsRunOut,
    HangStream,
    TitleFirst,
    ChatBreakDuring,
    OddCancellation,
    LateCost,
    UnknownEvents,
    GarbageFrames,
)
