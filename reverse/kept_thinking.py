"""Thinking that a bot keeps in the text of its answer, told apart from the answer. Pure, incremental.

Some bots begin their text with a heading `*Thinking...*` and their thoughts as quoted lines; the answer follows
(docs/reference/poe-official.md#chat-parameters). Others put their thoughts into a tag `<think>`, as open models write
them. Whoever reads the text as the answer would take an object in the thoughts for the answer's JSON.

Bots do not mark every line of their thoughts. What follows a quoted line without an empty line between them is held
back until it is clear what it is: thoughts, if a quoted line follows or if it ends a code fence that the thoughts have
opened; else the answer. Indented lines go on with the thought before them.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from reverse.events import Event, ReasoningDelta, TextDelta, TextReplaced

_HEADING = re.compile(
    r"\s*(?:\*{1,3}|_{1,2})Thinking(?:\.\.\.|…)[ \t]*(?:\([^()\n]{0,40}\))?(?:\*{1,3}|_{1,2})[ \t]*(?:\n\s*|$)"
)
_TAGS = ("<think>", "<thinking>")
_TAG = re.compile(r"\s*<(think|thinking)>[ \t]*\n?")
_VISIBLE = re.compile(r"\S")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_MARKS = "*_"
_WORD = "Thinking"
_AFTER_WORD = re.compile(r"[.…]*[ \t]*(?:\([^()\n]{0,40}\)?)?[*_ \t]*\s*")
_LONGEST_HEADING = 200
_QUOTE = ">"
# An answer that begins right below the thoughts is held back no longer than this.
_LONGEST_DOUBT = 8_000
_INDENTED = 2
_LINE_HEAD = 80


class _State(Enum):
    HEADING = auto()
    """It is not known yet whether there is thinking."""
    TAGGED = auto()
    """In a tag."""
    LINE_START = auto()
    """At the beginning of a line, of which it is not known yet whether it is quoted."""
    IN_LINE = auto()
    """In a line of thoughts."""
    IN_DOUBT = auto()
    """In a line without mark right below the thoughts."""
    ANSWER = auto()


class _Fence:
    """Whether a code fence is open, told by lines."""

    def __init__(self, mark: str = "") -> None:
        self.mark = mark

    def take(self, line: str) -> None:
        """Take in a whole line, or as much of its beginning as decides."""
        found = _FENCE.match(line)
        if found is None:
            return
        if not self.mark:
            self.mark = found[1]
        elif found[1].startswith(self.mark) and not line[found.end() :].strip():
            self.mark = ""


class _Doubt:
    """Lines without marks, as they are, of which it is not known yet what they are."""

    def __init__(self, fence: str = "") -> None:
        self.fence = _Fence(fence)
        self.chars = 0
        self._pieces: list[str] = []

    def __bool__(self) -> bool:
        return self.chars > 0

    def add(self, text: str) -> None:
        """Hold back more."""
        self._pieces.append(text)
        self.chars += len(text)

    def take(self) -> str:
        """All of it; nothing is left."""
        text, self._pieces, self.chars = "".join(self._pieces), [], 0
        return text


class KeptThinking:
    """Splits the text of one answer, piece by piece."""

    def __init__(self) -> None:
        self._state = _State.HEADING
        self._held = ""
        self._at = 0  # how far what is held was read: cut off once for each piece, not for each line
        self._has_thoughts = False
        self._end_tag = ""
        # Of the line that begins: whether an empty line came before it, and how far it is indented.
        self._is_apart = False
        self._indent = 0
        self._line = ""  # the beginning of the line that is read
        self._fence = _Fence()  # of the thoughts
        self._doubt = _Doubt()

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
        while self._at < len(self._held) and self._read_on(thoughts):
            pass
        self._held, self._at = self._held[self._at :], 0
        thought = "".join(thoughts)
        found: list[TextDelta | ReasoningDelta] = [ReasoningDelta(thought)] if thought else []
        return found + self._rest()

    def end(self) -> list[TextDelta | ReasoningDelta]:
        """No more text comes: what was held back belongs to the answer, if it is more than the space before it."""
        held, self._held = self._doubt.take() + self._held, ""
        is_thought = self._state is _State.TAGGED
        if self._state is _State.LINE_START:
            # White space between thoughts and an answer that never came.
            held = held.strip()
        self._state = _State.ANSWER
        if not held:
            return []
        return [ReasoningDelta(held) if is_thought else TextDelta(held)]

    def _rest(self) -> list[TextDelta | ReasoningDelta]:
        """All that is held, if the answer has begun."""
        return self.end() if self._state is _State.ANSWER else []

    def _read_heading(self) -> bool:
        """Take the heading or the tag off; whether it is complete and something follows it."""
        tag = _TAG.match(self._held)
        if tag is not None and tag.end() < len(self._held):
            self._state, self._end_tag = _State.TAGGED, f"</{tag[1]}>"
            self._held = self._held[tag.end() :]
            return True
        heading = _HEADING.match(self._held)
        # Something must follow: whether the next line is quoted decides between thoughts and an answer that begins so.
        if heading is not None and heading.end() < len(self._held):
            is_quoted = self._held[heading.end()] == _QUOTE
            self._state = _State.LINE_START if is_quoted else _State.ANSWER
            self._held = self._held[heading.end() :] if is_quoted else self._held
            return is_quoted
        may_be = heading is not None or tag is not None or _may_become_heading(self._held)
        # Nobody should wait for an answer that merely begins with a star.
        if len(self._held) > _LONGEST_HEADING or not may_be:
            self._state = _State.ANSWER
        return False

    def _read_on(self, thoughts: list[str]) -> bool:
        """Read on in what is held; false where more has to come first, or the answer begins."""
        match self._state:
            case _State.TAGGED:
                return self._read_tagged(thoughts)
            case _State.LINE_START:
                return self._begin_line(thoughts)
            case _State.IN_DOUBT:
                return self._read_doubtful(thoughts)
        return self._read_line(thoughts)

    def _read_tagged(self, thoughts: list[str]) -> bool:
        end = self._held.find(self._end_tag, self._at)
        if end < 0:
            # What may be the beginning of the end tag has to wait, and the line break before it.
            keep = _overlap(self._held, "\n" + self._end_tag) or _overlap(self._held, self._end_tag)
            told = len(self._held) - keep
            thoughts.append(self._held[self._at : told])
            self._at = told
            return False
        thoughts.append(self._held[self._at : end].removesuffix("\n"))
        self._at = end + len(self._end_tag)
        self._state = _State.LINE_START
        self._is_apart = True  # whatever comes now is the answer
        return True

    def _begin_line(self, thoughts: list[str]) -> bool:
        held, begin = self._held, self._at
        visible = _VISIBLE.search(held, begin)
        end = len(held) if visible is None else visible.start()
        newline = held.rfind("\n", begin, end)
        self._indent = end - newline - 1 if newline >= 0 else self._indent + end - begin
        self._is_apart = self._is_apart or newline >= 0
        self._at = end
        if self._doubt:
            self._doubt.add(held[begin:end])
        if visible is None:
            return False
        # Behind a tag a quoted line belongs to the answer: its thoughts were in the tag.
        if visible[0] == _QUOTE and not self._end_tag:
            return self._begin_quoted(thoughts)
        # An empty line ends the thoughts, unless it stands within a fence that they have opened.
        if self._is_apart and not (self._doubt and self._doubt.fence.mark):
            self._state = _State.ANSWER
            return False
        if not self._doubt and self._indent >= _INDENTED and not self._fence.mark:
            return self._begin_thought(thoughts, " " * min(self._indent, _LINE_HEAD))
        if not self._doubt:
            self._doubt = _Doubt(self._fence.mark)
            self._doubt.add(" " * min(self._indent, _LINE_HEAD))
        self._state = _State.IN_DOUBT
        return True

    def _begin_quoted(self, thoughts: list[str]) -> bool:
        if self._at + 1 == len(self._held):
            return False  # a space after the mark belongs to it
        self._settle(thoughts)
        self._at += 2 if self._held[self._at + 1] == " " else 1
        return self._begin_thought(thoughts, "")

    def _begin_thought(self, thoughts: list[str], indent: str) -> bool:
        self._add_line(thoughts, indent)
        self._line, self._state = "", _State.IN_LINE
        return True

    def _add_line(self, thoughts: list[str], text: str) -> None:
        thoughts += ["\n", text] if self._has_thoughts else [text]
        self._has_thoughts = True

    def _settle(self, thoughts: list[str]) -> None:
        """What was in doubt belongs to the thoughts."""
        if self._doubt:
            self._fence = self._doubt.fence
            self._add_line(thoughts, self._doubt.take().rstrip("\n"))

    def _read_line(self, thoughts: list[str]) -> bool:
        line, is_whole = self._piece()
        thoughts.append(line.removesuffix("\n"))
        if is_whole:
            self._fence.take(self._line)
            self._next_line()
        return True

    def _read_doubtful(self, thoughts: list[str]) -> bool:
        line, is_whole = self._piece()
        self._doubt.add(line)
        if is_whole:
            self._doubt.fence.take(self._line)
            self._next_line()
            if self._fence.mark and not self._doubt.fence.mark:
                self._settle(thoughts)  # it has ended a fence of the thoughts
        if self._doubt.chars > _LONGEST_DOUBT:
            self._state = _State.ANSWER
        return self._state is not _State.ANSWER

    def _piece(self) -> tuple[str, bool]:
        """What is there of the line, and whether that is all of it; its line break is part of it."""
        end = self._held.find("\n", self._at) + 1
        piece = self._held[self._at : end or len(self._held)]
        self._at += len(piece)
        self._line += piece[: _LINE_HEAD - len(self._line)]
        return piece, end > 0

    def _next_line(self) -> None:
        self._state = _State.LINE_START
        self._is_apart, self._indent, self._line = False, 0, ""


def _overlap(text: str, mark: str) -> int:
    """How many characters at the end of the text begin the mark, which is not complete."""
    longest = min(len(mark) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(mark[:size])), 0)


def _may_become_heading(text: str) -> bool:
    """Whether more text could make this a heading."""
    begun = text.lstrip()
    word = begun.lstrip(_MARKS)
    if not begun or any(tag.startswith(begun) for tag in _TAGS):
        return True
    if not word:
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
        # Reasoning can't be taken back: only what is new of it is said.
        more = thoughts.removeprefix(known) if thoughts.startswith(known) else thoughts
        return [*([ReasoningDelta(more)] if more else []), TextReplaced(answer)]
