"""Finds what a person names on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from poegw.errors import CommandError, Exit


def find_one(rows: Iterable[dict[str, Any]], name: str, *, noun: str) -> dict[str, Any]:
    """The only one of the rows, which were found by the name. Raises `CommandError` for none, or more than one."""
    found = list(rows)
    if len(found) == 1:
        return found[0]
    # Never the first of several: a command changes things.
    if found:
        raise CommandError(
            f"{len(found)} {noun}s are called {name[:80]!r}.",
            hint=f"Use an id: {', '.join(row['id'] for row in found)}.",
            status=Exit.USAGE,
        )
    raise CommandError(f"There is no {noun} {name[:80]!r}.", hint=f"`poegw {noun}s list` shows them.")
