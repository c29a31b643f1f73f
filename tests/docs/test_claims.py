"""Each claim of the page on security names a test, and the test is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("docs/security.md", "docs/reliability.md")
_TEST = re.compile(r"`(tests/[\w./-]+\.py)::(test_\w+)`")


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_that_a_page_names_exist(page: str) -> None:
    named = _TEST.findall((ROOT / page).read_text(encoding="utf-8"))
    assert named
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_claim_names_a_test() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    rows = [line for line in text.partition("## What stops whom")[2].splitlines() if line.startswith("| ")]
    claims = [row for row in rows if not row.startswith(("| claim", "|---"))]
    assert len(claims) > 25
    assert [row for row in claims if not _TEST.search(row)] == []
