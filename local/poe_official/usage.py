"""Balance and history, in the shapes that were observed and documented.

Source: docs/reference/poe-official.md#balance-and-points.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from local.poe_official.charges import breakdown, usd
from local.poe_official.dialect import bad_request
from local.poe_official.model import Model
from local.poe_official.world import Expense, OfficialAccount, World

_MICROSECONDS = 1_000_000


def balance(account: OfficialAccount) -> Response:
    """The balance; grant times in microseconds, 0 for none."""
    if account.documented_balance:
        return JSONResponse({"current_point_balance": account.left})
    daily, monthly = account.next_daily_grant_at, account.next_monthly_grant_at
    return JSONResponse(
        {
            "current_point_balance": account.left,
            "plan_points_balance": account.points,
            "addon_point_balance": account.addon_points,
            "plan_balance_usd": usd(account.points),
            "addon_balance_usd": usd(account.addon_points),
            "total_balance_usd": usd(account.left),
            "points_cycle_start_time": 0,
            "next_daily_grant_time": int((daily or 0) * _MICROSECONDS),
            "next_monthly_grant_time": int((monthly or 0) * _MICROSECONDS),
            "next_daily_grant_amount": account.grant_amount if daily else 0,
            "next_monthly_grant_amount": account.grant_amount if monthly else 0,
            "auto_recharge": None,
        }
    )


def history(world: World, account: OfficialAccount, limit: str | None, starting_after: str | None) -> Response:
    """One page of what is listed by now, newest first. Raises `Refused` for a limit outside 1 to 100."""
    size = int(limit) if limit and limit.isdigit() else 20 if limit is None else 0
    if not 1 <= size <= 100:
        raise bad_request("limit must be between 1 and 100")
    now = world.clock()
    listed = [entry for entry in account.history if entry.listed_at <= now]
    entries = sorted(listed, key=lambda entry: entry.at)
    entries.reverse()  # of one moment the one that was booked last comes first
    if starting_after is not None:
        ids = [entry.query_id for entry in entries]
        entries = entries[ids.index(starting_after) + 1 :] if starting_after in ids else []
    page = entries[:size]
    return JSONResponse(
        {
            "has_more": len(entries) > size,
            "length": len(page),
            "data": [_entry(entry, world.model(entry.bot), now) for entry in page],
        }
    )


def charges(account: OfficialAccount) -> list[dict[str, Any]]:
    """Every entry as it really is, in the order of booking: what tests compare books with."""
    return [
        {
            "query_id": entry.query_id,
            "at": entry.at,
            "bot": entry.bot,
            "points": entry.points,
            "usage_type": entry.usage_type,
            "key_name": entry.key_name,
            "listed_at": entry.listed_at,
            "settled_at": entry.settled_at,
            "request": entry.request,
        }
        for entry in account.history
    ]


def _entry(expense: Expense, model: Model | None, now: float) -> dict[str, Any]:
    points = expense.points if now >= expense.settled_at else 0
    return {
        "creation_time": int(expense.at * _MICROSECONDS),
        "bot_name": expense.bot,
        "query_id": expense.query_id,
        "usage_type": expense.usage_type,
        "cost_points": points,
        "cost_usd": usd(points),
        "cost_breakdown_in_points": _breakdown(expense, model, points),
        "chat_name": "A chat" if expense.usage_type == "Chat" else None,
        "canvas_tab_name": None,
        "api_key_name": expense.key_name,
    }


def _breakdown(expense: Expense, model: Model | None, points: int) -> dict[str, str]:
    """Points and tokens in words: `450 points (5290 tokens)`."""
    consumed = expense.consumed
    tokens = {
        "Input": consumed.prompt,
        "Cache discount": consumed.cached,
        "Cache write": consumed.written,
        "Output": consumed.completion,
    }
    parts = breakdown(model, consumed) if model is not None and points else {}
    shown = {name: f"{round(amount)} points ({tokens[name]} tokens)" for name, amount in parts.items()}
    return shown | {"Total": f"{points} points"}
