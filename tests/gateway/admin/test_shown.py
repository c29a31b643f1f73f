"""No text becomes a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.shown import csv_text

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", '=HYPERLINK("https://evil")']


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    [_, row] = csv.reader(io.StringIO(csv_text([{"label": text, "points": -5}]), newline=""))
    assert row == ["'" + text.replace("\r", "\n"), "-5"]


@given(st.lists(st.text(), min_size=1))
def test_every_text_can_be_read_back(texts: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text([{"a": text, "b": 1} for text in texts]), newline="")))
    for row, text in zip(rows, texts, strict=True):
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        assert row["a"] in (lines, f"'{lines}")
        assert row["a"].lstrip(" ")[:1] not in tuple("=+-@\t\r\n")


def test_lists_and_objects_have_one_cell() -> None:
    assert csv_text([{"models": ["=a", "b"], "told": {"x": None}}]) == "models,told\n'=a; b,None\n"
    assert csv_text([], ["a", "b"]) == "a,b\n"
