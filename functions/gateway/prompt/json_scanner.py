"""Finds the end of a JSON object or array that arrives in pieces, looking at each character once. Pure."""

from __future__ import annotations

import re

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
        if self._is_escaped and at < len(text):
            at, self._is_escaped = at + 1, False
        while at < len(text) and not (self.is_complete or self.is_too_deep):
            at = self._scan_string(text, at) if self._is_in_string else self._scan_structure(text, at)
        return at

    def _scan_string(self, text: str, start: int) -> int:
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
            self.is_complete = self._depth <= 0
        return at + 1


def is_too_deep(text: str, start: int = 0) -> bool:
    """Whether the value that begins at `start` is nested more than `MAX_DEPTH` levels."""
    if text.count("{", start) + text.count("[", start) <= MAX_DEPTH:
        return False
    scanner = ValueScanner()
    scanner.scan(text, start)
    return scanner.is_too_deep
