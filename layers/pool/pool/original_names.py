"""The original gateway's environment variables: what each is called here, or why there is none.

Somebody who moves over keeps their file of variables at first. None of them is read, so each that is set is named.
"""

from __future__ import annotations

from collections.abc import Mapping

_ACCOUNTS = "accounts are added with `poegw accounts add`"
_DYNAMODB = "accounts are kept in DynamoDB"
_NO_POOL = "there is no pool of warm sessions to size"
_UNREAD = "the original did not read it either; the scheduled job reads balances when they are due"
_READINGS = "balances are read from Poe, never assumed"

ORIGINAL_NAMES: Mapping[str, str] = {
    "ADMIN_API_KEY": "it is GATEWAY_ADMIN_KEY here",
    "SERVICE_API_KEYS_BOOTSTRAP": "keys are imported with `poegw keys create`, or POST /admin/keys with `secret`",
    "MONGODB_URI": f"{_DYNAMODB}; `poegw import --mongo-export` brings the original's accounts over",
    "MONGODB_DB": _DYNAMODB,
    "FERNET_KEY": "credentials are encrypted with KMS",
    "GATEWAY_CONFIG_FILE": "variables are read from the environment and, by `make run`, from .env",
    "POE_GATEWAY_HOST": "it is HOST here",
    "POE_GATEWAY_PORT": "it is PORT here",
    "MAX_INFLIGHT_PER_ACCOUNT": "each account has a `max_concurrency` of its own",
    "GLOBAL_INFLIGHT_LIMIT": "the deployment has the parameter GatewayConcurrency, and `make run` has SANDBOXES",
    "PROXY_ROTATE_TEMPLATE": "addresses are not rotated; GATEWAY_PROXY names one proxy",
    "DEPLETED_THRESHOLD": "the threshold is 20 points",
    "COOLDOWN_SECONDS": "waits follow from what Poe says",
    "ACQUIRE_WAIT_POLL_SECONDS_MS": "it is GATEWAY_ACCOUNT_WAIT_SECONDS here, in seconds and in all",
    "POE_REVISION": "the revision is found out; PUT /admin/config/poe overrides it",
    "AUTO_FETCH_POE_REVISION": "the revision is found out; PUT /admin/config/poe overrides it",
    "POE_FETCH_IMPERSONATE": "nothing here looks like a browser",
    "POE_FETCH_PROXY": "it is GATEWAY_PROXY here",
    "DAILY_RESET_TIMEZONE": _READINGS,
    "DAILY_RESET_HOUR": _READINGS,
    "DAILY_RESET_POINT_BALANCE": _READINGS,
    "REFRESH_INTERVAL_SECONDS": "the deployment has the parameter RefreshSchedule",
    "TARGET_POOL_SIZE": _NO_POOL,
    "MIN_POOL_SIZE": _NO_POOL,
    "MAX_POOL_SIZE": _NO_POOL,
    "POOL_FILL_CONCURRENCY": _NO_POOL,
    "POOL_MONITOR_INTERVAL_SECONDS": _NO_POOL,
    "CLIENT_MAX_AGE_SECONDS": _NO_POOL,
    "POE_P_B": _ACCOUNTS,
    "POE_P_LAT": _ACCOUNTS,
    "POE_CF_CLEARANCE": _ACCOUNTS,
    "POE_CF_BM": _ACCOUNTS,
    "POE_FORMKEY": _ACCOUNTS,
    "POE_USER_AGENT": "it is GATEWAY_USER_AGENT here",
    "POE_FETCH_CF_CLEARANCE": "no challenge is passed with a borrowed cookie",
    "POOL_CONNECT_TIMEOUT_SECONDS": _NO_POOL,
    "POOL_TTL_CHECK_INTERVAL_SECONDS": _NO_POOL,
    "POOL_ERROR_WINDOW_SECONDS": _NO_POOL,
    "POOL_ERROR_RESTART_THRESHOLD": _NO_POOL,
    "RECENT_ACTIVE_MINUTES": _UNREAD,
    "INVALID_AUTO_REFRESH_ENABLED": _UNREAD,
    "INVALID_AUTO_REFRESH_INTERVAL_SECONDS": _UNREAD,
    "INVALID_AUTO_REFRESH_BATCH_LIMIT": _UNREAD,
    "PREWARM_CONCURRENCY": _NO_POOL,
    "PREWARM_MAX_ACCOUNTS": _NO_POOL,
    "PREWARM_ON_STARTUP": _NO_POOL,
    "PREWARM_ACCOUNT_TIMEOUT_SECONDS": _NO_POOL,
}


def original_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those that are set, each with what to do instead."""
    return {name: told for name, told in ORIGINAL_NAMES.items() if environ.get(name, "").strip()}
