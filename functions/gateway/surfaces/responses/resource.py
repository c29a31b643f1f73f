"""The response object, in every state. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.generation.answer import Answer
from gateway.generation.usage import TokenUsage
from gateway.http.errors import CONTENT_FILTER, TOO_LONG, GatewayError
from reverse.events import FinishReason

_INCOMPLETE = {FinishReason.LENGTH: "max_output_tokens", FinishReason.CONTENT_FILTER: "content_filter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseObject:
    """What all states of one response have in common. Times are epoch seconds."""

    id: str
    created_at: int
    shown: Mapping[str, Any]
    """The fields that repeat the request's."""
    store: bool
    """Whether the response is meant to be stored."""

    def in_progress(self) -> dict[str, Any]:
        """The response before its first item."""
        return self._with("in_progress", [])

    def finished(self, answer: Answer, output: Sequence[Mapping[str, Any]], *, completed_at: int) -> dict[str, Any]:
        """The response that ended well, or was cut. Replies that Poe suggests are an extension, as in chat."""
        more: dict[str, Any] = {"usage": to_usage(answer.usage)}
        if answer.suggested_replies:
            more["suggested_replies"] = answer.suggested_replies
        cut = _INCOMPLETE.get(answer.finish_reason)
        if cut is not None:
            return self._with("incomplete", output, incomplete_details={"reason": cut}, **more)
        return self._with("completed", output, completed_at=completed_at, **more)

    def failed(self, error: GatewayError, output: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The response that ended with an error."""
        return self._with("failed", output, error={"code": _failure_code(error), "message": error.message})

    def _with(self, status: str, output: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": False,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "output": output,
            "service_tier": None,
            "store": self.store,
            "usage": None,
            **self.shown,
            **more,
        }


def item_status(reason: FinishReason) -> str:
    """The status of the items of an answer that ended like this."""
    return "incomplete" if reason in _INCOMPLETE else "completed"


def _failure_code(error: GatewayError) -> str:
    """The word for a failure in OpenAI's closed list; the `error` event has our own, which says more."""
    if error.status == 429:  # noqa: PLR2004 - too many requests
        return "rate_limit_exceeded"
    return "invalid_prompt" if error.situation in (CONTENT_FILTER, TOO_LONG) else "server_error"


def to_usage(usage: TokenUsage) -> dict[str, Any]:
    """OpenAI's usage object of responses; `estimated` and `points` are extensions, as in chat completions."""
    shown: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens,
        # Poe says nothing about writes to a cache; strict clients need the field
        # (docs/reference/openai-wire.md#streamed-responses).
        "input_tokens_details": {"cached_tokens": usage.cached_tokens or 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "estimated": usage.is_estimated,
    }
    return shown if usage.points is None else shown | {"points": usage.points}
