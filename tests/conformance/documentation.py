"""The table in `docs/clients.md`: written from a run, and checked against the locks by a test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from environments import ROOT
from suites import Suite

PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = "| client | version | what was tried | result | date |\n|---|---|---|---|---|\n"
_ROW = re.compile(
    r"^\| (?P<client>[^|]+) \| (?P<version>[^|]+) \| [^|]+ \| (?P<result>[^|]+) \| [^|]+ \|$", re.MULTILINE
)


def rows_of(text: str) -> dict[str, str]:
    """The table's lines by client."""
    table = text.partition(BEGIN)[2].partition(END)[0]
    return {found["client"]: found[0] for found in _ROW.finditer(table) if found["client"] != "client"}


def documented() -> dict[str, tuple[str, str]]:
    """Version and result of each client in the table."""
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    found = {row["client"]: (row["version"], row["result"]) for row in _ROW.finditer(table)}
    found.pop("client", None)
    return found


def update_table(results: Sequence[tuple[Suite, str]]) -> None:
    """Replace the rows of these clients, keep the others."""
    text = PAGE.read_text(encoding="utf-8")
    rows = rows_of(text)
    today = datetime.now(UTC).date().isoformat()
    for suite, result in results:
        rows[suite.client] = f"| {suite.client} | {suite.version} | {suite.tried} | {result} | {today} |"
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{HEAD}{chr(10).join(rows.values())}\n{END}{after}", encoding="utf-8")
