"""Rows as CSV that a spreadsheet takes for text and numbers, and never for formulas. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

# Full-width signs count as well, for some spreadsheets.
_FORMULA_STARTS = tuple("=+-@\t\n\uff1d\uff0b\uff0d\uff20")


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """The rows with a line of names. `columns` are the names where there are no rows."""
    text = io.StringIO()
    names = list(rows[0]) if rows else list(columns)
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row.get(name)) for name in names})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        value = "; ".join(map(str, value.values() if isinstance(value, Mapping) else value))
    if isinstance(value, str):
        # The writer quotes what has a line feed, and not what has a carriage return.
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
