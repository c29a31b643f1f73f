"""What starting a command costs, completion, help, and prompts on a real terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from poegw import __version__
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


def test_its_own_version_is_told_without_a_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"poegw {__version__}\n"


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


def on_a_terminal(*arguments: str, typed: bytes = b"", columns: int = 100) -> tuple[int, str]:
    """Run a command on a terminal of its own, typing a line at each question. Returns its status and what it shows."""
    answers = typed.splitlines(keepends=True) if typed != b"\x03" else [typed]
    pid, terminal = pty.fork()
    if pid == 0:
        # Where Ctrl-C is ignored, as in some CI systems, it would be here, too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {name: value for name, value in ENVIRONMENT.items() if name != "COLUMNS"}
        os.execve(sys.executable, [sys.executable, "-m", "poegw", *arguments], environment)
    shown = b""
    while select.select([terminal], [], [], 300)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        # What is typed before the space is discarded: the terminal stops to show it only then.
        if answers and shown.endswith(b": "):
            os.write(terminal, answers.pop(0))
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


def test_a_login_asks_for_the_address_and_hides_the_key() -> None:
    status, shown = on_a_terminal("login", typed=b"http://127.0.0.1:9\radmin-key-hush\r")
    assert status == 1
    assert "Address of the gateway:" in shown
    assert "Admin key:" in shown
    assert "hush" not in shown


def test_a_deployment_asks_for_region_address_and_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setitem(ENVIRONMENT, name, "x")
    # The first check, a shell that knows a stand-in, fails before AWS is asked.
    monkeypatch.setitem(ENVIRONMENT, "AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    status, shown = on_a_terminal("deploy", typed=b"eu-west-1\rme@example.com\r25\r")
    assert status == 5
    questions = ("AWS region", "E-mail address for alarms", "dollars a month")
    places = [shown.index(question) for question in questions]
    assert places == sorted(places)
    assert "this shell has read .local/run.env" in shown
    status, shown = on_a_terminal("deploy", typed=b"eu-west-1\rnobody\r")
    assert (status, "not an e-mail address" in shown) == (2, True)


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "profiles.json"
    monkeypatch.setitem(ENVIRONMENT, "POEGW_CONFIG", str(path))
    monkeypatch.setitem(ENVIRONMENT, "TERM", "xterm")
    from poegw.profiles import Profiles

    Profiles(path).put("default", {"url": "https://gateway.example", "key": "sk-secret", "role": "admin"})
    assert json.loads(path.read_text())


@pytest.mark.usefixtures("profiles")
def test_a_terminals_width_decides_between_a_table_and_lines() -> None:
    _, wide = on_a_terminal("profiles", columns=100)
    _, narrow = on_a_terminal("profiles", columns=30)
    assert "───" in wide
    assert "───" not in narrow
    for shown in (wide, narrow):
        assert "https://gateway.example" in shown
        assert "sk-secret" not in shown


@pytest.mark.usefixtures("profiles")
def test_no_color_is_heeded_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1m" in on_a_terminal("profiles")[1]
    monkeypatch.setitem(ENVIRONMENT, "NO_COLOR", "1")
    assert "\x1b[" not in on_a_terminal("profiles")[1]
