"""How much a model should think, and whether its thoughts are shown. Pure.

Models behind Poe are told by options of their own, which they declare: a budget in tokens, or an effort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.http.errors import invalid
from gateway.http.fields import Fields
from gateway.models.catalogue import Model
from reverse.declared import Steering, schemas_of, steer_by_tokens, steer_by_word

# The effort that stands for a budget: up to so many tokens.
_EFFORTS = ((4096, "low"), (16384, "medium"))
_MIN_BUDGET = 1024


@dataclass(frozen=True, slots=True)
class Thinking:
    """What the caller asked for; without `mode` nothing."""

    mode: str | None = None
    """`enabled` (with a budget), `adaptive`, `disabled`, or a newer word."""
    budget: int | None = None
    is_shown: bool = True

    def options(self, model: Model | None) -> dict[str, Any]:
        """The options that tell the model; empty where it has none for it."""
        steering = self._steering(model)
        if steering is not None:
            return dict(steering.options)
        if self.mode == "enabled" and self.budget is not None and _takes_effort(model):
            # It takes an effort without declaring which.
            return {"reasoning_effort": next((name for limit, name in _EFFORTS if self.budget <= limit), "high")}
        return {}

    def is_ignored(self, model: Model | None) -> bool:
        """Whether the model is not told exactly this."""
        if self.mode in (None, "adaptive"):
            return False
        steering = self._steering(model)
        return not self.options(model) if steering is None else not steering.is_exact

    def _steering(self, model: Model | None) -> Steering | None:
        schemas = schemas_of(model.parameters if model else None) or {}
        if self.mode == "disabled":
            return steer_by_word("none", schemas)
        return steer_by_tokens(self.budget, schemas) if self.mode == "enabled" and self.budget is not None else None


def read_thinking(body: Fields) -> Thinking:
    """The field `thinking`. Raises `GatewayError` (400), naming the field."""
    thinking = body.mapping("thinking")
    if thinking is None:
        return Thinking()
    mode = thinking.required_text("type", max_length=32)
    budget = thinking.integer("budget_tokens", lowest=_MIN_BUDGET)
    if mode == "enabled" and budget is None:
        raise thinking.missing("budget_tokens")
    max_tokens = body.integer("max_tokens", lowest=1)
    if budget is not None and max_tokens is not None and budget >= max_tokens:
        param = thinking.param("budget_tokens")
        raise invalid(f"'{param}' must be less than 'max_tokens'.", param=param, code="out_of_range")
    return Thinking(mode, budget, is_shown=mode != "disabled" and thinking.get("display") != "omitted")


def _takes_effort(model: Model | None) -> bool:
    return model is not None and bool((model.reasoning or {}).get("supports_reasoning_effort"))
