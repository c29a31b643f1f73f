"""Files that the documentation names are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
FOLDERS = "cli|docs|events|functions|http_connections|layers|lazy_dataclasses|local|requirements|reverse|scripts|tests"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./-]+)`")
# Short names are resolved in these folders, in the pages whose subject they are.
ABBREVIATED = re.compile(r"`([\w/-]+\.py)`")
# The paths that a page names as an example of what does not exist, or once existed.
EXAMPLES = frozenset({"reverse/official", "local/simulator"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_paths_of_a_page_exist(page):
    named = {path.rstrip("/") for path in PATH.findall(page.read_text(encoding="utf-8"))}
    assert sorted(path for path in named - EXAMPLES if not (ROOT / path).exists()) == []


def test_the_tour_names_files_of_every_package_on_the_way():
    text = (ROOT / "docs/tour.md").read_text(encoding="utf-8")
    named = PATH.findall(text)
    assert len({path for path in named if path.endswith(".py")}) > 25
    for package in ("layers/streaming_runtime/", "layers/accounts/", "functions/gateway/", "reverse/", "local/"):
        assert any(path.startswith(package) for path in named), package


def test_short_names_in_the_tour_are_beside_the_file_named_before():
    """`invocation.py beside it` is in the folder of the last full path."""
    folder, missing = ROOT, []
    text = (ROOT / "docs/tour.md").read_text(encoding="utf-8")
    for match in re.finditer(rf"{PATH.pattern}|{ABBREVIATED.pattern}", text):
        full, short = match[1], match[2]
        if full:
            path = ROOT / full
            folder = path if path.is_dir() else path.parent
        elif not (folder / short).is_file():
            missing.append(short)
    assert missing == []
