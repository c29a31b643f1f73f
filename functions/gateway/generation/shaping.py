"""What of an upstream's answer is shown: stop sequences, the token limit, replaced text. Pure.

The shaper takes the upstream's events one by one and gives back those that a surface should encode. What it shows does
not depend on how the upstream cut its text into events.

- A stop sequence ends the answer before it; the one that is complete first wins, and of two that end at the same place
  the longer. Text that may be the beginning of one is held back until it is clear. The sequences form one automaton
  (Aho and Corasick, 1975). A state is the longest end of the text that begins a sequence; its number of characters is
  what has to be held back. Each character is looked at once.
- The token limit (estimated, see `usage`) ends the answer at the last character that fits.
- A replaced text can't be unsent on a stream. Progress notes that bots are known to replace are therefore held back
  while they are all there is. Otherwise, if the new text begins with what was sent, the rest of it follows; if not,
  the new text follows after an empty line. A buffered answer simply starts over.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

from gateway.generation import usage
from lazy_dataclasses import dataclass
from reverse.events import (
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
)


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
        # Most text begins no sequence; a search in C skips it, instead of a step of Python per character.
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
            # A shorter sequence may end inside the beginning of a longer one.
            if self._found[state] is None:
                self._found[state] = self._found[self._fallback[state]]
            for character, following in self._next[state].items():
                self._fallback[following] = self._after(self._fallback[state], character)
                waiting.append(following)


# "Thinking... (2s elapsed)", "Generating image (10s elapsed)": observed first texts of thinking and image bots that
# a later event replaces (docs/reference/poe-web.md#message-events).
_PROGRESS_NOTE = re.compile(
    r"[*_>\s]*(?:Thinking|Generating|Creating|Searching|Working|Loading)[^\n]{0,60}?"
    r"(?:\.{3}|…)?\s*(?:\(\d+s elapsed\)|(?:\.{3}|…))[*_\s]*"
)
_LONGEST_NOTE = 120


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Where an answer ends although the bot would go on."""

    max_tokens: int | None = None
    stop: Sequence[str] = ()

    def __bool__(self) -> bool:
        return self.max_tokens is not None or bool(self.stop)


_NO_LIMITS = AnswerLimits()


class AnswerShaper:
    """Shapes one answer. `is_over` says that nothing more will be shown: stop the upstream."""

    def __init__(self, limits: AnswerLimits = _NO_LIMITS, *, is_streamed: bool = True) -> None:
        self.is_over = False
        self.matched_stop: str | None = None
        """The stop sequence that ended the answer, if one did."""
        self._limits = limits
        self._is_limited = bool(limits)
        self._is_streamed = is_streamed
        # What was shown, in pieces: joined only when somebody asks.
        self._shown: list[str] = []
        self._shown_chars = 0
        # Estimated size of what was shown, as far as it was counted, and of the rest, in `usage` units.
        self._counted_pieces = 0
        self._counted_units = 0
        self._other_units = 0
        # Text that may begin a stop sequence.
        self._held = ""
        self._stops = StopFinder(limits.stop)
        # A progress note that is all the text so far; None once other text was seen.
        self._note: str | None = ""

    @property
    def text(self) -> str:
        """The text shown so far."""
        return "".join(self._shown)

    @property
    def completion_tokens(self) -> int:
        """The estimate for everything shown so far."""
        return -(-(self._shown_units() + self._other_units) // usage.UNITS_PER_TOKEN)

    def _shown_units(self) -> int:
        """Counted when somebody asks, not for every piece."""
        if self._counted_pieces < len(self._shown):
            self._counted_units += usage.units("".join(self._shown[self._counted_pieces :]))
            self._counted_pieces = len(self._shown)
        return self._counted_units

    def accept(self, text: str) -> bool:
        """Take text that is shown as it is, the common case; `False` leaves it to `shape`."""
        # Called for every piece of text, so it decides by what was computed before.
        if self._note is not None or self._is_limited or self.is_over:
            return False
        self._shown.append(text)
        self._shown_chars += len(text)
        return True

    def shape(self, event: Event) -> Iterator[Event]:
        """The events to encode in place of `event`. The last one of an answer is `Finished`, exactly once."""
        if self.is_over:
            return
        match event:
            # A refusal is no text of the answer: limits and stop sequences are not applied to it.
            case RefusalDelta(text):
                self._other_units += usage.units(text)
                yield event
            case TextDelta(text):
                yield from self._append(text)
            case TextReplaced(text):
                yield from self._replace(text)
            case Finished(reason):
                yield from self._flush()
                if not self.is_over:
                    yield from self._finish(reason)
            case ReasoningDelta(text) | ToolCallDelta(arguments=text):
                self._other_units += usage.units(text)
                yield event
            case _:
                yield event

    def _append(self, text: str) -> Iterator[Event]:
        if self._note is not None:
            text = self._note + text
            # The length first: a long answer that begins like a note must not be matched again with each piece.
            if self._is_streamed and len(text) <= _LONGEST_NOTE and _PROGRESS_NOTE.fullmatch(text):
                self._note = text
                return
            self._note = None
        yield from self._show_until_stop(text) if self._limits.stop else self._show(text)

    def _replace(self, text: str) -> Iterator[Event]:
        if not self._is_streamed:
            self._start_over()
            yield TextReplaced("")
            yield from self._append(text)
            return
        if self._note is not None:
            self._note = ""
            yield from self._append(text)
            return
        # What is held back was never sent, so it counts as replaced.
        self._forget_held()
        # What is shorter is another text: it is not compared, so that many short ones cost no more than they are long.
        goes_on = len(text) >= self._shown_chars and text.startswith(self.text)
        text = text[self._shown_chars :] if goes_on else "\n\n" + text
        if text:
            yield from self._append(text)

    def _start_over(self) -> None:
        self._shown.clear()
        self._shown_chars = self._counted_pieces = self._counted_units = 0
        self._forget_held()

    def _forget_held(self) -> None:
        self._held = ""
        # The automaton stood in the middle of the text that is gone.
        self._stops.reset()

    def _show_until_stop(self, text: str) -> Iterator[Event]:
        before, self._held = self._held, ""
        found = self._stops.feed(text)
        text = before + text
        if found is not None:
            end, stop = found
            yield from self._show(text[: len(before) + end - len(stop)])
            if not self.is_over:
                self.matched_stop = stop
                yield from self._finish(FinishReason.STOP)
            return
        keep = len(text) - self._stops.held
        self._held = text[keep:]
        yield from self._show(text[:keep])

    def _show(self, text: str) -> Iterator[Event]:
        if not text:
            return
        limit = self._limits.max_tokens
        # Reasoning and tool calls do not count here: only a text can be cut and still be of use.
        room = None if limit is None else limit * usage.UNITS_PER_TOKEN - self._shown_units()
        if room is not None and usage.units(text) > room:
            text = text[: usage.cut(text, room)]
            if text:
                yield self._record(text)
            yield from self._finish(FinishReason.LENGTH)
            return
        yield self._record(text)

    def _record(self, text: str) -> TextDelta:
        self._shown.append(text)
        self._shown_chars += len(text)
        return TextDelta(text)

    def _flush(self) -> Iterator[Event]:
        """What is held back is no progress note and no stop sequence after all."""
        note, self._note = self._note, None
        if note:
            yield from self._show_until_stop(note) if self._limits.stop else self._show(note)
        held, self._held = self._held, ""
        if not self.is_over:
            yield from self._show(held)

    def _finish(self, reason: FinishReason) -> Iterator[Event]:
        self.is_over = True
        yield Finished(reason)
