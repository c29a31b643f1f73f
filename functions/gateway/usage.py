"""How many tokens a text has, roughly: for uses where the upstream does not say.

The estimate is a sum over characters, so it does not depend on how a text was cut into pieces. It counts in twelfths of
a token to stay exact in integers. Whoever shows an estimate marks it as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reverse.events import UsageReported

UNITS_PER_TOKEN = 12
# English prose and code have about four characters per token in the usual vocabularies.
_ASCII = 3
# Alphabets other than the Latin one: about two characters per token.
_ALPHABETIC = 6
# From here on: Han, kana, hangul and their punctuation, about one token per character.
_FIRST_IDEOGRAPHIC = 0x2E80
_IDEOGRAPHIC = 12
# Emoji and everything else beyond the first plane: two tokens and more.
_FIRST_ASTRAL = 0x10000
_ASTRAL = 24
# A turn's role and separators (OpenAI's published counting rule says 3 or 4).
TOKENS_PER_MESSAGE = 4


def units(text: str) -> int:
    """The estimate for `text` in twelfths of a token. Fast for ASCII."""
    if text.isascii():
        return len(text) * _ASCII
    return sum(map(_character_units, text))


def _character_units(character: str) -> int:
    code = ord(character)
    if code < 0x80:  # noqa: PLR2004 - the end of ASCII
        return _ASCII
    if code < _FIRST_IDEOGRAPHIC:
        return _ALPHABETIC
    return _IDEOGRAPHIC if code < _FIRST_ASTRAL else _ASTRAL


def tokens(text: str) -> int:
    """The estimate in whole tokens, rounded up."""
    return -(-units(text) // UNITS_PER_TOKEN)


def cut(text: str, allowed_units: int) -> int:
    """How many leading characters of `text` fit into `allowed_units`."""
    if text.isascii():
        return min(len(text), max(0, allowed_units) // _ASCII)
    for index, character in enumerate(text):
        allowed_units -= _character_units(character)
        if allowed_units < 0:
            return index
    return len(text)


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
