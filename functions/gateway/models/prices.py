"""What a send will probably cost, in points: from the catalogue's price. Pure.

Prices are in dollars, per token and per answer (docs/reference/poe-official.md). An estimate is not a promise: the bot
may think, or use tools that cost extra.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

# A million points cost 30 dollars (November 2026).
USD_PER_POINT = Decimal("0.00003")


def estimate_points(
    pricing: Mapping[str, str | None] | None,
    prompt_tokens: int,
    answer_tokens: int,
    *,
    usd_per_point: Decimal = USD_PER_POINT,
) -> int | None:
    """Points for a send with so many tokens; `None` where the price is unknown."""
    prices = {name: _decimal(text) for name, text in (pricing or {}).items() if text is not None}
    request = prices.get("request")
    prompt, completion = prices.get("prompt"), prices.get("completion")
    parts = [
        prompt * prompt_tokens if prompt is not None else None,
        completion * answer_tokens if completion is not None else None,
        request,
    ]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return math.ceil(sum(known) / usd_per_point)


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return value if value.is_finite() and value >= 0 else None
