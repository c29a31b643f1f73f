"""Count the files that typical changes touch, by the examples in docs/contributing.md.

    python scripts/typical_changes.py [--update]

Prints each change with the number on the page and the number of files in which its example stands today. With
`--update` the page's column "now" is written.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/contributing.md"
# Code, and what is declared beside it. Tests and pages for people are not counted.
MODULES = ("functions/**/*.py", "layers/**/*.py", "reverse/**/*.py")
COUNTED = (*MODULES, "template.yaml", ".env.example", "docs/errors.toml")
_ROW = re.compile(
    r"^\| (?P<change>[^|]+) \| `(?P<pattern>(?:\\\||[^`|])+)`(?: in `(?P<folder>[^`]+)`)? \| (?P<before>\d+) "
    r"\| (?P<now>\d+) \|",
    re.MULTILINE,
)


class Change(NamedTuple):
    """One row of the table."""

    name: str
    pattern: re.Pattern[str]
    folder: str
    """Only files below it count; empty for all."""
    now: int
    place: tuple[int, int]
    """Where the page has the number."""


def changes(page: str) -> Iterator[Change]:
    """The rows of the table."""
    for row in _ROW.finditer(page):
        pattern = re.compile(row["pattern"].replace(r"\|", "|"))
        yield Change(row["change"].strip(), pattern, row["folder"] or "", int(row["now"]), row.span("now"))


def files_of(change: Change, root: Path = ROOT) -> list[str]:
    """The files in which a change's example stands."""
    found = {path for glob in COUNTED for path in root.glob(glob) if path.is_file()}
    names = sorted(path.relative_to(root).as_posix() for path in found)
    return [
        name
        for name in names
        if name.startswith(change.folder) and change.pattern.search((root / name).read_text(encoding="utf-8"))
    ]


def main() -> None:
    """Print the counts, or write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the numbers into the page")
    arguments = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    for change in reversed([*changes(page)]):
        files = files_of(change)
        print(f"{change.name:<45} {change.now:>3} -> {len(files):>3}  {' '.join(files)}")
        begin, end = change.place
        page = page[:begin] + str(len(files)) + page[end:]
    if arguments.update:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
