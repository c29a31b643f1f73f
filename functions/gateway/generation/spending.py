"""What the sends of one answer have consumed: one by one for the books, together for the caller. Pure."""

from __future__ import annotations

from dataclasses import astuple

from gateway.generation.usage import TokenUsage
from reverse.events import UsageReported

_NOTHING = UsageReported()


class Spending:
    """Adds up sends. Where the upstream does not say, tokens are estimated, and points are left out as unknown."""

    def __init__(self, prompt_tokens: int) -> None:
        self._prompt_tokens = prompt_tokens
        # Of the ended sends: what was reported, and the estimates for answers of which nothing was.
        self._ended = _NOTHING
        self._estimated_prompts = 0
        self._current: UsageReported | None = None

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

    def end(self, *, was_answered: bool) -> None:
        """The send under way is over, and another one follows."""
        if self._current is not None:
            self._ended = _sum(self._ended, self._current)
        elif was_answered:
            self._estimated_prompts += self._prompt_tokens
        self._current = None

    def total(self, completion_tokens: int) -> TokenUsage:
        """What all sends have consumed; `completion_tokens` is the estimate for what the caller was shown."""
        last, ended = self.of_last(completion_tokens), self._ended
        return TokenUsage(
            last.prompt_tokens + (ended.prompt_tokens or 0) + self._estimated_prompts,
            last.completion_tokens + (ended.completion_tokens or 0),
            _add(last.cached_tokens, ended.cached_tokens),
            _add(last.reasoning_tokens, ended.reasoning_tokens),
            _add(last.points, ended.points),
            is_estimated=last.is_estimated or self._estimated_prompts > 0,
        )


def _sum(one: UsageReported, other: UsageReported) -> UsageReported:
    return UsageReported(*(_add(a, b) for a, b in zip(astuple(one), astuple(other), strict=True)))


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
