"""Tables of pages as files for spreadsheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.admin.shown import csv_text, iso_time
from gateway.console.answers import NO_STORE, Answer
from gateway.console.query import Query, read_text
from gateway.http.errors import invalid

MAX_ROWS = 2_000


def wants_csv(query: Query) -> bool:
    """Whether a table is asked for instead of the page. Raises `GatewayError` (400)."""
    wanted = read_text(query, "format") or "json"
    if wanted not in ("json", "csv"):
        raise invalid("'format' must be json or csv.", param="format", code="invalid_value")
    return wanted == "csv"


def table_name(query: Query, *names: str) -> str:
    """Which of the page's tables; the first one by default. Raises `GatewayError` (400)."""
    wanted = read_text(query, "table") or names[0]
    if wanted not in names:
        raise invalid(f"'table' must be one of {', '.join(names)}.", param="table", code="invalid_value")
    return wanted


def csv_answer(
    name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = (), *, next_cursor: str | None = None
) -> Answer:
    """The rows as a download."""
    headers = [("cache-control", NO_STORE), ("content-disposition", f'attachment; filename="{name}.csv"')]
    if next_cursor is not None:
        # In a header, because a row with it would be data for the spreadsheet. Cursors hold callers' words, headers are
        # ASCII.
        headers.append(("x-next-cursor", next_cursor.encode("ascii", "backslashreplace").decode()))
    return Answer(csv_text(rows, columns).encode(), "text/csv; charset=utf-8", headers=headers)


def hour_rows(hours: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The hours of a chart as rows: totals, and points of each model."""
    rows = []
    for index in range(hours["count"]):
        row: dict[str, Any] = {"hour": iso_time(hours["start_seconds"] + index * hours["step_seconds"])}
        row |= {name: values[index] for name, values in hours["totals"].items()}
        row |= {
            f"points of {series['model'] or 'other models'}": series["points"][index]
            for series in hours["points_by_model"]
        }
        rows.append(row)
    return rows
