"""What starting a command costs, completion, help, and prompts on a real terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from poegw.main import COMMANDS, run

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT / "cli"), "COLUMNS": "100"}


def imported(*arguments: str) -> set[str]:
    """The modules that a command imports."""
    program = "import sys; from poegw.main import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("version",), ("accounts", "list"), ("usage",), ("doctor",)])
def test_a_command_starts_without_what_it_does_not_need(arguments: tuple[str, ...]) -> None:
    assert not imported(*arguments) & {"httpx", "boto3", "botocore", "rich", "asyncio", "pydantic", "urllib.request"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: poegw {name}")
    assert len(shown.splitlines()) > 4


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nothing"]) == 2
    assert "No such command" in capsys.readouterr().err
    assert run(["accounts", "list", "--format", "xml"]) == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_the_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_POEGW_COMPLETE" in capsys.readouterr().out


def test_completion_offers_commands() -> None:
    environment = ENVIRONMENT | {"_POEGW_COMPLETE": "bash_complete", "COMP_WORDS": "poegw acc", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "poegw"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "accounts" in done.stdout


def on_a_terminal(*arguments: str, typed: bytes) -> tuple[int, str]:
    """Run a command on a terminal of its own, and type. Returns its status and all that it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "poegw", *arguments], ENVIRONMENT)
    shown = b""
    is_typed = False
    while select.select([terminal], [], [], 60)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        # What is typed before the space is discarded: the terminal stops to show it only then.
        if not is_typed and shown.endswith(b": "):
            os.write(terminal, typed)
            is_typed = True
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


ADD = ("accounts", "add", "official", "--url", "http://127.0.0.1:9")


def test_a_secret_is_asked_for_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "GATEWAY_ADMIN_KEY", "admin-key")
    status, shown = on_a_terminal(*ADD, typed=b"poe-key-hush\r")
    assert status == 1
    assert "Poe API key:" in shown
    assert "could not be reached" in shown
    assert "hush" not in shown


def test_control_c_ends_quietly_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "GATEWAY_ADMIN_KEY", "admin-key")
    status, shown = on_a_terminal(*ADD, typed=b"\x03")
    assert status == 130
    assert "Traceback" not in shown
