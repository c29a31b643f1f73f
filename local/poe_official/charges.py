"""What an answer costs. Pure.

Prices are dollars: per token, or per answer (`request`). Points are dollars at one rate; the rate is this simulator's
own, and is what the balance of its accounts implies (docs/reference/poe-official.md#balance-and-points).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from local.poe_official.model import Model

USD_PER_POINT = Decimal("0.00003")


@dataclass(frozen=True, slots=True)
class Consumed:
    """Tokens of one answer. `cached` and `written` are those of the prompt that the cache gave or took."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    written: int = 0


def points_for(model: Model, consumed: Consumed) -> int:
    """The points of one answer; for a model without a price what it is set to cost."""
    pricing = model.pricing
    if pricing is None:
        return model.cost
    request = pricing["request"]
    if request is not None:
        return int((Decimal(request) / USD_PER_POINT).to_integral_value(ROUND_HALF_UP))
    parts = breakdown(model, consumed)
    return int(sum(parts.values(), Decimal(0)).to_integral_value(ROUND_CEILING))


def breakdown(model: Model, consumed: Consumed) -> dict[str, Decimal]:
    """Points by what they are for, of a model that is priced by tokens."""
    pricing = model.pricing or {}
    plain = consumed.prompt - consumed.cached - consumed.written
    prompt = pricing.get("prompt")
    tokens = {
        "Input": (plain, prompt),
        "Cache discount": (consumed.cached, pricing.get("input_cache_read") or prompt),
        "Cache write": (consumed.written, pricing.get("input_cache_write") or prompt),
        "Output": (consumed.completion, pricing.get("completion")),
    }
    return {name: count * Decimal(price) / USD_PER_POINT for name, (count, price) in tokens.items() if count and price}


def usd(points: int) -> str:
    """Points as the dollars that the balance and the history show."""
    return f"{points * USD_PER_POINT:.6f}"
