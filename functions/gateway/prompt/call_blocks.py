"""Finds the calls in a block that arrives in pieces, and the tag that closes it. Pure.

Each character is looked at once, whatever the block holds: escaped quotes, source code, closing tags inside of strings.
"""

from __future__ import annotations

import re

from gateway.prompt.model_json import ValueScanner

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
