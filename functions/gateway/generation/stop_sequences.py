"""Finds stop sequences in text that arrives in pieces, looking at each character once. Pure.

The sequences form one automaton (Aho and Corasick, 1975). A state is the longest end of the text that begins a
sequence; its number of characters is what has to be held back.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence


class StopFinder:
    """Finds the sequence that is complete first; of two that end at the same place, the longer."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._depth = [0]
        # The longest sequence that ends in a state, and the state to go on from where no character fits.
        self._found: list[str | None] = [None]
        self._fallback = [0]
        for stop in filter(None, stops):
            self._add(stop)
        self._link()
        self._first = re.compile("[" + "".join(map(re.escape, self._next[0])) + "]") if self._next[0] else None
        self._state = 0

    @property
    def held(self) -> int:
        """How many characters at the end of the text may be the beginning of a sequence."""
        return self._depth[self._state]

    def feed(self, text: str) -> tuple[int, str] | None:
        """Take the next piece: where in it the first sequence ends, and which one it is."""
        at = 0
        while at < len(text):
            if self._state == 0:
                begin = self._first.search(text, at) if self._first else None
                if begin is None:
                    return None
                at = begin.start()
            self._state = self._after(self._state, text[at])
            at += 1
            found = self._found[self._state]
            if found is not None:
                return at, found
        return None

    def reset(self) -> None:
        """Forget the text so far."""
        self._state = 0

    def _after(self, state: int, character: str) -> int:
        while state and character not in self._next[state]:
            state = self._fallback[state]
        return self._next[state].get(character, 0)

    def _add(self, stop: str) -> None:
        state = 0
        for character in stop:
            following = self._next[state].get(character)
            if following is None:
                following = self._next[state][character] = len(self._next)
                self._next.append({})
                self._depth.append(self._depth[state] + 1)
                self._found.append(None)
                self._fallback.append(0)
            state = following
        self._found[state] = stop

    def _link(self) -> None:
        """Level by level: each state's fallback is shorter than itself."""
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            if self._found[state] is None:
                self._found[state] = self._found[self._fallback[state]]
            for character, following in self._next[state].items():
                self._fallback[following] = self._after(self._fallback[state], character)
                waiting.append(following)
