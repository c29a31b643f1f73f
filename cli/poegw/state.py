"""What the options that every command takes say, and what follows from them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from poegw.api import Gateway, is_plain_and_remote
from poegw.errors import CommandError, Exit, not_logged_in
from poegw.output import FORMATS, Output
from poegw.profiles import Profiles, Target, config_path, find_target

F = TypeVar("F", bound=Callable[..., Any])


class State:
    """Carried by click's context. An option counts wherever it stands: before the command or behind it."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self._profiles: Profiles | None = None
        self._output: Output | None = None

    def take(self, **given: Any) -> None:
        """Note what was given; what was not leaves what is there."""
        # Flags that were not given are False: they must not undo one that stands before the command.
        self.options |= {name: value for name, value in given.items() if value not in (None, False, ())}

    @property
    def output(self) -> Output:
        if self._output is None:
            fields = tuple(name.strip() for name in self.options.get("fields", "").split(",") if name.strip())
            self._output = Output(
                form=self.options.get("form", "table"),
                fields=fields,
                is_quiet=self.options.get("quiet", False),
                has_color=not self.options.get("no_color", False),
            )
        return self._output

    @property
    def is_sure(self) -> bool:
        """Whether `--yes` answers every question."""
        return bool(self.options.get("yes"))

    @property
    def profiles(self) -> Profiles:
        self._profiles = self._profiles or Profiles(config_path())
        return self._profiles

    def target(self) -> Target:
        """The gateway that is meant. Raises `CommandError`."""
        return find_target(self.profiles, url=self.options.get("url"), name=self.options.get("profile"))

    def gateway(self, *, needs_key: bool = True) -> Gateway:
        """The gateway that is meant, with the key for its administration. Raises `CommandError`."""
        target = self.target()
        if needs_key and not target.key:
            raise not_logged_in(f"There is no key for {target.url}.")
        return self.connect(target.url, target.key)

    def client_key(self) -> tuple[str, str]:
        """The address, and a key that opens models; an administrator's does not. Raises `CommandError`."""
        target = self.target()
        key = os.environ.get("OPENAI_API_KEY")
        if target.profile is not None:
            # The profile's own first: the variable may belong to OpenAI.
            key = self.profiles.get(target.profile).get("client_key") or key
        if not key:
            raise CommandError(
                "There is no client key.",
                hint="Create one with `poegw keys create --name me`, and set OPENAI_API_KEY to it.",
                status=Exit.NOT_LOGGED_IN,
            )
        return target.url, key

    def client(self) -> Gateway:
        """The gateway that is meant, as a program uses it. Raises `CommandError`."""
        return self.connect(*self.client_key())

    def connect(self, url: str, key: str | None) -> Gateway:
        """A gateway at this address."""
        # A warning and no refusal: there are private networks.
        if key and is_plain_and_remote(url):
            self.output.warn(f"Warning: the key travels unencrypted to {url}.")
        log = self._log if self.options.get("verbose") else None
        return Gateway(url, key, timeout_seconds=self.options.get("timeout", 60.0), log=log)

    @staticmethod
    def _log(line: str) -> None:
        print(line, file=sys.stderr)


pass_state = click.make_pass_decorator(State, ensure=True)


def shared_options(command: F) -> F:
    """Add the options that every command takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--profile", help="Profile to use.", metavar="NAME"),
    click.option("--url", help="Address of the gateway, instead of a profile's.", metavar="URL"),
    click.option("--format", "form", type=click.Choice(FORMATS), help="How results are written.  [default: table]"),
    click.option("--json", "fields", help="Only these fields, as JSON.", metavar="FIELDS"),
    click.option(
        "--timeout", type=click.FloatRange(0.1, 3600), help="Seconds to wait for an answer.", metavar="SECONDS"
    ),
    click.option("-q", "--quiet", is_flag=True, help="No words, only data."),
    click.option("--no-color", is_flag=True, help="No colours; so does NO_COLOR in the environment."),
    click.option("-y", "--yes", is_flag=True, help="Answer every question with yes."),
    click.option("-v", "--verbose", is_flag=True, help="Show the requests, without secrets."),
)
OPTION_NAMES = ("profile", "url", "form", "fields", "timeout", "quiet", "no_color", "yes", "verbose")
