"""The figures about the structure: what counts, what does not, and the comparison of two versions."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/structure.py"


@pytest.fixture(scope="module")
def structure():
    specification = importlib.util.spec_from_file_location("structure", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules["structure"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    yield module
    del sys.modules["structure"]


@pytest.fixture(scope="module")
def measured(structure):
    """The code as it is: measuring takes seconds."""
    return structure.measure(structure.working_tree(ROOT))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("reverse/web/client.py", "reverse.web.client"),
        ("reverse/__init__.py", "reverse"),
        ("functions/gateway/http/auth.py", "gateway.http.auth"),
        ("layers/accounts/accounts/_store.py", "accounts._store"),
        ("layers/pool/pool/__init__.py", "pool"),
        ("tests/reverse/test_chat.py", None),
        ("scripts/structure.py", None),
        ("setup.py", None),
    ],
)
def test_a_file_has_the_name_it_is_imported_by(structure, path, name):
    assert structure.module_name(path) == name


def test_arrows_are_counted_wherever_the_import_stands(structure):
    """At the top, in a function, relative, and of a name that is no module."""
    found = structure.measure(
        {
            "functions/gateway/app.py": "from gateway.http import auth\nfrom accounts import Store\n",
            "functions/gateway/http/auth.py": "def f():\n    import reverse.errors\n",
            "functions/gateway/http/sse.py": "from .auth import f\nfrom . import auth\nimport json\n",
            "layers/accounts/accounts/__init__.py": "class Store: ...\n",
            "reverse/errors.py": "",
        }
    )
    assert found.arrows == {
        "gateway": 2,
        "gateway/. -> gateway/http": 1,
        "gateway -> accounts": 1,
        "gateway -> reverse": 1,
    }
    assert found.files["gateway/."] == 1
    assert found.files["gateway/http"] == 2
    assert found.ground_floor == ["app.py", "http"]


def test_cycles_are_found_through_others_and_named_once(structure):
    graph = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": ["f"], "f": ["e"], "g": ["d"]}
    assert structure.cycles(graph) == [["a", "b", "c"], ["e", "f"]]


def test_a_long_chain_of_imports_is_no_recursion(structure):
    chain = {str(number): [str(number + 1)] for number in range(5000)} | {"5000": ["0"]}
    assert [len(part) for part in structure.cycles(chain)] == [5001]


def test_a_copy_is_found_though_its_comments_differ(structure):
    body = [f"    value_{number} = call({number}, other)" for number in range(12)]
    first = "\n".join(["def first():", '    """Says one thing."""', *body]) + "\n"
    second = "\n".join(["import os", "def second():", "    # says another", *body[:6], "", *body[6:]]) + "\n"
    (found,) = structure.duplicates({"reverse/a.py": first, "reverse/b.py": second})
    assert (found.first, found.second, found.lines) == ("reverse/a.py:3", "reverse/b.py:4", 12)


def test_short_runs_and_lists_of_imports_are_no_duplicates(structure):
    short = "\n".join(f"value_{number} = {number}" for number in range(structure.DUPLICATE_LINES - 1)) + "\n"
    names = "from somewhere import (\n" + "".join(f"    name_{number},\n" for number in range(20)) + ")\n"
    assert structure.duplicates({"reverse/a.py": names + short, "reverse/b.py": short + names}) == []


def test_the_longest_function_is_named_with_its_class(structure):
    source = "class Box:\n    def short(self): ...\n\n    def long(self):\n        a = 1\n        return a\n"
    found = structure.measure({"reverse/box.py": source})
    assert [(item.name, item.lines) for item in found.longest] == [
        ("reverse.box.Box.long", 3),
        ("reverse.box.Box.short", 1),
    ]


def test_comments_are_lines_that_say_something_to_a_reader(structure):
    source = "\n".join(
        (
            "#!/usr/bin/env python",
            "# Why.",
            "first = 1  # beside code",
            "second = 2  # noqa: E501 - for a linter",
            "third = 3  # type: ignore[assignment]",
            'text = "# no comment"',
            "",
        )
    )
    found = structure.measure({"reverse/a.py": source, "reverse/b.py": "x = 1\n" * 4, "local/empty.py": ""})
    assert found.comments["reverse"] == 2
    assert found.comment_rates() == {"reverse": 20.0}
    assert found.figures()["comments in 100 lines: reverse"] == 20.0


def test_two_versions_stand_beside_each_other(structure):
    before = structure.measure({"reverse/a.py": "", "local/b.py": ""})
    after = structure.measure({"reverse/a.py": "", "reverse/c.py": "x = 1\n"})
    rows = {line[:20].strip(): line.split()[-3:] for line in structure.table(after, before).splitlines()}
    assert rows["files: reverse"] == ["1", "2", "+1"]
    assert rows["files: local"] == ["1", "0", "-1"]


def test_the_command_compares_with_a_revision():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--against", "HEAD", "--json"], capture_output=True, text=True, check=True, timeout=600
    )
    found = json.loads(done.stdout)
    assert found["figures"].keys() == found["figures"].keys() | {"cycles", "files: gateway"}
    assert found["before"]["files: reverse"] > 50


def test_an_unknown_revision_is_named():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--against", "no-such-revision"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "git cannot read 'no-such-revision'" in done.stderr


def test_the_ground_floor_of_the_gateway_stays_small(structure):
    """Composition and packages only: what is new has a package."""
    floor = structure.ground_floor(structure.working_tree(ROOT), "functions/gateway")
    assert len(floor) <= 13, floor


def test_no_imports_form_a_circle(measured):
    assert measured.cycles == []


def test_the_gateways_code_says_why(measured):
    """Comments in 5 to 10 of 100 lines, in each of its packages: fewer leave reasons out, more repeat the code."""
    rates = measured.comment_rates()
    gateway = {name: rate for name, rate in rates.items() if name.partition("/")[0] == "gateway"}
    assert len(gateway) > 5
    assert {name: rate for name, rate in gateway.items() if not 5 <= rate <= 10} == {}


def test_what_the_gateway_stands_on_says_why(measured):
    """Less than in the gateway: much of it are plain values and protocols, which docstrings explain."""
    rates = measured.comment_rates()
    below = ("accounts", "pool", "refresh_points", "reverse", "streaming_runtime")
    assert {name: rates[name] for name in below if rates[name] < 3} == {}
