"""How much a model should think, and whether its thoughts are shown. Pure.

Models behind Poe are told by options of their own, which they declare: a budget in tokens, or an effort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.http import fields
from gateway.http.fields import Body
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


class ThinkingItem(Body):
    """`thinking`."""

    type = fields.required_text(max_length=32, description="`enabled` with a budget, `adaptive`, `disabled`.")
    budget_tokens = fields.integer(lowest=_MIN_BUDGET, description="Less than `max_tokens`.")
    display = fields.anything({"type": "string"}, "`omitted` leaves the reasoning out of the answer.")


def read_thinking(item: ThinkingItem | None, max_tokens: int | None) -> Thinking:
    """The field `thinking`. Raises `GatewayError` (400), naming the field."""
    if item is None:
        return Thinking()
    mode, budget = item.type, item.budget_tokens
    if mode == "enabled" and budget is None:
        raise item.missing("budget_tokens")
    if budget is not None and max_tokens is not None and budget >= max_tokens:
        raise fields.out_of_range(item, "budget_tokens", "less than 'max_tokens'")
    return Thinking(mode, budget, is_shown=mode != "disabled" and item.display != "omitted")


def _takes_effort(model: Model | None) -> bool:
    return model is not None and bool((model.reasoning or {}).get("supports_reasoning_effort"))
