"""One version for the whole product, the one that the changelog is about."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from gateway import __version__

ROOT = Path(__file__).parents[1]


def test_the_project_has_the_gateways_version() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_the_changelog_has_this_version() -> None:
    assert re.search(rf"^## (?:\[?{re.escape(__version__)}\]?|Unreleased)", (ROOT / "CHANGELOG.md").read_text(), re.M)
