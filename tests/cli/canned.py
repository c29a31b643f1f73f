"""What a gateway answered once, for tests of how commands show it."""

from __future__ import annotations

from typing import Any

from poegw import __version__

ACCOUNT = {
    "id": "acct_1",
    "kind": "official",
    "label": "me@example.org",
    "email": "me@example.org",
    "status": "active",
    "message_point_balance": 812_345,
    "subscription_active": True,
    "max_concurrency": 2,
    "last_refresh_at": "2026-11-30T11:50:00+00:00",
    "next_refresh_at": "2026-11-30T12:50:00+00:00",
    "next_grant_at": "2026-12-14T00:00:00+00:00",
    "last_used_at": "2026-11-30T11:59:00+00:00",
    "last_error": None,
    "error_count": 0,
    "cooldown_until": None,
    "created_at": "2026-11-01T00:00:00+00:00",
    "updated_at": "2026-11-30T11:59:00+00:00",
}
WAITING = ACCOUNT | {
    "id": "acct_2",
    "kind": "web",
    "label": "Zoë [bold]\x1b[2J",
    "status": "depleted",
    "message_point_balance": None,
    "last_refresh_at": None,
    "next_grant_at": None,
    "last_used_at": None,
    "last_error": "insufficient_points",
    "cooldown_until": "2026-12-01T00:00:00+00:00",
}
KEY = {
    "id": "1f3a5c7e9b2d4f60",
    "name": "laptop",
    "role": "client",
    "enabled": True,
    "models": [],
    "routes": [],
    "ip_ranges": [],
    "requests_per_minute": None,
    "max_concurrent": None,
    "points_per_day": 2000,
    "points_per_month": None,
    "tokens_per_day": None,
    "tokens_per_month": None,
    "expires_at": None,
    "created_at": "2026-11-01T00:00:00+00:00",
    "last_used_at": "2026-11-30T10:00:00+00:00",
    "version": 3,
}
OLD_KEY = KEY | {
    "id": "00aa11bb22cc33dd",
    "name": "ci",
    "role": "viewer",
    "models": ["gpt-*"],
    "points_per_day": None,
    "expires_at": "2026-12-30T12:00:00+00:00",
    "last_used_at": None,
}
SUMS = {
    "sends": 12,
    "errors": 1,
    "prompt_tokens": 3456,
    "completion_tokens": 789,
    "points_settled": 120,
    "points_estimated": 15,
    "sends_unknown": 1,
    "sends_unattributed": 0,
}
REQUEST = {
    "request_id": "req_1",
    "at": "2026-11-30T11:59:00+00:00",
    "key": KEY["id"],
    "key_name": "laptop",
    "model": "claude-sonnet-4.5",
    "surface": "chat",
    "status": 200,
    "code": None,
    "cause": None,
    "account": "acct_1",
    "attempts": 1,
    "first_token_seconds": 0.412,
    "total_seconds": 3.2,
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "points": 15,
    "is_estimated": False,
}
FAILED = REQUEST | {
    "request_id": "req_2",
    "key_name": None,
    "status": 502,
    "code": "upstream_error",
    "cause": "timeout",
    "first_token_seconds": None,
    "points": None,
    "is_estimated": True,
}
TRY = {"attempt": 1, "outcome": "ok", "account": "acct_1", "settled": 15, "estimate": 12}
POINTS = {
    "account": "acct_1",
    "label": "me@example.org",
    "kind": "official",
    "status": "active",
    "balance": 812_345,
    "as_of": "2026-11-30T11:50:00+00:00",
    "allotment": 1_000_000,
    "next_grant_at": "2026-12-14T00:00:00+00:00",
    "used_today": 1234,
    "points_per_hour": 210.5,
    "runs_out_at": None,
}
RECONCILED = {
    "day": "2026-11-30",
    "account": "acct_1",
    "label": "me@example.org",
    "booked": 120,
    "unsettled": 15,
    "elsewhere": None,
    "charged": None,
}
AUDIT = {
    "id": "01764500000000#a",
    "at": "2026-11-30T11:00:00+00:00",
    "actor_id": None,
    "actor": "admin key",
    "action": "create_key",
    "target": KEY["id"],
    "status": 201,
    "code": None,
    "fields": ["name", "points_per_day"],
    "address": "192.0.2.7",
    "request_id": "req_3",
}
ALERT = {
    "id": "points_low:acct_1",
    "at": "2026-11-30T09:00:00+00:00",
    "kind": "points_low",
    "text": "Account 'me@example.org' has 150 of 1,000 points left, less than 20%.",
    "account": "acct_1",
    "key": None,
    "ended_at": None,
    "told": {"sns": "2026-11-30T09:00:01+00:00"},
}
MODEL = {
    "id": "claude-sonnet-4.5",
    "owned_by": "Anthropic",
    "output_modalities": ["text"],
    "context_length": 200_000,
    "pricing": {"prompt": 0.003, "completion": 0.015, "request": None},
}
UNPRICED = MODEL | {
    "id": "mystery",
    "owned_by": "Somebody",
    "output_modalities": None,
    "context_length": None,
    "pricing": None,
}
TESTED = {
    "reachable": True,
    "authenticated": True,
    "balance": 812_345,
    "model": None,
    "answered": None,
    "points": None,
    "milliseconds": 87,
    "code": None,
}
HEALTH = {
    "time": "2026-11-30T12:00:00+00:00",
    "checks": [
        {"name": "table", "state": "ok", "detail": "The table answers.", "remedy": None},
        {
            "name": "keys",
            "state": "warn",
            "detail": "1 of 2 keys have no budget of points.",
            "remedy": "Give them one: `poegw keys update NAME --budget 2000/day`.",
        },
    ],
}


def page(*items: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "next_cursor": None}


ANSWERS: dict[tuple[str, str], Any] = {
    ("GET", "/version"): {"version": __version__},
    ("GET", "/healthz"): {"status": "ok"},
    ("GET", "/readyz"): {"status": "ready"},
    ("GET", "/admin/whoami"): {"id": None, "name": "admin key", "role": "admin", "expires_at": None},
    ("GET", "/admin/accounts"): page(ACCOUNT, WAITING),
    ("GET", "/admin/accounts/acct_1"): ACCOUNT,
    ("POST", "/admin/accounts"): ACCOUNT,
    ("PATCH", "/admin/accounts/acct_1"): ACCOUNT | {"max_concurrency": 5},
    ("POST", "/admin/accounts/acct_1/test"): TESTED,
    ("POST", "/admin/accounts/acct_1/refresh-points"): ACCOUNT,
    ("POST", "/admin/accounts/acct_1/enable"): ACCOUNT,
    ("POST", "/admin/accounts/acct_1/disable"): ACCOUNT | {"status": "disabled"},
    ("DELETE", "/admin/accounts/acct_1"): {"id": "acct_1", "deleted": True},
    ("GET", "/admin/keys"): page(KEY, OLD_KEY),
    ("POST", "/admin/keys"): KEY | {"key": "sk-poe-shown-once"},
    ("PATCH", f"/admin/keys/{KEY['id']}"): KEY | {"points_per_day": 500},
    ("POST", f"/admin/keys/{KEY['id']}/rotate"): KEY | {"key": "sk-poe-rotated"},
    ("DELETE", f"/admin/keys/{KEY['id']}"): {"id": KEY["id"], "deleted": True},
    ("GET", "/admin/usage"): {
        "by": ["model"],
        "data": [{"model": "claude-sonnet-4.5", **SUMS}, {"model": "gpt-5", **SUMS, "errors": 0}],
        "totals": SUMS,
    },
    ("GET", "/admin/requests"): page(REQUEST, FAILED),
    ("GET", "/admin/requests/req_1"): REQUEST | {"tries": [TRY, TRY | {"attempt": 2, "settled": None}]},
    ("GET", "/admin/points"): {"data": [POINTS], "reconciled": [RECONCILED]},
    ("GET", "/admin/audit"): page(AUDIT),
    ("GET", "/admin/alerts"): {"object": "list", "data": [ALERT]},
    ("GET", "/admin/config/alert-webhook"): {"host": "hooks.example.com", "since": "2026-11-30T09:00:00+00:00"},
    ("PUT", "/admin/config/alert-webhook"): {"host": "hooks.example.com", "since": None, "secret": "whsec_shown-once"},
    ("DELETE", "/admin/config/alert-webhook"): {"deleted": True},
    ("POST", "/admin/alerts/test"): {"status": "ok"},
    ("GET", "/v1/models"): {"data": [MODEL, UNPRICED]},
    ("GET", "/admin/health"): HEALTH,
}
