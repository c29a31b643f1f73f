"""The page of retries: its tables are what the plan's data says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from scripts.generated_page import with_tables

SCRIPT = Path(__file__).parents[2] / "scripts/retries.py"


@pytest.fixture(scope="module")
def retries() -> ModuleType:
    specification = importlib.util.spec_from_file_location("retries", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(retries: ModuleType) -> None:
    page = retries.PAGE.read_text(encoding="utf-8")
    assert with_tables(page, retries.tables()) == page, "run `make docs`"


def test_every_rule_and_every_code_is_on_the_page(retries: ModuleType) -> None:
    page = retries.PAGE.read_text(encoding="utf-8")
    assert all(rule.name in page and rule.why in page for rule in retries.RULES)
    assert all(f"`{code.value}`" in page for code in retries.ErrorCode)


def test_a_page_without_the_marks_is_refused(retries: ModuleType) -> None:
    with pytest.raises(SystemExit):
        with_tables("nothing", retries.tables())
