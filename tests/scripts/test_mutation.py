"""What mutation testing is told, and what it makes of mutmut's notes; mutmut itself is not installed here."""

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/mutation.py"


@pytest.fixture
def mutation(tmp_path, monkeypatch):
    specification = importlib.util.spec_from_file_location("mutation", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "mutation", module)  # dataclasses look their module up
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "WORK", tmp_path / "work")
    return module


def test_every_listed_module_and_test_exists(mutation):
    missing = []
    for module, tests in mutation.MODULES.items():
        package, _, rest = module.partition("/")
        missing += [module] if not (ROOT / mutation.PACKAGES[package] / rest).is_file() else []
        missing += [test for test in tests if not (ROOT / "tests" / test).is_file()]
    assert missing == [], "list the module where it is now, in scripts/mutation.py"


def test_the_copy_has_packages_at_the_top_and_its_own_configuration(mutation):
    module = "accounts/_selection.py"
    mutation.prepare({module: mutation.MODULES[module]})
    assert (mutation.WORK / module).read_text() == (ROOT / "layers/accounts" / module).read_text()
    assert (mutation.WORK / "gateway/http/sse.py").is_file()
    text = (mutation.WORK / "pyproject.toml").read_text()
    assert 'only_mutate = ["accounts/_selection.py"]' in text
    assert 'pythonpath = ["."]' in text
    assert "filterwarnings" in text


def test_scores_count_what_was_tried(mutation):
    notes = mutation.WORK / "mutants/accounts/_keys.py.meta"
    notes.parent.mkdir(parents=True)
    codes = {"a": 1, "b": 1, "c": 0, "d": 33, "e": None, "f": -24}
    notes.write_text(json.dumps({"exit_code_by_key": codes}))
    score = mutation.score("accounts/_keys.py")
    assert score.counts == Counter(
        {mutation.KILLED: 3, mutation.SURVIVED: 1, mutation.NO_TEST: 1, mutation.UNCHECKED: 1}
    )
    assert score.percent == 60
    assert score.survivors == ("c", "d")


def test_a_module_without_notes_was_not_checked(mutation):
    score = mutation.score("accounts/_keys.py")
    assert (score.counts.total(), score.percent) == (0, 0.0)


def test_the_table_has_a_row_for_each_module_and_one_for_all(mutation):
    first = mutation.Score("b.py", Counter({mutation.KILLED: 9, mutation.SURVIVED: 1}), ())
    second = mutation.Score("a.py", Counter({mutation.KILLED: 10}), ())
    rows = mutation.table([first, second]).splitlines()
    assert rows[2:] == [
        "| `a.py` | 10 | 10 | 0 | 0 | 0 | 100 % |",
        "| `b.py` | 10 | 9 | 1 | 0 | 0 | 90 % |",
        "| **all** | 20 | 19 | 1 | 0 | 0 | 95 % |",
    ]


def test_the_page_has_a_place_for_the_table(mutation):
    page = mutation.PAGE.read_text(encoding="utf-8")
    changed = mutation.with_table(page, "| x |\n")
    assert "<!-- table: mutation -->\n| x |\n<!-- /table -->" in changed
    with pytest.raises(SystemExit):
        mutation.with_table("# nothing", "| x |\n")
