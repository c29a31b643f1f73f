"""Asks people: secrets without showing them, and whether they are sure. Without a terminal nothing is asked."""

from __future__ import annotations

import sys

import click

from poegw.errors import CommandError, Exit

MAX_SECRET_CHARACTERS = 1_000_000


def is_interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def read_secret(what: str, *, from_stdin: bool, option: str) -> str:
    """A secret from standard input, or from a prompt that does not show it. It is never an argument.

    Raises `CommandError` where there is nobody to ask, and for an empty one.
    """
    if from_stdin:
        secret = sys.stdin.read(MAX_SECRET_CHARACTERS).strip()
    elif is_interactive():
        # On standard error, so that a redirected output holds no question.
        secret = click.prompt(what, hide_input=True, err=True, default="", show_default=False).strip()
    else:
        raise CommandError(
            f"There is no terminal to ask for the {what.lower()} on.",
            hint=f"Give it on standard input, with {option}.",
            status=Exit.USAGE,
        )
    if not secret:
        raise CommandError(f"The {what.lower()} is empty.", status=Exit.USAGE)
    return secret


def confirm(question: str, *, is_sure: bool) -> None:
    """Go on only if somebody says yes, or said so with `--yes`. Raises `CommandError` otherwise."""
    if is_sure:
        return
    if not is_interactive():
        raise CommandError(
            f"{question} There is no terminal to answer on.", hint="Say yes with --yes.", status=Exit.USAGE
        )
    if not click.confirm(question, err=True):
        raise CommandError("Nothing was changed.")


def confirm_by_name(question: str, name: str, *, is_sure: bool) -> None:
    """Like `confirm`, for what can't be undone: the name has to be typed."""
    if is_sure:
        return
    if not is_interactive():
        raise CommandError(
            f"{question} There is no terminal to answer on.", hint="Say yes with --yes.", status=Exit.USAGE
        )
    typed = click.prompt(f"{question} Type {name!r} to go on", err=True, default="", show_default=False)
    if typed.strip() != name:
        raise CommandError("That is another name. Nothing was changed.")
