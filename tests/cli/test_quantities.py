"""Durations, budgets and moments as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from poegw.quantities import ago, number, parse_budget, parse_duration, parse_moment

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), (" 2W ", 1209600)]
)
def test_a_duration_has_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1y", "9" * 5000 + "h", "\u0661h"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="24h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1h", NOW - timedelta(hours=1)),
        ("today", datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00:00+02:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_span_a_date_or_a_time(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


def test_anything_else_is_no_moment() -> None:
    with pytest.raises(ValueError, match="2026-11-30"):
        parse_moment("yesterday", NOW)


def test_a_budget_has_points_and_a_period() -> None:
    assert parse_budget("2000/day") == (2000, "day")
    assert parse_budget("50000 / M") == (50000, "month")
    for text in ("2000", "2000/year", "many/day", "-1/day", ""):
        with pytest.raises(ValueError, match="2000/day"):
            parse_budget(text)


def test_unknown_is_not_zero() -> None:
    assert (number(None), number(0), number(1234567)) == ("unknown", "0", "1,234,567")


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (None, "never"),
        ("2026-11-30T11:59:30+00:00", "30s ago"),
        ("2026-11-30T10:00:00+00:00", "2h ago"),
        ("2026-12-03T12:00:00+00:00", "in 3d"),
    ],
)
def test_times_are_told_in_one_unit(moment: str | None, told: str) -> None:
    assert ago(moment, NOW) == told
