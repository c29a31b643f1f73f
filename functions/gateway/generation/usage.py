"""What an answer consumes: the upstream's word, else an estimate; of one send, and of all sends of an answer. Pure.

Every byte of the text's UTF-8 weighs something: ASCII by what kind of character it is, other characters at their first
byte, which tells their script. The sum does not depend on how a text was cut into pieces. The weights were fitted to
the `o200k_base` vocabulary (November 2026; table of errors in docs/api/usage.md, corpus in the tests). Whoever
shows an estimate marks it as one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import astuple
from itertools import accumulate
from typing import Any

from lazy_dataclasses import dataclass
from reverse.events import UsageReported

UNITS_PER_TOKEN = 100
# A turn's role and separators (OpenAI's published counting rule says 3 or 4).
TOKENS_PER_MESSAGE = 4

# Last byte of each range, and the weight of the range in units. Bytes that continue a character weigh nothing.
_RANGES = (
    (0x1F, 39),  # line ends, tabs
    (0x20, 4),  # spaces: most belong to the word after them
    (0x2F, 65),  # punctuation
    (0x39, 60),  # digits
    (0x40, 65),
    (0x5A, 25),  # capitals
    (0x60, 65),
    (0x7A, 24),  # small letters
    (0x7F, 65),
    (0xBF, 0),
    (0xCD, 68),  # Latin letters with marks
    (0xCF, 45),  # Greek
    (0xD5, 30),  # Cyrillic, Armenian
    (0xD7, 45),  # Hebrew
    (0xDF, 35),  # Arabic
    (0xE0, 42),  # the scripts of India, Thai
    (0xE2, 147),  # typographic marks and symbols
    (0xE3, 66),  # kana
    (0xE9, 83),  # Han
    (0xED, 76),  # Hangul
    (0xEF, 147),
    (0xFF, 192),  # emoji, rare characters
)


def _weights() -> bytes:
    table = bytearray()
    for last, weight in _RANGES:
        table += bytes([weight]) * (last + 1 - len(table))
    return bytes(table)


_WEIGHTS = _weights()
# Of longer texts only some places are counted.
_SAMPLED_CHARS = 65_536
_SAMPLES = 16


def units(text: str) -> int:
    """The estimate for `text` in hundredths of a token."""
    return sum(_encode(text).translate(_WEIGHTS))


def tokens(text: str) -> int:
    """The estimate in whole tokens, rounded up. Takes no longer for a text of megabytes than for one of a few pages."""
    if len(text) <= _SAMPLED_CHARS:
        return -(-units(text) // UNITS_PER_TOKEN)
    step, size = len(text) // _SAMPLES, _SAMPLED_CHARS // _SAMPLES
    sample = "".join(text[start : start + size] for start in range(0, step * _SAMPLES, step))
    return -(-units(sample) * len(text) // (len(sample) * UNITS_PER_TOKEN))


def cut(text: str, allowed_units: int) -> int:
    """How many leading characters of `text` fit into `allowed_units`."""
    data = _encode(text)
    # The bytes that continue a character weigh nothing, so `bisect_right` takes a character with all of its bytes or
    # none.
    size = bisect_right(list(accumulate(data.translate(_WEIGHTS))), allowed_units)
    return len(data[:size].decode())


def _encode(text: str) -> bytes:
    # Half surrogates, which JSON can smuggle in, count as a question mark instead of failing.
    return text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What one answer consumed. `is_estimated` if any of the token counts is ours rather than the upstream's."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    points: int | None = None
    """What it cost, as far as is known now; `None` if that is unknown for any part of it."""
    is_estimated: bool = True
    points_estimated: bool = False
    """Whether any of the points are an estimate rather than the upstream's word."""

    @classmethod
    def of(cls, reported: UsageReported | None, *, prompt_tokens: int, completion_tokens: int) -> TokenUsage:
        """The upstream's numbers where it gave them, else the estimates."""
        if reported is None:
            return cls(prompt_tokens, completion_tokens)
        prompt, completion = reported.prompt_tokens, reported.completion_tokens
        return cls(
            prompt_tokens if prompt is None else prompt,
            completion_tokens if completion is None else completion,
            reported.cached_tokens,
            reported.reasoning_tokens,
            reported.points,
            is_estimated=prompt is None or completion is None,
        )

    @classmethod
    def total(cls, usages: Iterable[TokenUsage]) -> TokenUsage:
        """What several answers consumed together. A number that none of them has stays unknown.

        So do points that one of them does not have: less than was spent would be wrong.
        """
        parts = list(usages)

        def known(numbers: Iterable[int | None]) -> int | None:
            found = [number for number in numbers if number is not None]
            # Details are optional: an answer without them adds nothing. Points must be known of all, see `_all_points`.
            return sum(found) if found else None

        return cls(
            sum(part.prompt_tokens for part in parts),
            sum(part.completion_tokens for part in parts),
            known(part.cached_tokens for part in parts),
            known(part.reasoning_tokens for part in parts),
            _all_points(part.points for part in parts),
            is_estimated=any(part.is_estimated for part in parts),
            points_estimated=all(part.points is not None for part in parts)
            and any(part.points_estimated for part in parts),
        )

    def to_chat(self) -> dict[str, Any]:
        """OpenAI's chat usage object; `estimated` and those of `shown_points` are extensions."""
        usage: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }
        if self.cached_tokens is not None:
            usage["prompt_tokens_details"] = {"cached_tokens": self.cached_tokens}
        if self.reasoning_tokens is not None:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning_tokens}
        usage["estimated"] = self.is_estimated
        return usage | self.shown_points()

    def shown_points(self) -> dict[str, Any]:
        """`points`, null where they are unknown, and whether they are an estimate."""
        return points_fields(self.points, is_estimated=self.points_estimated)


def points_fields(points: int | None, *, is_estimated: bool) -> dict[str, Any]:
    """The extensions of a `usage` object that say what was spent: null where that is unknown."""
    return {"points": points, "points_estimated": is_estimated}


UNKNOWN_POINTS = points_fields(None, is_estimated=False)


_NOTHING = UsageReported()


class Spending:
    """Adds up sends. Where the upstream does not say, tokens are estimated, and points are the estimate for the send.

    Points add up to what the ledger's entries for these sends say.
    """

    def __init__(self, prompt_tokens: int) -> None:
        self._prompt_tokens = prompt_tokens
        # Of the ended sends: what was reported, and the estimates for answers of which nothing was.
        self._ended = _NOTHING
        self._estimated_prompts = 0
        self._current: UsageReported | None = None
        # Points: of the ended sends, unknown if one is; the estimate for the send under way.
        self._points: int | None = 0
        self._points_estimated = False
        self._estimate: int | None = None

    def begin(self, estimate: int | None) -> None:
        """Another send is under way, which will probably cost so many points; `None` if nobody can tell."""
        # The same number as in the ledger's entry, so that both say the same until the cost is known.
        self._estimate = estimate

    def report(self, event: UsageReported) -> None:
        """The upstream's word on the send under way; a later one replaces an earlier."""
        self._current = event

    @property
    def is_reported(self) -> bool:
        """Whether the upstream has said anything about the send under way."""
        return self._current is not None

    @property
    def points(self) -> int | None:
        """What the send under way has cost, as far as the upstream said."""
        return self._current.points if self._current else None

    def of_last(self, completion_tokens: int) -> TokenUsage:
        """What the send under way has consumed; `completion_tokens` is the estimate for its answer."""
        return TokenUsage.of(self._current, prompt_tokens=self._prompt_tokens, completion_tokens=completion_tokens)

    def end(self, *, was_answered: bool, is_free: bool = False) -> None:
        """The send under way is over, and another one follows. `is_free`: it was refused, or never sent."""
        self._points, self._points_estimated = self._cost(is_last_free=is_free)
        if self._current is not None:
            self._ended = _sum(self._ended, self._current)
        # Without a report the prompt was read, as far as anybody knows; a refused one was not.
        elif was_answered:
            self._estimated_prompts += self._prompt_tokens
        self._current = None
        self._estimate = None

    def _cost(self, *, is_last_free: bool) -> tuple[int | None, bool]:
        """Points of all sends, the one under way included, and whether they are an estimate."""
        last = self.points
        is_estimate = last is None and not is_last_free
        if last is None:
            # Free is known to be 0. Without an estimate it stays unknown, and so does the sum.
            last = 0 if is_last_free else self._estimate
        return _all_points((self._points, last)), self._points_estimated or is_estimate

    def total(self, completion_tokens: int, *, is_last_free: bool = False) -> TokenUsage:
        """What all sends have consumed; `completion_tokens` is the estimate for what the caller was shown.

        `is_last_free`: the send under way was refused, or never sent.
        """
        points, points_estimated = self._cost(is_last_free=is_last_free)
        last, ended = self.of_last(completion_tokens), self._ended
        return TokenUsage(
            last.prompt_tokens + (ended.prompt_tokens or 0) + self._estimated_prompts,
            last.completion_tokens + (ended.completion_tokens or 0),
            _add(last.cached_tokens, ended.cached_tokens),
            _add(last.reasoning_tokens, ended.reasoning_tokens),
            points,
            is_estimated=last.is_estimated or self._estimated_prompts > 0,
            points_estimated=points is not None and points_estimated,
        )


def _all_points(points: Iterable[int | None]) -> int | None:
    """The sum, if all of them are known and there are any."""
    found = list(points)
    known = [number for number in found if number is not None]
    return sum(known) if found and len(known) == len(found) else None


def _sum(one: UsageReported, other: UsageReported) -> UsageReported:
    return UsageReported(*(_add(a, b) for a, b in zip(astuple(one), astuple(other), strict=True)))


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
