"""What an owner is told of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from accounts import Account, AccountKind, AccountState, ApiKey, KeyRole, KeyUse, Points
from refresh_points.causes import account_alerts, key_alerts, late_alert, named

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
WELL = Account(id="acct_1", kind=AccountKind.OFFICIAL, label="me@example.org", points=Points(900, NOW, 1_000))
KEY = ApiKey(id="key_1", name="laptop", hash="h", points_per_day=1_000)


def kinds(account: Account) -> list[str]:
    return [alert.kind for alert in account_alerts(account, NOW)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"points": None}, []),
        ({"points": Points(3, NOW, None)}, []),
        ({"points": Points(200, NOW, 1_000)}, []),
        ({"points": Points(199, NOW, 1_000)}, ["points_low"]),
        ({"points": Points(49, NOW, 1_000)}, ["points_nearly_gone"]),
        ({"points": Points(0, NOW, 1_000)}, ["points_nearly_gone"]),
        ({"points": Points(0, NOW, 1_000), "points_until": NOW + DAY}, ["account_depleted"]),
        ({"state": AccountState.LOGGED_OUT}, ["account_refused"]),
        ({"state": AccountState.DISABLED, "points": Points(0, NOW, 1_000)}, []),
        ({"points": Points(900, NOW - 2 * DAY, 1_000)}, []),
        ({"points": Points(900, NOW - 2 * DAY, 1_000), "last_error": "timeout"}, ["account_unread"]),
        ({"points": Points(900, NOW - DAY / 2, 1_000), "last_error": "timeout"}, []),
    ],
)
def test_an_account_that_needs_somebody(change: dict[str, object], expected: list[str]) -> None:
    assert kinds(replace(WELL, **change)) == expected  # type: ignore[arg-type]


def test_an_unknown_balance_is_not_a_low_one() -> None:
    assert kinds(replace(WELL, points=None)) == []


def test_a_text_says_what_to_do_and_holds_no_control_character() -> None:
    account = replace(WELL, label="me\x1b[2J\nBcc: somebody", state=AccountState.LOGGED_OUT)
    (alert,) = account_alerts(account, NOW)
    assert "poegw accounts add official" in alert.text
    assert alert.text.isprintable()
    assert len(named("x" * 500)) < 70


@pytest.mark.parametrize(
    ("used", "expected"),
    [(0, []), (799, []), (800, ["budget_near"]), (1_000, ["budget_spent"]), (1_500, ["budget_spent"])],
)
def test_a_budget_near_its_end(used: int, expected: list[str]) -> None:
    alerts = list(key_alerts(KEY, KeyUse(at=NOW, points_today=used)))
    assert [alert.kind for alert in alerts] == expected
    assert all(alert.key_id == "key_1" for alert in alerts)


def test_each_window_of_a_budget_is_a_cause_of_its_own() -> None:
    key = replace(KEY, points_per_month=10_000, tokens_per_day=100, tokens_per_month=100)
    use = KeyUse(at=NOW, points_today=1_000, points_this_month=9_000, tokens_today=90, tokens_this_month=100)
    ids = {alert.id for alert in key_alerts(key, use)}
    assert ids == {
        "budget_spent:points:2026-11-30:key_1",
        "budget_near:points:2026-11:key_1",
        "budget_near:tokens:2026-11-30:key_1",
        "budget_spent:tokens:2026-11:key_1",
    }
    tomorrow = {alert.id for alert in key_alerts(KEY, KeyUse(at=NOW + DAY, points_today=1_000))}
    assert tomorrow.isdisjoint(ids)


@pytest.mark.parametrize("change", [{"role": KeyRole.ADMIN}, {"enabled": False}, {"points_per_day": None}])
def test_keys_that_spend_nothing_are_no_cause(change: dict[str, object]) -> None:
    key = replace(KEY, **change)  # type: ignore[arg-type]
    assert list(key_alerts(key, KeyUse(at=NOW, points_today=5_000))) == []


def test_a_job_that_did_not_run_is_told_when_it_does() -> None:
    assert late_alert(NOW - 1_200, NOW) is None
    late = late_alert(NOW - 5 * 3_600, NOW)
    assert late is not None
    assert "2026-11-30T07:00" in late.text
