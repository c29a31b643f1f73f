"""Whether a call came that had to, from models that know tools natively. Pure.

Not every endpoint of Poe's official API passes `tool_choice` on, and not every model keeps to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.prompt.answer_readers import AnswerReader, Correction, Failure
from gateway.prompt.tool_specs import ToolSpecs
from reverse.events import Event, FinishReason, RefusalDelta, TextDelta, TextReplaced, ToolCallDelta

_MISSING = Failure("The model did not call a tool as it had to.", "tool_call_missing")


class RequiredCallReader(AnswerReader):
    """Holds text back until a call comes that was asked for; calls of other tools than a named one are left out."""

    def __init__(self, specs: ToolSpecs) -> None:
        self._named: str | None = specs.choice["function"]["name"] if isinstance(specs.choice, Mapping) else None
        self._held: list[str] = []
        # Our numbers of the calls that are passed on, by the upstream's.
        self._renumbered: dict[int, int] = {}
        # A model that declines in so many words has answered.
        self._is_refused = False
        self._is_second = False

    def feed(self, event: Event) -> list[Event]:
        match event:
            case RefusalDelta():
                self._is_refused = True
            case ToolCallDelta():
                return self._call(event)
            case TextDelta(text) if not self._renumbered:
                # Words before a call are passed on with it; without a call they are not what was asked for.
                self._held.append(text)
                return []
            case TextReplaced(text) if not self._renumbered:
                self._held = [text]
                return []
        return [event]

    def finish(self, reason: FinishReason) -> list[Event]:
        is_second, self._is_second = self._is_second, True
        self.correction = self.failure = None
        is_whole = reason in (FinishReason.STOP, FinishReason.TOOL_CALLS)
        if self._renumbered or self._is_refused or not is_whole:
            # Cut short: callers learn it from the finish reason, and get what there is.
            return self._release()
        if not is_second:
            self.correction = Correction(self._what_to_do(), answer="".join(self._held))
        self._held = []
        self.failure = _MISSING
        return []

    def reason(self, reason: FinishReason) -> FinishReason:
        return FinishReason.TOOL_CALLS if self._renumbered and reason is FinishReason.STOP else reason

    def _call(self, event: ToolCallDelta) -> list[Event]:
        if event.index not in self._renumbered:
            # Its later pieces are left out as well: their index is not in the table.
            if self._named is not None and event.name != self._named:
                return []
            # Callers expect indexes from 0 without gaps.
            self._renumbered[event.index] = len(self._renumbered)
        return [*self._release(), replace(event, index=self._renumbered[event.index])]

    def _release(self) -> list[Event]:
        text, self._held = "".join(self._held), []
        return [TextDelta(text)] if text else []

    def _what_to_do(self) -> str:
        tool = f"the tool {self._named}" if self._named else "at least one of the tools"
        return f"Your answer can't be used: no tool was called as asked. Call {tool} now."
