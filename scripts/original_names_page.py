"""Write the table of docs/from-the-original.md from the names that the code knows.

    python scripts/original_names_page.py [--check]

With `--check` nothing is written, and the exit status is 1 when the table is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/from-the-original.md"
sys.path[:0] = [str(ROOT / folder) for folder in (".", "layers/pool") if str(ROOT / folder) not in sys.path]

from pool.original_names import ORIGINAL_NAMES  # noqa: E402
from scripts.generated_page import write_page  # noqa: E402


def main() -> None:
    """Write the page, or check it."""
    write_page(__doc__, PAGE, tables)


def tables() -> dict[str, str]:
    """The table by its name."""
    lines = ["| there | here |", "|---|---|"]
    lines += [f"| `{name}` | {told} |" for name, told in ORIGINAL_NAMES.items()]
    return {"variables": "\n".join(lines) + "\n"}


if __name__ == "__main__":
    main()
