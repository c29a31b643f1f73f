"""The page of errors: every code and log line in the code is on it, and the other way round."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

from gateway.http import errors as table
from gateway.http.errors import Situation
from scripts.generated_page import with_tables

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/error_codes.py"


@pytest.fixture(scope="module")
def error_codes():
    specification = importlib.util.spec_from_file_location("error_codes", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules["error_codes"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["error_codes"]


def test_the_page_is_up_to_date(error_codes):
    page = error_codes.PAGE.read_text(encoding="utf-8")
    assert with_tables(page, error_codes.tables()) == page, "run `make docs`"


def test_every_situation_of_the_table_is_found(error_codes):
    """The reading of the source is compared with the objects themselves."""
    codes = error_codes.answered_codes()
    situations = [*vars(table).values(), *table._POE.values()]
    known = {row.code: row.status for row in situations if isinstance(row, Situation)}
    assert len(known) > 20
    assert {code for code, status in known.items() if status not in codes[code].statuses} == set()


def test_codes_beside_the_table_are_found(error_codes):
    codes = error_codes.answered_codes()
    assert codes["tool_call_missing"].statuses == {400}  # a reading of an answer
    assert codes["no_image"].statuses == {400}  # a code of its own for a situation
    assert codes["unsupported_file"].statuses == {400}  # through a function of the module
    assert codes["credentials_refused"].statuses == {400}  # the administration
    assert codes["deadline_exceeded"].statuses == {504}  # the loop


def test_codes_that_no_caller_sees_are_left_out(error_codes):
    assert "cancelled" not in error_codes.answered_codes()


def test_a_code_without_a_text_is_refused(error_codes, monkeypatch):
    answered = error_codes.answered_codes() | {"new_code": error_codes.Answered({400}, {None})}
    monkeypatch.setattr(error_codes, "answered_codes", lambda: answered)
    with pytest.raises(SystemExit, match="no text for the codes new_code"):
        error_codes.tables()


def test_a_text_without_a_log_line_is_refused(error_codes, monkeypatch):
    found = error_codes.log_events() - {"request.ended"}
    monkeypatch.setattr(error_codes, "log_events", lambda: found)
    with pytest.raises(SystemExit, match=r"are gone: request\.ended"):
        error_codes.tables()


def test_codes_are_read_from_every_form_of_call(error_codes):
    tree = ast.parse(
        'X = Situation(418, "t", "teapot", "Text.", False)\n'
        "def refuse(param, code): pass\n"
        'invalid("m", code="one" if x else "two"); GatewayError(X, code="three"); refuse("p", "four")\n'
        'Outcome(code="five"); invalid("m", code=error.code)\n'
    )
    assert list(error_codes._situations(tree)) == [("X", (418, "teapot", False))]
    assert sorted(error_codes._codes_of_calls(tree)) == [
        ("INVALID_REQUEST", 0, "four"),
        ("INVALID_REQUEST", 0, "one"),
        ("INVALID_REQUEST", 0, "two"),
        ("X", 0, "three"),
    ]
