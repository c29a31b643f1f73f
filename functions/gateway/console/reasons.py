"""Why an account or a key can't be used now, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from accounts import Account, ApiKey, Wait
from gateway.admin.shown import iso_time
from pool.status import AccountStatus, status_of

_WAITS = {
    Wait.SPEED: "Poe asked to slow down.",
    Wait.POINTS: "It has too few points left.",
    Wait.CREDENTIALS: "Poe refused the credentials once. They are tried again before anything is said of them.",
    Wait.ERRORS: "Several requests in a row failed.",
}


def account_reason(account: Account, now: float) -> dict[str, Any] | None:
    """Why the account can't be used; `None` if it can."""
    match status_of(account, now):
        case AccountStatus.ACTIVE:
            return None
        case AccountStatus.DISABLED:
            return _reason("disabled", "It is switched off.")
        case AccountStatus.INVALID:
            return _reason("not_authenticated", "Poe refuses its credentials. Replace them.")
    # A balance that is too low for anything is no wait with an end; its reason is the points all the same.
    wait = account.waits_for(now) or Wait.POINTS
    text = _WAITS[wait]
    if wait is Wait.ERRORS and account.last_error:
        text = f"Several requests in a row failed, the last one with {account.last_error}."
    # A time that has passed would read as if the account could be used.
    return _reason(wait.value, text, account.eligible_at if account.eligible_at > now else None)


def key_reason(key: ApiKey, limits: Iterable[Mapping[str, Any]], now: float) -> dict[str, Any] | None:
    """Why the key can't be used; `None` if it can. `limits` are rows of `limits_of`."""
    if not key.enabled:
        return _reason("disabled", "It is switched off.")
    if key.expires_at is not None and key.expires_at <= now:
        return _reason("expired", "It has expired.")
    for row in limits:
        # Rates and streams are over in a minute, which is no state of the key.
        if row["unit"] in ("points", "tokens") and row["left"] == 0:
            text = f"Its {row['unit']} of the {row['window']} are used up."
            return {"code": "insufficient_quota", "text": text, "until": row["resets_at"]}
    return None


def _reason(cause: str, text: str, until: float | None = None) -> dict[str, Any]:
    return {"code": cause, "text": text, "until": iso_time(until)}
