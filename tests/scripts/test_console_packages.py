"""What the console carries of other people's code is what is locked, and nothing else."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "functions" / "gateway" / "console" / "static" / "vendor"
LOCK = json.loads((ROOT / "requirements" / "console" / "package-lock.json").read_text())["packages"]
VENDORED = json.loads((VENDOR / "VENDORED.json").read_text())


def test_each_file_is_of_the_locked_package() -> None:
    for name, facts in VENDORED.items():
        locked = LOCK[f"node_modules/{facts['package']}"]
        told = (facts["version"], facts["integrity"], facts["licence"])
        assert told == (locked["version"], locked["integrity"], locked["license"]), name


def test_each_file_has_its_checksum() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.*s*")}
    found.pop("VENDORED.json")
    assert found == {name: facts["sha256"] for name, facts in VENDORED.items()}


def test_nothing_else_is_carried() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {*VENDORED, "VENDORED.json", "LICENSES.txt"}


def test_licences_are_carried_along() -> None:
    text = (VENDOR / "LICENSES.txt").read_text()
    for facts in VENDORED.values():
        assert f"{facts['package']} {facts['version']}\n" in text
    assert text.count("Copyright") >= len({facts["package"] for facts in VENDORED.values()})


def test_modules_name_each_other_by_paths() -> None:
    """A page can't have an import map under its content security policy."""
    for path in VENDOR.parent.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        for named in re.findall(r"""\b(?:from|import)\s*\(?\s*["']([^"']+)["']""", text):
            if path.parent == VENDOR or path.name != "snippets.js":
                assert named.startswith(("./", "../")), (path.name, named)


def test_no_file_names_a_registry() -> None:
    for path in (*VENDOR.iterdir(), *(ROOT / "requirements" / "console").rglob("*.json")):
        assert "registry" not in path.read_text(encoding="utf-8"), path.name


def test_the_five_files_are_small() -> None:
    """A phone loads them before it shows anything."""
    sizes = [len(gzip.compress((VENDOR / name).read_bytes(), 9)) for name in VENDORED]
    assert (len(sizes), sum(sizes) < 32_000) == (5, True), sizes
