"""JSON as models write it: read within a bounded depth and, where asked for, in spite of small mistakes. Pure.

Every function takes time in proportion to its text, and gives the same result on every version of Python. A block of
tool calls that arrives in pieces is scanned for its objects and its closing tag, each character once, whatever the
block holds: escaped quotes, source code, closing tags inside of strings.
"""

from __future__ import annotations

import json
import re
from typing import Any

# As deep as a request's body may be. Python's own parser gives up at a depth that depends on its version and the stack.
MAX_DEPTH = 100
_OUTSIDE = re.compile(r'[^"{}\[\]]*+')
_INSIDE = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)


class ValueScanner:
    """Scans one object or array. Whether it is valid JSON is for the parser to say."""

    def __init__(self) -> None:
        self.is_complete = False
        self.is_too_deep = False
        """Whether it is nested more than `MAX_DEPTH` levels; scanning ends there."""
        self._depth = 0
        self._is_in_string = False
        # Whether the last piece ended with a backslash, which belongs to the next character.
        self._is_escaped = False

    def scan(self, text: str, start: int = 0) -> int:
        """Take the next piece, from `start` on. Gives where the value ends in it, else the length of the text."""
        at = start
        # The escaped character is skipped, whatever it is: a quote there does not end the string.
        if self._is_escaped and at < len(text):
            at, self._is_escaped = at + 1, False
        while at < len(text) and not (self.is_complete or self.is_too_deep):
            at = self._scan_string(text, at) if self._is_in_string else self._scan_structure(text, at)
        return at

    def _scan_string(self, text: str, start: int) -> int:
        # In C up to the next character that matters, so that a long string takes no step of Python per character.
        at = _INSIDE.match(text, start).end()  # type: ignore[union-attr]  # matches the empty string, too
        if at == len(text):
            return at
        if text[at] == '"':
            self._is_in_string = False
        else:
            self._is_escaped = True
        return at + 1

    def _scan_structure(self, text: str, start: int) -> int:
        at = _OUTSIDE.match(text, start).end()  # type: ignore[union-attr]  # as above
        if at == len(text):
            return at
        mark = text[at]
        if mark == '"':
            self._is_in_string = True
        elif mark in "{[":
            self._depth += 1
            self.is_too_deep = self._depth > MAX_DEPTH
        else:
            self._depth -= 1
            # A closing bracket of the wrong kind counts as well: whether it fits is for the parser to say.
            self.is_complete = self._depth <= 0
        return at + 1


def is_too_deep(text: str, start: int = 0) -> bool:
    """Whether the value that begins at `start` is nested more than `MAX_DEPTH` levels."""
    # Too few brackets to be too deep, strings included: most texts need no scan.
    if text.count("{", start) + text.count("[", start) <= MAX_DEPTH:
        return False
    scanner = ValueScanner()
    scanner.scan(text, start)
    return scanner.is_too_deep


# A string, of which group 1 is the closing quote unless it was cut; a bracket; a comma that says nothing.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:(")|\\?\Z)|[\[\]{}]|,(?=\s*+[}\]])', re.DOTALL)


class TooDeepError(ValueError):
    """The value is nested more levels than are read."""


def _refuse_constant(name: str) -> None:
    """NaN and Infinity would make JSON that no caller's parser reads."""
    raise ValueError(name)


# Raw line breaks inside strings are a frequent mistake that changes nothing.
_LENIENT = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)
_STRICT = json.JSONDecoder(parse_constant=_refuse_constant)


def decode(text: str) -> Any:
    """The value that is the whole text; control characters in strings are accepted. Raises `ValueError`."""
    # Before the parser, which would give up at a depth of its own.
    _check_depth(text, 0)
    return _bounded(lambda: _LENIENT.decode(text))


def decode_strictly_at(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends, as any JSON parser reads it. Raises `ValueError`."""
    found: tuple[Any, int] = _bounded(lambda: _STRICT.raw_decode(text, start))
    value, end = found
    # Afterwards, since only the parser knows where the value ends; text behind it does not count.
    if text.count("{", start, end) + text.count("[", start, end) > MAX_DEPTH:
        _check_depth(text, start)
    return value, end


def decode_tolerantly(text: str) -> Any:
    """As `decode`, if need be without trailing commas and with open brackets closed; `None` if that is not enough.

    A string that was cut stays cut, because its end can't be made up: such a text is never read.
    """
    text = text.strip()
    try:
        return decode(text)
    except ValueError:
        repaired = _repaired(text)
    if repaired is None or repaired == text:
        return None
    try:
        return decode(repaired)
    except ValueError:
        return None


def _check_depth(text: str, start: int) -> None:
    if is_too_deep(text, start):
        raise TooDeepError("the JSON is nested too deeply")


def _bounded(read: Any) -> Any:
    try:
        return read()
    except RecursionError:
        raise TooDeepError("the JSON is nested too deeply") from None


def _repaired(text: str) -> str | None:
    """The text without trailing commas and with closing brackets for the open ones; `None` if a string was cut."""
    pieces: list[str] = []
    closers: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark[0] == '"':
            if token[1] is None:
                return None
        elif mark == ",":
            pieces.append(text[end : token.start()])
            end = token.end()
        elif mark in "[{":
            closers.append("]" if mark == "[" else "}")
            if len(closers) > MAX_DEPTH:
                return None
        # A bracket that closes nothing stays; the parser then refuses the whole.
        elif closers and closers[-1] == mark:
            closers.pop()
    return "".join([*pieces, text[end:], *reversed(closers)])


_CLOSING = "</tool_call"
CLOSING_TAG = re.compile(r"</tool_calls?\s*+>?", re.IGNORECASE)
# A brace too many at the end of a call is one of the frequent mistakes.
_SKIPPED = re.compile(r"[\s,\[\]}]*+")
_FENCE = "```"
_WORD = re.compile(r"\w*+")


class BlockScanner:
    """Scans one block. After `scan` has said that something is complete, call it again for what follows."""

    def __init__(self) -> None:
        self.is_closed = False
        """Whether the closing tag was found."""
        self.has_objects = False
        """Whether an object was taken."""
        # What follows the last object, in pieces; `_value` finds where the object under way ends.
        self._rest: list[str] = []
        self._value: ValueScanner | None = None
        # Whether something else than calls was found: then only the end of the answer tells what it is.
        self._is_stuck = False
        # The beginning of a fence or a closing tag that goes on in the next piece, and whether a fence's word may.
        self._undecided = ""
        self._is_in_fence = False

    def scan(self, text: str, start: int) -> tuple[str | None, int]:
        """Take the text from `start` on, as far as an object is complete or the block closed.

        Gives the object, if one is complete, and where scanning stopped.
        """
        at = start
        while at < len(text) and not self.is_closed:
            # Kept whole for the end of the answer, where tolerant reading sees all of it at once.
            if self._is_stuck:
                self._rest.append(text[at:])
                return None, len(text)
            begin = at
            at = self._scan_between(text, at) if self._value is None else self._value.scan(text, at)
            if self._undecided:
                return None, at
            self._rest.append(text[begin:at])
            value = self._value
            if value is not None and value.is_too_deep:
                self._is_stuck = True
            elif value is not None and value.is_complete:
                return self._object(), at
        return None, at

    def give_up(self, text: str) -> None:
        """The object that was found can't be read: it and what follows wait for the end of the answer."""
        self._rest = [text]
        self._is_stuck = True

    def take(self) -> None:
        """The object that was found was read."""
        self.has_objects = True

    def rest(self) -> str:
        """What follows the last object, when nothing more comes."""
        return "".join(self._rest) + self._undecided

    def _object(self) -> str:
        found = "".join(self._rest)
        self._rest, self._value = [], None
        return found

    def _scan_between(self, text: str, start: int) -> int:
        """One step through what stands between calls."""
        if self._undecided:
            return self._decide(text, start)
        if self._is_in_fence:
            at = _WORD.match(text, start).end()  # type: ignore[union-attr]  # matches the empty string, too
            # The fence's word (`json`) may be cut in two by the upstream.
            self._is_in_fence = at == len(text)
            return at
        at = _SKIPPED.match(text, start).end()  # type: ignore[union-attr]  # as above
        if at > start or at == len(text):
            return at
        if text[at] == "{":
            self._rest, self._value = [], ValueScanner()
            return at
        return self._decide(text, at)

    def _decide(self, text: str, start: int) -> int:
        """A fence or a closing tag, of which the beginning may have come before; anything else ends the scanning."""
        before = self._undecided
        head = (before + text[start : start + len(_CLOSING)])[: len(_CLOSING)]
        folded = head.lower()
        # Undecided: the rest of the mark may come with the next piece.
        if folded not in (_FENCE, _CLOSING) and (_FENCE.startswith(folded) or _CLOSING.startswith(folded)):
            self._undecided = head
            return len(text)
        self._undecided = ""
        self._rest.append(before)
        if folded.startswith(_FENCE):
            self._is_in_fence = True
            return start + len(_FENCE) - len(before)
        if folded == _CLOSING:
            self.is_closed = True
            return start + len(_CLOSING) - len(before)
        self._is_stuck = True
        return start
