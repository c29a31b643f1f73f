"""An answer as a list of actions on the wire, which faults change before it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from local.poe_web.answers import Snapshot
from local.poe_web.channel import OutFrame


@dataclass(frozen=True, slots=True)
class Update:
    """One frame with one `messageAdded` event per snapshot, sent `copies` times (0: lost on the way)."""

    snapshots: tuple[Snapshot, ...]
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is sent for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Title:
    """The chat gets its title, and `chatTitleUpdated` says so."""


@dataclass(frozen=True, slots=True)
class ChatBreak:
    """Somebody clears the chat's context from another device: a `chat_break` message appears."""


@dataclass(frozen=True, slots=True)
class Events:
    """A numbered frame with these events, given as JSON texts."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """A frame outside the numbering."""

    frame: OutFrame


@dataclass(frozen=True, slots=True)
class Cut:
    """Every socket of the channel is disconnected; the next `refuse` handshakes are turned away."""

    how: Literal["abrupt", "close"] = "abrupt"
    refuse: int = 0


@dataclass(frozen=True, slots=True)
class Refetch:
    """The channel moves: `refetchChannel` is sent and the old channel is gone."""


@dataclass(frozen=True, slots=True)
class Missed:
    """`missed_messages` is sent and nothing before it can be replayed."""


@dataclass(frozen=True, slots=True)
class Deplete:
    """The account's points are gone."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The answer stops here for good, and no event says so."""


Action = Update | Wait | Title | ChatBreak | Events | Raw | Cut | Refetch | Missed | Deplete | Stall


CancelNames = Literal["answer", "question", "nothing", "lost"]


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer to be sent.

    `pace_seconds` overrides the simulator's and the bot's pace. `early` is how many updates leave before the mutation
    is answered (-1: all). `titled` says that the plan sends the title itself. `cancel_names` is the message that the
    event names with which a cancelled answer ends; `lost` means that there is no such event. `cost_delay_seconds`
    overrides the simulator's.
    """

    actions: tuple[Action, ...]
    pace_seconds: float | None = None
    early: int = 0
    titled: bool = False
    cancel_names: CancelNames = "answer"
    cost_delay_seconds: float | None = None

    @classmethod
    def of(cls, snapshots: Iterable[Snapshot]) -> Plan:
        """The plain plan: one frame per snapshot."""
        return cls(tuple(Update((snapshot,)) for snapshot in snapshots))

    def at(self, updates: int) -> int:
        """The index in `actions` behind so many updates (or at the end)."""
        seen = 0
        for i, action in enumerate(self.actions):
            if seen == updates:
                return i
            seen += isinstance(action, Update)
        return len(self.actions)

    def insert(self, updates: int, *actions: Action) -> Plan:
        """The plan with `actions` after so many updates."""
        i = self.at(updates)
        return replace(self, actions=self.actions[:i] + actions + self.actions[i:])

    def end(self, updates: int, *actions: Action) -> Plan:
        """The plan that ends with `actions` after so many updates."""
        return replace(self, actions=self.actions[: self.at(updates)] + actions)

    def last_before(self, updates: int) -> Snapshot:
        """What the bot had said after so many updates."""
        shown = [a.snapshots[-1] for a in self.actions[: self.at(updates)] if isinstance(a, Update)]
        return shown[-1] if shown else Snapshot("", 0)


class StreamFault:
    """A fault of an answer on its way."""

    def shape(self, plan: Plan) -> Plan:
        """The plan under this fault."""
        raise NotImplementedError
