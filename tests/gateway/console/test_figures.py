"""Figures of pages: nothing is lost between rows and charts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from accounts import RequestCount, Sums
from gateway.console.figures import TOP_MODELS, show_counts, show_histogram, show_hours
from gateway.console.query import HOUR, Range
from gateway.console.tables import hour_rows

SPAN = Range(100 * HOUR, 110 * HOUR)
ROWS = st.lists(
    st.builds(
        Sums,
        hour=st.integers(100, 109).map(lambda hour: hour * HOUR),
        key_id=st.just(""),
        model=st.sampled_from([f"model-{number}" for number in range(10)]),
        account_id=st.just(""),
        sends=st.integers(0, 9),
        settled=st.integers(0, 99),
        estimated=st.integers(0, 99),
        unknown=st.integers(0, 3),
    ),
    max_size=40,
)


@given(ROWS)
def test_every_point_of_a_chart_is_of_a_row(rows: list[Sums]) -> None:
    hours = show_hours(rows, SPAN)
    assert hours["count"] == 10
    assert sum(hours["totals"]["sends"]) == sum(row.sends for row in rows)
    assert sum(hours["totals"]["sends_unknown"]) == sum(row.unknown for row in rows)
    assert sum(sum(series["points"]) for series in hours["points_by_model"]) == sum(row.points for row in rows)
    points = Counter(hours["totals"]["points_settled"])
    assert points.total() == 10
    models = [series["model"] for series in hours["points_by_model"]]
    assert len(models) <= TOP_MODELS + 1
    assert None not in models[:TOP_MODELS] or len({row.model for row in rows}) > TOP_MODELS
    table = hour_rows(hours)
    assert len(table) == 10
    assert sum(row["points_settled"] + row["points_estimated"] for row in table) == sum(row.points for row in rows)


def test_hours_beside_the_range_do_not_count() -> None:
    rows = [Sums(hour=hour * HOUR, key_id="", model="m", account_id="", sends=1) for hour in (99, 100, 109, 110)]
    assert sum(show_hours(rows, SPAN)["totals"]["sends"]) == 2


def test_counts_tell_errors_and_percentiles_of_answers() -> None:
    rows = [
        RequestCount(requests=3, hour=100 * HOUR, code=None, first_token_class=0),
        RequestCount(requests=1, hour=101 * HOUR, code=None, first_token_class=10),
        RequestCount(requests=2, hour=101 * HOUR, code="upstream_error"),
    ]
    counts = show_counts(rows)
    assert (counts["requests"], counts["errors"], counts["first_token_of"]) == (6, 2, 4)
    assert (counts["first_token_p50_seconds"], counts["first_token_p95_seconds"]) == (1.0, 6.19)
    histogram = show_histogram(rows, SPAN)
    assert (histogram["ok"][:2], histogram["errors"][:2]) == ([3, 1], [0, 2])


def test_without_requests_no_time_is_told() -> None:
    counts = show_counts([])
    assert (counts["requests"], counts["first_token_p50_seconds"]) == (0, None)
