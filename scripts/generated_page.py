"""What the scripts share that write tables of a page of the documentation from the code.

A table stands between two marks, `<!-- table: name -->` and `<!-- /table -->`; what is around them is written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def write_page(description: str | None, page: Path, tables: Callable[[], Mapping[str, str]]) -> None:
    """Write the tables of a page, or with `--check` only say whether they are up to date: exit status 1 if not."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is out of date")
    arguments = parser.parse_args()
    before = page.read_text(encoding="utf-8")
    after = with_tables(before, tables())
    if not arguments.check:
        page.write_text(after, encoding="utf-8")
    elif before != after:
        sys.exit(f"{page.relative_to(ROOT)} is out of date: run `make docs`")


def with_tables(page: str, found: Mapping[str, str]) -> str:
    """The page with each table between its marks. Raises `SystemExit` for a table without a place of its own."""
    for name, text in found.items():
        mark = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- /table -->)", re.DOTALL)
        page, count = mark.subn(lambda match, text=text: match[1] + text + match[2], page)
        if count != 1:
            raise SystemExit(f"the page must have exactly one place for the table {name!r}, and has {count}")
    return page
