"""Each time in docs/decisions.md names the command or the test that gives it, and that is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import ROOT

DECISIONS = (ROOT / "docs/decisions.md").read_text(encoding="utf-8")
# A paragraph begins with its decision in bold, and its tables belong to it.
PARAGRAPHS = [part for part in re.split(r"\n\n(?=\*\*|#)", DECISIONS) if part.startswith("**")]
MEASURED = re.compile(r"\d (?:ms|µs)\b|\bmeasured\b|\bprocessor time\b", re.IGNORECASE)
SOURCE = re.compile(r"`(?:make ([a-z-]+)|python (?:-m )?([\w./]+)|(tests/[\w./-]+\.py))[^`]*`")


def title(paragraph: str) -> str:
    return paragraph[2:].partition("**")[0]


def is_there(target: str, program: str, test: str) -> bool:
    if target:
        return f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    if test:
        return (ROOT / test).is_file()
    path = ROOT / program.replace(".", "/")
    return any(each.is_file() for each in (ROOT / program, path.with_suffix(".py"), path / "__main__.py"))


@pytest.mark.parametrize("paragraph", [part for part in PARAGRAPHS if MEASURED.search(part)], ids=title)
def test_a_time_names_what_gives_it(paragraph: str) -> None:
    sources = SOURCE.findall(paragraph)
    assert sources
    assert [source for source in sources if not is_there(*source)] == []


def test_decisions_are_found() -> None:
    assert len(PARAGRAPHS) > 60
