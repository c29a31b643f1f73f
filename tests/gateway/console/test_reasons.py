"""Why something can't be used is told in words, with its end where that is known."""

from __future__ import annotations

import pytest

from accounts import Account, AccountKind, AccountState, ApiKey, KeyUse, Points
from gateway.console.reasons import account_reason, key_reason
from gateway.surfaces.models import limits_of

NOW = 1_800_000_000.0


def account(**facts: object) -> Account:
    return Account(id="acct_1", kind=AccountKind.OFFICIAL, label="one", **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "code", "has_end"),
    [
        ({"state": AccountState.DISABLED}, "disabled", False),
        ({"state": AccountState.LOGGED_OUT}, "not_authenticated", False),
        ({"speed_until": NOW + 60}, "rate_limited", True),
        ({"points_until": NOW + 60, "points": Points(0, NOW)}, "insufficient_points", True),
        ({"credentials_until": NOW + 60}, "not_authenticated", True),
        ({"errors_until": NOW + 60, "last_error": "upstream_error"}, "errors", True),
    ],
)
def test_each_state_of_an_account_has_its_words(facts: dict[str, object], code: str, has_end: bool) -> None:
    reason = account_reason(account(**facts), NOW)
    assert reason is not None
    assert (reason["code"], reason["until"] is not None) == (code, has_end)
    assert reason["text"].endswith(".")


def test_what_can_be_used_has_no_reason() -> None:
    assert account_reason(account(), NOW) is None
    assert key_reason(ApiKey(id="k", name="k", hash="h"), [], NOW) is None


@pytest.mark.parametrize(
    ("facts", "use", "code"),
    [
        ({"enabled": False}, {}, "disabled"),
        ({"expires_at": NOW}, {}, "expired"),
        ({"points_per_day": 10}, {"points_today": 12}, "insufficient_quota"),
        ({"tokens_per_month": 10}, {"tokens_this_month": 10}, "insufficient_quota"),
    ],
)
def test_each_state_of_a_key_has_its_words(facts: dict[str, object], use: dict[str, int], code: str) -> None:
    key = ApiKey(id="k", name="k", hash="h", **facts)  # type: ignore[arg-type]
    reason = key_reason(key, limits_of(key, KeyUse(at=NOW, **use)), NOW)  # type: ignore[arg-type]
    assert reason is not None
    assert reason["code"] == code
    assert (reason["until"] is not None) == (code == "insufficient_quota")
