"""Balance and points history of an account. Pure.

Two shapes of the balance exist: the documented one holds a single number, the observed one plan and add-on points with
the times and amounts of the next grants in microseconds (docs/reference/poe-official.md#balance-and-points).
"""

from __future__ import annotations

from reverse.chat import PointsReading, PointsSpent
from reverse.official.json_values import JSONObject, number_at, object_at, objects_at, text_at, time_at

__all__ = ["PointsSpent", "parse_balance", "parse_history"]


def parse_balance(body: JSONObject) -> PointsReading:
    """The reading in either shape; parts that the reply leaves out are `None`."""
    plan, addon = number_at(body, "plan_points_balance"), number_at(body, "addon_point_balance")
    balance = number_at(body, "current_point_balance")
    if balance is None and (plan is not None or addon is not None):
        balance = (plan or 0) + (addon or 0)
    grants = [
        (at, number_at(body, f"next_{period}_grant_amount"))
        for period in ("daily", "monthly")
        if (at := time_at(body, f"next_{period}_grant_time")) is not None
    ]
    next_at, allotment = min(grants, key=lambda grant: grant[0], default=(None, None))
    # Points granted by the month come with a subscription; their absence says nothing, daily plans exist too.
    subscribed = True if time_at(body, "next_monthly_grant_time") is not None else None
    return PointsReading(balance=balance, subscribed=subscribed, allotment=allotment, next_grant_at=next_at)


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
