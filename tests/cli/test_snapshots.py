"""Every command's help, table and JSON, as it was when somebody last looked. POEGW_SNAPSHOTS=write writes them anew.

The width of the terminal is fixed, and so are the time and what the gateway answers.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from poegw import __version__
from poegw.api import ApiError, Gateway, Reply
from poegw.main import poegw, run
from poegw.profiles import Profiles
from tests.cli.canned import ANSWERS

FOLDER = Path(__file__).parent / "snapshots"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
URL = "https://gateway.example"
COMMANDS = [
    "whoami",
    "profiles",
    "status",
    "accounts list",
    "accounts show acct_1",
    "accounts add official --key-stdin",
    "accounts add web --cookie-file -",
    "accounts test acct_1",
    "accounts refresh acct_1",
    "accounts enable acct_1",
    "accounts disable acct_1",
    "accounts set acct_1 --max-concurrency 5",
    "accounts remove acct_1 --yes",
    "keys list",
    "keys show laptop",
    "keys create --name laptop --budget 2000/day",
    "keys update laptop --budget 500/day",
    "keys rotate laptop",
    "keys revoke laptop --yes",
    "usage --by model",
    "requests",
    "requests show req_1",
    "points",
    "points --reconcile",
    "alerts",
    "alerts webhook",
    "alerts webhook set --url-stdin",
    "alerts webhook test",
    "alerts webhook remove",
    "audit",
    "models",
    "doctor",
    "version",
    "env",
    "api GET /admin/whoami",
]
TYPED = {"--key-stdin": "poe-key", "--url-stdin": "https://hooks.example.com/x", "-": "p-b=cookie"}


class Screen(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("POEGW_", "GATEWAY_", "OPENAI_"))]:
        if name != "POEGW_SNAPSHOTS":
            monkeypatch.delenv(name)
    environment = {
        "COLUMNS": "100",
        "LINES": "40",
        "TERM": "xterm",
        "NO_COLOR": "1",
        "GATEWAY_URL": URL,
        "GATEWAY_ADMIN_KEY": "admin-key",
        "OPENAI_API_KEY": "sk-client",
        "POEGW_CONFIG": str(tmp_path / "profiles.json"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Profiles(tmp_path / "profiles.json").put(
        "home", {"url": "http://127.0.0.1:8000", "key": "sk-hush", "role": "admin"}
    )
    for name in ("FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("clock", "commands.keys", "commands.usage"):
        monkeypatch.setattr(importlib.import_module(f"poegw.{name}"), "now", lambda: NOW)

    def request(self: Gateway, method: str, path: str, *, raises: bool = True, **_: Any) -> Reply:
        key = self._key
        is_refused = (path == "/v1/usage" and key == "admin-key") or (key or "").startswith("sk-poe-")
        status = 401 if is_refused else 200
        answer = {} if is_refused else ANSWERS[method, path]
        reply = Reply(status, {"x-request-id": "req_9"}, json.dumps(answer).encode())
        if raises and is_refused:
            raise ApiError(reply)
        return reply

    @contextmanager
    def stream(*_: Any, **__: Any) -> Iterator[Any]:
        yield {}, iter(())

    monkeypatch.setattr(Gateway, "request", request)
    monkeypatch.setattr(Gateway, "stream", stream)


def shown(command: str, monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> str:
    """What a command wrote, with its status and its words."""
    out = Screen() if is_terminal else io.StringIO()
    err = io.StringIO()
    arguments = shlex.split(command)
    typed = next((text for option, text in TYPED.items() if option in arguments), "")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(typed))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        status = run(arguments)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    words = [f"! {line}" for line in err.getvalue().splitlines()]
    told = "\n".join([f"$ poegw {command}", *lines, *words, f"[{int(status)}]", ""])
    return told.replace(__version__, "VERSION")


def compare(name: str, text: str) -> None:
    path = FOLDER / name
    if os.environ.get("POEGW_SNAPSHOTS") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} differs: look, then POEGW_SNAPSHOTS=write"


def test_tables_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    compare("screens.txt", "\n".join(shown(command, monkeypatch, is_terminal=True) for command in COMMANDS))


def test_tables_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    compare("pipes.txt", "\n".join(shown(command, monkeypatch, is_terminal=False) for command in COMMANDS))


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_forms_for_programs(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [shown(f"{command} --format {form}", monkeypatch, is_terminal=False) for command in COMMANDS]
    compare(f"{form}.txt", "\n".join(told))


def commands_below(command: click.Command, context: click.Context, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands_below(child, click.Context(child, parent=context, info_name=name), f"{path} {name}")


def test_help(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [path for path, _ in commands_below(poegw, click.Context(poegw, info_name="poegw"), "")]
    told = [shown(f"{path} --help".strip(), monkeypatch, is_terminal=False) for path in every]
    compare("help.txt", "\n".join(told))


def test_every_command_that_lists_or_shows_is_among_them() -> None:
    told = {shlex.split(command)[0] for command in COMMANDS}
    others = {
        *("login", "logout", "chat", "run", "open", "completion"),
        *("deploy", "pause", "resume", "upgrade", "uninstall", "export", "import"),
    }
    assert {*poegw.list_commands(click.Context(poegw))} - told == others, "these have tests of their own"


def test_no_control_character_of_a_label_reaches_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal in (True, False):
        told = shown("accounts list", monkeypatch, is_terminal=is_terminal)
        assert "\x1b" not in told
        assert "[bold]" in told, "it is no markup"


@pytest.mark.parametrize("columns", [10, 20, 40, 55, 56, 60, 80])
def test_a_narrow_terminal_loses_no_word(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    told = shown("keys list", monkeypatch, is_terminal=True)
    for word in ["laptop", "viewer", "2,000/day", "gpt-*"] if columns < 56 else ["laptop"[:3], "viewer"[:3]]:
        assert word in told
    if columns >= 56:
        assert all(len(line) <= columns for line in told.splitlines()[1:-1]), "the terminal wraps nothing"


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[" in shown("keys list", monkeypatch, is_terminal=True)
    assert "\x1b[" not in shown("keys list", monkeypatch, is_terminal=False)
    assert "\x1b[3" not in shown("keys list --no-color", monkeypatch, is_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown("keys list", monkeypatch, is_terminal=True)
