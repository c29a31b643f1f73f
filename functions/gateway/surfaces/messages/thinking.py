"""How much a model should think, and whether its thoughts are shown. Pure.

Models behind Poe are told by options of their own, which they declare: a budget in tokens, or an effort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.http import fields
from gateway.http.fields import Body
from gateway.models.catalogue import Model

_BUDGET = "thinking_budget"
_SWITCH = "enable_thinking"
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
        declared = _declared(model)
        if self.mode == "disabled":
            return {_SWITCH: False} if _SWITCH in declared else {}
        if self.mode != "enabled" or self.budget is None:
            return {}
        if _BUDGET in declared:
            return {_BUDGET: self.budget}
        if model is not None and (model.reasoning or {}).get("supports_reasoning_effort"):
            effort = next((name for limit, name in _EFFORTS if self.budget <= limit), "high")
            return {"reasoning_effort": effort}
        return {_SWITCH: True} if _SWITCH in declared else {}

    def is_ignored(self, model: Model | None) -> bool:
        """Whether the wish changes nothing for this model."""
        return self.mode not in (None, "adaptive") and not self.options(model)


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


def _declared(model: Model | None) -> set[str]:
    parameters = (model.parameters if model else None) or ()
    return {str(parameter.get("name")) for parameter in parameters}
