"""What a send will probably cost, before it is known which account sends it.

The list of models has prices in dollars, per token and per answer (docs/reference/poe-official.md#model-list), and for
some bots of web accounts in points. What a point is worth an account's own balance tells, so the store makes points of
dollars when an account is leased. Where there is no price, or no account that tells a rate, what the model was settled
at here before is the estimate. It stays an estimate: the bot may think, or use tools that cost extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from accounts import in_points
from gateway.http.key_budget import Price
from gateway.models.catalogue import ABSENT_REFRESH_SECONDS, REFRESH_SECONDS
from gateway.models.live_config import Document, LiveConfig
from gateway.models.model import Model
from pool.config_names import ESTIMATES

# A million points cost 30 dollars (November 2026). Only for reservations, and only while no account has told a rate.
PUBLISHED_USD_PER_POINT = 0.00003


class Prices:
    """What models cost, by the list of models and by what the scheduled job has learned."""

    def __init__(self, live: LiveConfig) -> None:
        self._usd_per_point: float | None = None
        self._settled: Mapping[str, int] = {}
        live.watch(
            ESTIMATES,
            self._take,
            every_seconds=REFRESH_SECONDS,
            every_seconds_if_absent=ABSENT_REFRESH_SECONDS,
        )

    def price(self, model: Model | None, bot: str, prompt_tokens: int, answer_tokens: int) -> Price:
        """The price of a send of so many tokens to the bot, which the list may not have."""
        # In dollars first: what a point is worth is known per account, and only when one is leased.
        usd = dollars(model.pricing if model else None, prompt_tokens, answer_tokens)
        fixed = model.points_per_message if model else None
        # A fixed price is Poe's own word; what earlier sends cost depends on their length.
        points = self._settled.get(bot.lower()) if fixed is None else fixed
        return Price(usd=usd, points=points, reserved=self._reserved(usd, points))

    def _reserved(self, usd: float | None, points: int | None) -> int | None:
        # The best guess first: a listed price at the rate that an account has told.
        if usd is not None and self._usd_per_point is not None:
            return in_points(usd, self._usd_per_point)
        if points is None and usd is not None:
            return in_points(usd, PUBLISHED_USD_PER_POINT)
        # `None` stays unknown: the key's budget then reserves its own amount for it.
        return points

    def _take(self, document: Document | None) -> None:
        try:
            rate = (document or {}).get("usd_per_point")
            costs = (document or {}).get("costs", {})
            settled = {str(name): int(cost["points"]) for name, cost in costs.items()}
            # Both at once, after everything was read: a broken document leaves the old ones.
            self._usd_per_point, self._settled = (float(rate) if rate else None), settled
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError("these are no estimates") from error


def dollars(pricing: Mapping[str, str | None] | None, prompt_tokens: int, answer_tokens: int) -> float | None:
    """Dollars for a send with so many tokens; `None` where no price is known."""
    prices = {name: _decimal(text) for name, text in (pricing or {}).items() if text is not None}
    prompt, completion = prices.get("prompt"), prices.get("completion")
    parts = [
        prompt * prompt_tokens if prompt is not None else None,
        completion * answer_tokens if completion is not None else None,
        prices.get("request"),
    ]
    # A price for one part is a lower bound, and better than none: it is only an estimate.
    known = [part for part in parts if part is not None]
    return float(sum(known)) if known else None


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        return None
    # `Decimal` reads "NaN" and "Infinity"; a negative price would raise a budget.
    return value if value.is_finite() and value >= 0 else None
