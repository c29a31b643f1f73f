"""Checks of a gateway, each with one remedy. They read only; nothing here spends points or changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from poegw.errors import CommandError


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """Works, but something should be done."""
    FAIL = "fail"
    SKIPPED = "skipped"
    """Could not be checked, with the reason."""


class Finding(NamedTuple):
    """What a check found. `remedy` is empty where nothing is to be done."""

    name: str
    state: State
    detail: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]
_OTHERWISE = "Try again, with -v for what was asked and answered; docs/runbook.md has what usually goes wrong."


def run_checks(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Run the checks in their order. One that can't be carried out is a finding, too."""
    for name, check in checks:
        try:
            yield from check()
        # The others still say something: one right that is missing must not hide them.
        except CommandError as error:
            yield Finding(name, State.FAIL, error.message, error.hint or _OTHERWISE)
