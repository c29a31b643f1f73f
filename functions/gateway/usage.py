"""How many tokens a text has, roughly: for uses where the upstream does not say.

Four bytes of UTF-8 count as one token. That fits English prose and code in the usual vocabularies, gives other
alphabets half a token per character and Han, kana and hangul three quarters. The estimate is exact in bytes, so it
does not depend on how a text was cut into pieces. Whoever shows an estimate marks it as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reverse.events import UsageReported

UNITS_PER_TOKEN = 4
# A turn's role and separators (OpenAI's published counting rule says 3 or 4).
TOKENS_PER_MESSAGE = 4


def units(text: str) -> int:
    """The estimate for `text` in quarters of a token."""
    return len(text) if text.isascii() else len(_encode(text))


def tokens(text: str) -> int:
    """The estimate in whole tokens, rounded up."""
    return -(-units(text) // UNITS_PER_TOKEN)


def cut(text: str, allowed_units: int) -> int:
    """How many leading characters of `text` fit into `allowed_units`."""
    if text.isascii():
        return min(len(text), max(0, allowed_units))
    # A character that the limit cuts in two is dropped.
    return len(_encode(text)[: max(0, allowed_units)].decode("utf-8", "ignore"))


def _encode(text: str) -> bytes:
    # Half surrogates, which JSON can smuggle in, count as one byte instead of failing.
    return text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What one answer consumed. `is_estimated` if any of the token counts is ours rather than the upstream's."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    points: int | None = None
    is_estimated: bool = True

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

    def to_chat(self) -> dict[str, Any]:
        """OpenAI's chat usage object; `estimated` and `points` are extensions."""
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
        if self.points is not None:
            usage["points"] = self.points
        return usage
