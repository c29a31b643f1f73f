"""Balance and points history of an account. Pure.

Two shapes of the balance exist: the documented one holds a single number, the observed one plan and add-on points with
the times and amounts of the next grants in microseconds (docs/reference/poe-official.md#balance-and-points).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from reverse.chat import PointsReading, PointsSpent
from reverse.official.json_values import JSONObject, number_at, object_at, objects_at, text_at, time_at

__all__ = ["PointsSpent", "parse_balance", "parse_history"]

# Dollars are rounded: a rate that this may change by more than a fiftieth is none.
_MAX_ROUNDING = Decimal("0.02")
# What a point may be worth; it was 0.00003 dollars in November 2026.
_MIN_USD_PER_POINT, _MAX_USD_PER_POINT = Decimal("0.0000001"), Decimal("0.01")


def parse_balance(body: JSONObject) -> PointsReading:
    """The reading in either shape; parts that the reply leaves out are `None`."""
    plan, addon = number_at(body, "plan_points_balance"), number_at(body, "addon_point_balance")
    balance = number_at(body, "current_point_balance")
    # The observed shape has no sum.
    if balance is None and (plan is not None or addon is not None):
        balance = (plan or 0) + (addon or 0)
    grants = [
        (at, number_at(body, f"next_{period}_grant_amount"))
        for period in ("daily", "monthly")
        if (at := time_at(body, f"next_{period}_grant_time")) is not None
    ]
    # The earlier grant is what an empty account waits for.
    next_at, allotment = min(grants, key=lambda grant: grant[0], default=(None, None))
    # Points granted by the month come with a subscription; their absence says nothing, daily plans exist too.
    subscribed = True if time_at(body, "next_monthly_grant_time") is not None else None
    return PointsReading(
        balance=balance,
        subscribed=subscribed,
        allotment=allotment,
        next_grant_at=next_at,
        usd_per_point=_rate(body, balance),
        addon=addon,
    )


def _rate(body: JSONObject, balance: int | None) -> float | None:
    """Dollars per point, if the reply has the balance in both and the dollars are precise enough."""
    usd = _decimal(body.get("total_balance_usd"))
    if usd is None:
        plan, addon = _decimal(body.get("plan_balance_usd")), _decimal(body.get("addon_balance_usd"))
        usd = None if plan is None or addon is None else plan + addon
    if usd is None or usd <= 0 or balance is None or balance <= 0:
        return None
    exponent = usd.as_tuple().exponent
    # Half of the last digit that Poe wrote.
    rounding = Decimal("0.5").scaleb(min(int(exponent), 0)) if isinstance(exponent, int) else usd
    rate = usd / balance
    is_usable = rounding <= usd * _MAX_ROUNDING and _MIN_USD_PER_POINT <= rate <= _MAX_USD_PER_POINT
    return float(rate) if is_usable else None


def _decimal(value: object) -> Decimal | None:
    """An amount of dollars, which Poe writes as text."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or len(str(value)) > 40:  # noqa: PLR2004 - no balance has so many digits
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number >= 0 else None


def parse_history(body: JSONObject) -> tuple[list[PointsSpent], bool]:
    """The entries of one page, newest first, and whether older ones follow."""
    entries = [_entry(item) for item in objects_at(body, "data")]
    return entries, body.get("has_more") is True


def _entry(item: JSONObject) -> PointsSpent:
    breakdown = object_at(item, "cost_breakdown_in_points")
    return PointsSpent(
        query_id=text_at(item, "query_id") or str(number_at(item, "query_id") or ""),
        spent_at=time_at(item, "creation_time"),
        bot=text_at(item, "bot_name") or "",
        points=number_at(item, "cost_points"),
        usage_type=text_at(item, "usage_type"),
        cost_usd=text_at(item, "cost_usd"),
        breakdown={name: value for name, value in breakdown.items() if isinstance(value, str)},
        api_key_name=text_at(item, "api_key_name"),
        chat_name=text_at(item, "chat_name"),
    )
