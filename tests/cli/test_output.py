"""Results as tables, JSON, lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from poegw.errors import CommandError
from poegw.output import Column, Output

ROWS = [
    {"name": "a", "points": 5, "note": None},
    {"name": "=cmd()", "points": None, "note": {"x": 1}},
    {"name": "b\x1b[31m\nc", "points": 7, "note": "[bold]"},
]
COLUMNS = (
    Column("Name", lambda row: str(row["name"])),
    Column("Points", lambda row: str(row["points"]), is_number=True),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(form: str = "table", rows: list[dict[str, Any]] = ROWS, *, terminal: bool = False, **options: Any) -> str:
    out = Terminal() if terminal else io.StringIO()
    Output(form=form, out=out, err=io.StringIO(), **options).rows(rows, COLUMNS)
    return out.getvalue()


def test_a_pipe_gets_tabs_and_one_line_for_each_row() -> None:
    lines = written().splitlines()
    assert lines[0] == "Name\tPoints"
    assert len(lines) == 4
    assert "\x1b" not in lines[3]


def test_a_terminal_gets_a_table_without_others_control_characters() -> None:
    text = written(terminal=True, has_color=False)
    assert "Name" in text
    assert "[31m" in text, "the rest of the sequence is text"
    assert "\x1b[31m" not in text


def test_no_color_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Output(out=Terminal()).has_color


def test_json_has_everything() -> None:
    assert json.loads(written("json")) == ROWS
    assert [json.loads(line) for line in written("jsonl").splitlines()] == ROWS


def test_fields_are_chosen() -> None:
    assert json.loads(written(fields=("points",))) == [{"points": 5}, {"points": None}, {"points": 7}]
    with pytest.raises(CommandError, match="colour") as caught:
        written(fields=("colour",))
    assert "points" in str(caught.value.hint)


def test_csv_holds_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [row["name"] for row in rows] == ["a", "'=cmd()", "b\ufffd[31m\nc"]
    assert rows[1]["points"] == ""
    assert json.loads(rows[1]["note"]) == {"x": 1}


def test_nothing_is_said_in_words_and_not_among_the_data() -> None:
    out, err = io.StringIO(), io.StringIO()
    Output(out=out, err=err).rows([], COLUMNS, empty="There is none.")
    assert (out.getvalue(), err.getvalue()) == ("", "There is none.\n")
    assert written("json", []) == "[]\n"


def test_quiet_leaves_out_words_but_no_warning() -> None:
    err = io.StringIO()
    output = Output(is_quiet=True, err=err)
    output.note("words")
    output.warn("careful")
    assert err.getvalue() == "careful\n"
