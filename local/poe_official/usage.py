"""Balance and history, in the shapes that were observed and documented.

Source: docs/reference/poe-official.md#balance-and-points.
"""

from __future__ import annotations

import time
from typing import Any

from starlette.responses import JSONResponse, Response

from local.poe_official.dialect import bad_request
from local.poe_official.world import Expense, OfficialAccount

_MICROSECONDS = 1_000_000
_USD_PER_POINT = 0.00003


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
            "plan_balance_usd": _usd(account.points),
            "addon_balance_usd": _usd(account.addon_points),
            "total_balance_usd": _usd(account.left),
            "points_cycle_start_time": 0,
            "next_daily_grant_time": int((daily or 0) * _MICROSECONDS),
            "next_monthly_grant_time": int((monthly or 0) * _MICROSECONDS),
            "next_daily_grant_amount": account.grant_amount if daily else 0,
            "next_monthly_grant_amount": account.grant_amount if monthly else 0,
            "auto_recharge": None,
        }
    )


def history(account: OfficialAccount, limit: str | None, starting_after: str | None) -> Response:
    """One page, newest first. Raises `Refused` for a limit outside 1 to 100."""
    size = int(limit) if limit and limit.isdigit() else 20 if limit is None else 0
    if not 1 <= size <= 100:
        raise bad_request("limit must be between 1 and 100", "limit")
    entries = list(reversed(account.history))
    if starting_after is not None:
        ids = [entry.query_id for entry in entries]
        entries = entries[ids.index(starting_after) + 1 :] if starting_after in ids else []
    page = entries[:size]
    return JSONResponse(
        {
            "has_more": len(entries) > size,
            "length": len(page),
            "data": [_entry(entry, account.key_name) for entry in page],
        }
    )


def _entry(expense: Expense, key_name: str) -> dict[str, Any]:
    points = expense.points if time.monotonic() >= expense.settled_at else 0
    return {
        "creation_time": int(expense.at * _MICROSECONDS),
        "bot_name": expense.bot,
        "query_id": expense.query_id,
        "usage_type": expense.usage_type,
        "cost_points": points,
        "cost_usd": _usd(points),
        "cost_breakdown_in_points": {"Input": f"{points} points (3 tokens)", "Total": f"{points} points"},
        "chat_name": None,
        "canvas_tab_name": None,
        "api_key_name": key_name,
    }


def _usd(points: int) -> str:
    return f"{points * _USD_PER_POINT:.6f}"
