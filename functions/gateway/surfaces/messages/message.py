"""The message object, and how an answer's end and usage are told in it. Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from gateway.generation.usage import TokenUsage
from reverse.events import FinishReason

_STOP_REASONS = {
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
}


def new_message_id() -> str:
    """An id as Anthropic's look."""
    return f"msg_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class MessageObject:
    """What of a message is known before its answer."""

    id: str
    model: str
    """As the caller wrote it."""
    prompt_tokens: int
    """Estimate."""

    def started(self) -> dict[str, Any]:
        """The message before its first block."""
        usage = {"input_tokens": self.prompt_tokens, "output_tokens": 0, "estimated": True}
        return self._object([], {"stop_reason": None, "stop_sequence": None}, usage)

    def finished(
        self,
        content: list[dict[str, Any]],
        reason: FinishReason,
        usage: TokenUsage,
        *,
        has_calls: bool,
        matched_stop: str | None,
    ) -> dict[str, Any]:
        """The whole message."""
        ending = self.ending(reason, has_calls=has_calls, matched_stop=matched_stop)
        return self._object(content, ending, usage_json(usage))

    def ending(self, reason: FinishReason, *, has_calls: bool, matched_stop: str | None) -> dict[str, Any]:
        """Why the answer ended, in Anthropic's words."""
        kind = _STOP_REASONS.get(reason, "tool_use" if has_calls else "end_turn")
        if matched_stop is not None:
            kind = "stop_sequence"
        ending: dict[str, Any] = {"stop_reason": kind, "stop_sequence": matched_stop}
        if kind == "refusal":
            ending["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
        return ending

    def _object(self, content: list[dict[str, Any]], ending: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
        head = {"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content}
        return {**head, **ending, "usage": usage}


def usage_json(usage: TokenUsage) -> dict[str, Any]:
    """Anthropic's usage object, which counts what came from a cache apart; `estimated` and `points` are extensions."""
    cached = usage.cached_tokens or 0
    fields: dict[str, Any] = {
        "input_tokens": max(0, usage.prompt_tokens - cached),
        "output_tokens": usage.completion_tokens,
    }
    if usage.cached_tokens is not None:
        fields["cache_read_input_tokens"] = cached
    if usage.reasoning_tokens is not None:
        fields["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    fields["estimated"] = usage.is_estimated
    if usage.points is not None:
        fields["points"] = usage.points
    return fields
