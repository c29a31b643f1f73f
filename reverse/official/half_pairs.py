"""Characters that an upstream cut in two between events: the halves of an emoji are put together. Pure.

JSON can carry one half of a surrogate pair, which is no text by itself. The first half is held back until the next
piece of the same text; a half that stays alone becomes the replacement character.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from reverse.events import Event, Finished, ReasoningDelta, TextDelta, ToolCallDelta

_Piece = TypeVar("_Piece", TextDelta, ReasoningDelta)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class HalfPairs:
    """Mends the events of one answer."""

    def __init__(self) -> None:
        # Public, because it is looked at for every event: a property would cost more than the look.
        self.held: dict[object, str] = {}
        """The first halves that are held back: the last character of a kind of text."""

    def mend(self, events: list[Event]) -> list[Event]:
        """The events with whole characters only. Pieces of which nothing is left are left out."""
        mended: list[Event] = []
        for event in events:
            match event:
                case TextDelta():
                    mended += self._piece(event)
                case ReasoningDelta():
                    mended += self._piece(event)
                case ToolCallDelta(index, arguments):
                    whole = self._joined(index, arguments)
                    # The beginning of a call has an id and often no arguments yet.
                    if whole or event.id is not None or event.extra_content:
                        mended.append(replace(event, arguments=whole))
                case Finished():
                    mended += [*self._left_over(), event]
                case _:
                    mended.append(event)
        return mended

    def _piece(self, event: _Piece) -> list[_Piece]:
        text = self._joined(type(event), event.text)
        return [replace(event, text=text)] if text else []

    def _joined(self, kind: object, text: str) -> str:
        text = self.held.pop(kind, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self.held[kind] = text[-1]
            text = text[:-1]
        # By way of UTF-16, which joins two halves that Python keeps as two characters.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _left_over(self) -> list[Event]:
        kinds, self.held = list(self.held), {}
        events: list[Event] = []
        for kind in kinds:
            # A number is a tool call's index, anything else the type of a text.
            if isinstance(kind, int):
                events.append(ToolCallDelta(kind, _REPLACEMENT))
            else:
                events.append(ReasoningDelta(_REPLACEMENT) if kind is ReasoningDelta else TextDelta(_REPLACEMENT))
        return events
