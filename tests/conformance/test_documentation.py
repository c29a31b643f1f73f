"""The page on clients says what the locks say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner is a program, not a package."""
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])


def test_the_table_has_every_client_with_its_locked_version() -> None:
    from documentation import documented
    from suites import SUITES

    assert {client: version for client, (version, _) in documented().items()} == {
        suite.client: suite.version for suite in SUITES
    }


def test_every_client_passed_all_its_checks() -> None:
    from documentation import documented

    for client, (_, result) in documented().items():
        found = re.fullmatch(r"(\d+) of (\d+) checks", result)
        assert found and found[1] == found[2] != "0", (client, result)


def test_no_lock_names_the_address_of_a_registry() -> None:
    for lock in (*HERE.glob("*/package-lock.json"), *HERE.glob("*/requirements.txt")):
        text = lock.read_text(encoding="utf-8")
        assert '"resolved"' not in text, lock
        assert not re.search(r"^(--index|--extra-index|-i |-f )", text, re.MULTILINE), lock


def test_every_complaint_is_answered() -> None:
    """The table of complaints has all thirty, and each test that it names exists."""
    text = (ROOT / "docs" / "what-users-ask.md").read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == list(range(1, 31))
    for path, name in re.findall(r"`((?:tests|functions|local|docs)/[\w/.-]+)(?:::(\w+))?`", text):
        assert (ROOT / path).exists(), path
        assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), (path, name)


def test_rows_are_read_from_what_clients_print() -> None:
    from suites import read_json_rows, read_pytest_rows, read_text_rows

    printed = 'noise\n{"check": "a", "ok": true, "error": null}\n[1]\n{"check": "b", "ok": false, "error": "x"}\n'
    assert [(row.name, row.ok) for row in read_json_rows(printed)] == [("a", True), ("b", False)]
    table = "client 1.0\n\n  chat  ok\n  files  FAILED  Error: x\nok   0.1 s  streams\n\n2 of 3 calls ok\n"
    assert [row.ok for row in read_text_rows(table)] == [True, False, True]
    assert [row.ok for row in read_pytest_rows("1 failed, 2 passed in 3s")] == [True, True, False]
