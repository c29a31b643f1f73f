"""README is short: what it is, try it, deploy it, what it does, five rows of the bench, links. The rest is in docs/."""

from __future__ import annotations

import re

from tests.docs.blocks import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_read_in_three_minutes() -> None:
    assert 600 < len(TEXT.split()) <= 750


def test_it_has_what_a_stranger_looks_for_in_this_order() -> None:
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert headings == ["Try it in a minute", "Deploy it", "What it does", "Measured", "More"]
    assert "**Status:**" in TEXT.partition("## ")[0]
