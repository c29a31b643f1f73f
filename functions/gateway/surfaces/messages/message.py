"""The message object: its content blocks, and how an answer's end and usage are written in it. Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from gateway.generation.answer import Answer, AnswerPart
from gateway.generation.usage import TokenUsage
from gateway.http.errors import UNUSABLE_ANSWER, GatewayError
from gateway.prompt.model_json import decode
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

    def finished(self, answer: Answer) -> dict[str, Any]:
        """The whole message. Raises `GatewayError` (502) for a tool call whose arguments are no JSON object."""
        return self._object(content_blocks(answer), ending(answer), usage_json(answer.usage))

    def _object(self, content: list[dict[str, Any]], ending: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
        head = {"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content}
        return {**head, **ending, "usage": usage}


def ending(answer: Answer) -> dict[str, Any]:
    """Why the answer ended, in Anthropic's words."""
    kind = _STOP_REASONS.get(answer.finish_reason, "tool_use" if answer.tool_calls else "end_turn")
    if answer.matched_stop is not None:
        kind = "stop_sequence"
    found: dict[str, Any] = {"stop_reason": kind, "stop_sequence": answer.matched_stop}
    if kind == "refusal":
        found["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return found


def content_blocks(answer: Answer) -> list[dict[str, Any]]:
    """All blocks. Raises `GatewayError` (502) for arguments that are no JSON object, unless the answer was cut."""
    is_cut = answer.finish_reason is FinishReason.LENGTH
    return [_block(part, is_cut=is_cut) for part in answer.parts]


def _block(part: AnswerPart, *, is_cut: bool) -> dict[str, Any]:
    match part.kind:
        case "tool_call":
            arguments = read_arguments(part.text or "{}")
            if arguments is None and not is_cut:
                message = "The model called a tool with arguments that are not valid JSON."
                raise GatewayError(UNUSABLE_ANSWER, message, code="invalid_tool_call")
            return block_opening(part) | {"input": arguments or {}}
        case "reasoning":
            return block_opening(part) | {"thinking": part.text}
    return block_opening(part) | {"text": part.text}


def block_opening(part: AnswerPart) -> dict[str, Any]:
    """The block of a part before its first piece."""
    match part.kind:
        case "tool_call":
            call_id = part.call_id or f"toolu_{secrets.token_hex(12)}"
            return {"type": "tool_use", "id": call_id, "name": part.name, "input": {}}
        case "reasoning":
            return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def read_arguments(text: str) -> dict[str, Any] | None:
    """A call's arguments, or `None` if they are not (yet) a JSON object."""
    try:
        value = decode(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


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
