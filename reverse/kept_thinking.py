"""Thinking that a bot keeps in the text of its answer, told apart from the answer. Pure, incremental.

Some bots begin their text with a heading `*Thinking...*` and their thoughts as quoted lines; the answer follows
(docs/reference/poe-official.md#chat-parameters). Whoever reads the text as the answer would take an object in the
thoughts for the answer's JSON.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from reverse.events import Event, ReasoningDelta, TextDelta, TextReplaced

_HEADING = re.compile(r"\s*(?:\*{1,3}|_{1,2})Thinking(?:\.\.\.|…)(?:\*{1,3}|_{1,2})[ \t]*(?:\n\s*|$)")
_VISIBLE = re.compile(r"\S")
_MARKS = "*_"
_WORD = "Thinking"
_AFTER_WORD = re.compile(r"[.…*_ \t]*\s*")
_LONGEST_HEADING = 200
_QUOTE = ">"


class _State(Enum):
    HEADING = auto()
    """It is not known yet whether there is thinking."""
    LINE_START = auto()
    """At the beginning of a line, of which it is not known yet whether it is quoted."""
    IN_LINE = auto()
    """In a quoted line."""
    ANSWER = auto()


class KeptThinking:
    """Splits the text of one answer, piece by piece."""

    def __init__(self) -> None:
        self._state = _State.HEADING
        self._held = ""
        self._at = 0  # how far what is held was read: cut off once for each piece, not for each line
        self._thoughts = 0  # characters of thinking so far

    @property
    def is_over(self) -> bool:
        """Whether all that follows is the answer."""
        return self._state is _State.ANSWER

    def feed(self, text: str) -> list[TextDelta | ReasoningDelta]:
        """What a piece of text adds to the thinking and to the answer."""
        if self.is_over:
            return [TextDelta(text)] if text else []
        self._held += text
        if self._state is _State.HEADING and not self._read_heading():
            return self._rest()
        thoughts: list[str] = []
        while self._at < len(self._held) and self._read_line(thoughts):
            pass
        self._held, self._at = self._held[self._at :], 0
        thought = "".join(thoughts)
        found: list[TextDelta | ReasoningDelta] = [ReasoningDelta(thought)] if thought else []
        return found + self._rest()

    def end(self) -> list[TextDelta | ReasoningDelta]:
        """No more text comes: what was held back belongs to the answer, if it is more than the space before it."""
        held, self._held = self._held, ""
        if self._state is _State.LINE_START:
            held = held.strip()
        self._state = _State.ANSWER
        return [TextDelta(held)] if held else []

    def _rest(self) -> list[TextDelta | ReasoningDelta]:
        """All that is held, if the answer has begun."""
        return self.end() if self._state is _State.ANSWER else []

    def _read_heading(self) -> bool:
        """Take the heading off; whether it is complete and something follows it."""
        heading = _HEADING.match(self._held)
        if heading is not None and heading.end() < len(self._held):
            is_quoted = self._held[heading.end()] == _QUOTE
            self._state = _State.LINE_START if is_quoted else _State.ANSWER
            self._held = self._held[heading.end() :] if is_quoted else self._held
            return is_quoted
        if len(self._held) > _LONGEST_HEADING or (heading is None and not _may_become_heading(self._held)):
            self._state = _State.ANSWER
        return False

    def _read_line(self, thoughts: list[str]) -> bool:
        """Read on in what is held; false where more has to come first, or the answer begins."""
        held = self._held
        if self._state is _State.LINE_START:
            visible = _VISIBLE.search(held, self._at)
            if visible is None:
                self._at = len(held)
                return False
            self._at = visible.start()
            if visible[0] != _QUOTE:
                self._state = _State.ANSWER
                return False
            if self._at + 1 == len(held):
                return False  # a space after the mark belongs to it
            if self._thoughts:
                thoughts.append("\n")
            self._state = _State.IN_LINE
            self._at += 2 if held[self._at + 1] == " " else 1
        end = held.find("\n", self._at)
        line = held[self._at :] if end < 0 else held[self._at : end]
        thoughts.append(line)
        self._thoughts += len(line) + 1
        self._at = len(held) if end < 0 else end + 1
        if end >= 0:
            self._state = _State.LINE_START
        return True


def _may_become_heading(text: str) -> bool:
    """Whether more text could make this a heading."""
    begun = text.lstrip()
    word = begun.lstrip(_MARKS)
    if not begun or not word:
        return True
    if word == begun:
        return False  # it has no marks
    return _WORD.startswith(word) or (word.startswith(_WORD) and bool(_AFTER_WORD.fullmatch(word[len(_WORD) :])))


class ThinkingFilter:
    """Applies that to the events of one answer whose text may be replaced."""

    def __init__(self) -> None:
        self._kept = KeptThinking()
        self._thoughts = ""

    def events(self, events: list[Event]) -> list[Event]:
        """The events with kept thinking as `ReasoningDelta`."""
        found: list[Event] = []
        for event in events:
            if isinstance(event, TextReplaced):
                found += self._replaced(event.text)
            elif isinstance(event, TextDelta) and not self._kept.is_over:
                found += self._noted(self._kept.feed(event.text))
            else:
                found.append(event)
        return found

    def end(self) -> list[Event]:
        """What was held back."""
        return list(self._kept.end())

    def _noted(self, events: list[TextDelta | ReasoningDelta]) -> list[TextDelta | ReasoningDelta]:
        self._thoughts += "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        return events

    def _replaced(self, text: str) -> list[Event]:
        self._kept = KeptThinking()
        events = self._kept.feed(text)
        thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        answer = "".join(event.text for event in events if isinstance(event, TextDelta))
        known, self._thoughts = self._thoughts, thoughts
        more = thoughts.removeprefix(known) if thoughts.startswith(known) else thoughts
        return [*([ReasoningDelta(more)] if more else []), TextReplaced(answer)]
