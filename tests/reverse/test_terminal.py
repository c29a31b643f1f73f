"""`python -m reverse`, as a program: in pipes, and on a terminal of its own."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.poe_official import PoeOfficialSimulator
from local.poe_web import PoeWebSimulator, Scenario, SimulatedAccount
from local.poe_web.stream_faults import MessageState
from reverse.blocking import LoopThread
from reverse.terminal.main import main
from reverse.terminal.options import UsageError, chat_options, config_for, credentials_for
from reverse.terminal.screen import Screen, one_line, printable
from reverse.terminal.signals import EndedBySignal, ending_signals

COOKIE = "terminal-test-cookie"
API_KEY = "terminal-test-api-key"
ROOT = Path(__file__).parents[2]
NOWHERE = ["--simulator", "http://127.0.0.1:1"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread("simulator")
    yield thread
    thread.close()


@pytest.fixture
def simulator(loop: LoopThread) -> Iterator[PoeWebSimulator]:
    running = loop.run(PoeWebSimulator(pace_seconds=0.0, answer_delay_seconds=0.0).__aenter__())
    running.add_account(COOKIE)
    yield running
    loop.run(running.aclose())


@pytest.fixture
def account(simulator: PoeWebSimulator) -> SimulatedAccount:
    return simulator.account(COOKIE)


def _environment(**values: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "dumb", "LANG": "C.UTF-8", **values}


@pytest.fixture
def run(simulator: PoeWebSimulator, account: SimulatedAccount) -> Run:
    """Run the program against the simulator, with pipes."""

    def start(*arguments: str, text: str = "", **values: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "reverse", *arguments, "--simulator", simulator.base_url],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_environment(**{"POE_P_B": COOKIE, "POE_FORM_KEY": account.form_key, **values}),
        )

    return start


def test_one_question_is_answered_and_its_case_kept(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "Note.txt"
    note.write_text("12345")
    done = run("What IS", "this?", "--bot", "Echo", "--attach", str(note))
    assert done.stdout == "You said: What IS this?\nNote.txt (text/plain, 5 bytes)\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_a_question_comes_through_a_pipe_and_progress_notes_do_not(run: Run) -> None:
    done = run("--bot", "Thinker", text="One\nTwo\n")
    assert (done.returncode, done.stdout) == (0, "Answer: One\nTwo\n")


@pytest.mark.parametrize(
    ("words", "text", "asked"),
    [
        (["What is this?"], "a\nb\n", "a\nb\n\nWhat is this?"),
        (["-"], "all of it", "all of it"),
        (["Correct this:", "-"], "txet", "Correct this:\n\ntxet"),
        (["-", "in", "French"], "Hello", "Hello\n\nin French"),
        (["what is 5", "-", "3"], "", "what is 5 - 3"),
        (["What is this?"], "", "What is this?"),
        (["What is this?"], " \n\t\n", "What is this?"),
        (["wörd"], "ünd", "ünd\n\nwörd"),
    ],
)
def test_what_is_piped_in_is_asked_beside_the_question(run: Run, words: list[str], text: str, asked: str) -> None:
    done = run("--bot", "Echo", *words, text=text)
    assert (done.returncode, done.stdout) == (0, f"You said: {asked}\n")


def test_a_question_needs_no_input(simulator: PoeWebSimulator, account: SimulatedAccount) -> None:
    command = [sys.executable, "-m", "reverse", "hi", "--bot", "Echo", "--simulator", simulator.base_url]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_environment(POE_P_B=COOKIE, POE_FORM_KEY=account.form_key),
    )
    assert (done.returncode, done.stdout) == (0, "You said: hi\n")


def test_more_than_a_message_may_have_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reverse.terminal.screen.MAX_INPUT_CHARS", 5)
    assert Screen(io.StringIO("12345"), io.StringIO(), io.StringIO()).read_all() == "12345"
    with pytest.raises(OverflowError, match="longer than 5"):
        Screen(io.StringIO("123456"), io.StringIO(), io.StringIO()).read_all()


def test_a_chat_can_be_continued_and_a_file_of_the_bot_is_named(run: Run, account: SimulatedAccount) -> None:
    assert run("one", "--bot", "Echo").returncode == 0
    (chat,) = account.chats.values()
    assert run("two", "--bot", "Echo", "--chat", chat.code).returncode == 0
    assert len(account.chats) == 1 and len(chat.messages) == 4
    assert re.search(r"^http://\S+$", run("a boat", "--bot", "Painter").stdout, re.MULTILINE)


def test_a_refusal_and_a_wrong_cookie_are_failures(run: Run, account: SimulatedAccount) -> None:
    account.points = 0
    refused = run("hi", "--bot", "Echo")
    assert (refused.returncode, refused.stdout) == (1, "") and "[insufficient_points]" in refused.stderr
    wrong = run("hi", POE_P_B="nobody", POE_FORM_KEY="")
    assert wrong.returncode == 1 and "[not_authenticated]" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "text"),
    [
        ([], {}, b""),
        ([], {}, b"\xff\xfe"),
        (["hi"], {"POE_P_B": ""}, b""),
        (["hi", "--attach", "/no/such/file"], {}, b""),
        (["hi", "--operation-hash", "nonsense"], {}, b""),
        (["hi", "--operation-hash", "NoSuchOperation=" + "a" * 64], {}, b""),
        (["hi", "--simulator", "ftp://x"], {}, b""),
        (["hi"], {"POE_PROXY": f"socks5://user:{COOKIE}@127.0.0.1:1080"}, b""),
        (["hi"], {"POE_PROXY": f"socks5h://{COOKIE}:1080"}, b""),
        (["hi"], {"POE_PROXY": "127.0.0.1:8080"}, b""),
        (["hi"], {"POE_PROXY": f"http://user:{COOKIE}@host:port"}, b""),
        (["doctor"], {"POE_PROXY": "socks4://127.0.0.1:1080"}, b""),
        (["--no-such-option"], {}, b""),
    ],
)
def test_wrong_usage_has_its_own_exit_code(
    arguments: list[str],
    environ: dict[str, str],
    text: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), "utf-8", "surrogateescape"))
    with contextlib.suppress(SystemExit):
        assert main([*arguments, *([] if "--simulator" in arguments else NOWHERE)], {"POE_P_B": COOKIE, **environ}) == 2
    written = capsys.readouterr()
    assert written.out == "" and written.err and COOKIE not in written.err


def test_what_came_before_a_failure_is_shown(run: Run, simulator: PoeWebSimulator) -> None:
    simulator.enqueue(Scenario(MessageState("error_bot_down", at=3)))
    done = run("count 30", "--bot", "Story")
    assert done.returncode == 1 and done.stdout.startswith("w0001") and "[bot_unavailable]" in done.stderr


def test_a_scripted_chat_uses_every_command(run: Run, account: SimulatedAccount, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("12345")
    script = [
        "/help", "", "Hello There", "/1", "/retry", "/history 2", "/new", f"/attach {note}", "/suggest off",
        "!BOT Echo", "/bots pup", f"!upload {note}", "With\\", "a File", "/chats", "/open 2", "/switch", "/open 99",
        "/open nosuchcode", "//slash", "!important", "/nosuch", "/suggest 9", "/forget", "/points", "/purge", "n",
        "/purge", "y", "/delete", "yes", "/delete", "y", "/purgeall", "y", "/attach /no/such/file", "/quit", "unsent",
    ]  # fmt: skip
    done = run("--interactive", "--bot", "Helper", text="\n".join(script) + "\n")
    assert done.returncode == 0
    out, err = done.stdout, done.stderr
    assert "You said: Hello There" in out and "  /1 Tell me more" in out and "you: Tell me more" in out
    assert "You said: With\na File\nnote.txt (text/plain, 5 bytes)" in out
    assert "  Puppet" in out and "Hello There" in out and " points" in out
    assert "You said: /slash" in out and "You said: !important" in out and "unsent" not in out
    assert "no such command" in err and "no such suggestion" in err and "[chat_not_found]" in err
    assert "no such number" in err and "/no/such/file" in err and "Traceback" not in err
    assert account.messages == []


def test_the_documented_api_is_used_with_its_key(loop: LoopThread) -> None:
    simulator = loop.run(PoeOfficialSimulator(pace_seconds=0).__aenter__())
    simulator.add_account(API_KEY)

    def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "reverse", *arguments, "--simulator", simulator.base_url],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_environment(POE_API_KEY=API_KEY),
        )

    assert run("Hi", "--bot", "echo").stdout == "You said: Hi\n"
    script = "First\n/retry\n/history\n/bots ech\n/points\n/chats\n/new\n/history\n/retry\n/quit\n"
    done = run("--official", "--interactive", "--bot", "echo", text=script)
    assert done.returncode == 0
    assert done.stdout.count("You said: First") == 3 and "you: First\necho: You said: First" in done.stdout
    assert "[unsupported_feature]" in done.stderr and "[chat_not_found]" in done.stderr
    loop.run(simulator.__aexit__())


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._main, child = pty.openpty()
        self.process = subprocess.Popen(
            arguments, stdin=child, stdout=child, stderr=child, env=environment, start_new_session=True
        )
        os.close(child)
        self.seen = ""

    def expect(self, pattern: str, seconds: float = 20) -> str:
        """Wait until the pattern shows in what has come since the last one."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self.seen, re.DOTALL)) is None:
            ready, _, _ = select.select([self._main], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {pattern!r} in {self.seen!r}"
            with contextlib.suppress(OSError):
                self.seen += os.read(self._main, 65536).decode("utf-8", "replace").replace("\r\n", "\n")
        self.seen = self.seen[found.end() :]
        return found[0]

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._main, text.encode() + b"\n")

    def interrupt(self) -> None:
        """What Ctrl-C does in a terminal."""
        self.process.send_signal(signal.SIGINT)

    def interrupt_until(self, pattern: str) -> None:
        """Ctrl-C again and again: one that comes while line editing begins is only noticed with the next key."""
        for _ in range(20):
            self.interrupt()
            with contextlib.suppress(AssertionError):
                self.expect(pattern, 1)
                return
        raise AssertionError(f"no {pattern!r} in {self.seen!r}")

    def hang_up(self) -> None:
        """Close the terminal, as a window that is closed does."""
        os.close(self._main)
        self._main = -1
        self.process.send_signal(signal.SIGHUP)

    def close(self) -> None:
        """End the program if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._main >= 0:
            os.close(self._main)


@pytest.fixture
def on_terminal(simulator: PoeWebSimulator) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str, **values: str) -> Terminal:
        command = [sys.executable, "-m", "reverse", *arguments, "--simulator", simulator.base_url]
        opened.append(Terminal(command, _environment(**values)))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def test_on_a_terminal_an_answer_streams_and_ctrl_c_stops_it_on_poe_too(
    on_terminal: Callable[..., Terminal], simulator: PoeWebSimulator, account: SimulatedAccount, loop: LoopThread
) -> None:
    simulator.settings.pace_seconds = 0.01
    terminal = on_terminal("--bot", "Story", POE_P_B=COOKIE, POE_FORM_KEY=account.form_key)
    terminal.expect("Story> ")
    terminal.type("Count please: count 5000")
    terminal.expect("w0003")
    terminal.interrupt()
    terminal.expect("stopped; /quit leaves.*Story> ")
    loop.run(_idle(simulator))
    assert account.messages[-1].state == "cancelled"
    assert account.messages[0].text == "Count please: count 5000"
    terminal.interrupt_until("stopped; /quit leaves.*Story> ")
    terminal.type("count 3")
    terminal.expect("w0001 w0002 w0003")
    terminal.expect("Story> ")
    terminal.type("/quit")
    assert terminal.process.wait(20) == 0


def test_a_missing_cookie_is_asked_for_without_echo(
    on_terminal: Callable[..., Terminal], account: SimulatedAccount
) -> None:
    terminal = on_terminal("--bot", "Echo")
    terminal.expect("Cookie p-b of poe.com: ")
    terminal.type(COOKIE)
    terminal.expect("Echo> ")
    terminal.type("Hello")
    terminal.expect("You said: Hello")
    terminal.expect("Echo> ")
    assert COOKIE not in terminal.seen
    os.write(terminal._main, b"\x04")
    assert terminal.process.wait(20) == 0


def test_an_interrupted_question_ends_with_its_own_code(
    on_terminal: Callable[..., Terminal], simulator: PoeWebSimulator, account: SimulatedAccount
) -> None:
    simulator.settings.pace_seconds = 0.01
    terminal = on_terminal("count 5000", "--bot", "Story", POE_P_B=COOKIE, POE_FORM_KEY=account.form_key)
    terminal.expect("w0003")
    terminal.interrupt()
    assert terminal.process.wait(20) == 130
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("is_chat", [True, False])
def test_a_signal_stops_the_answer_on_poe_and_ends_the_program(
    on_terminal: Callable[..., Terminal],
    simulator: PoeWebSimulator,
    account: SimulatedAccount,
    loop: LoopThread,
    number: int,
    code: int,
    is_chat: bool,
) -> None:
    simulator.settings.pace_seconds = 0.01
    question = [] if is_chat else ["count 5000"]
    terminal = on_terminal(*question, "--bot", "Story", POE_P_B=COOKIE, POE_FORM_KEY=account.form_key)
    if is_chat:
        terminal.expect("Story> ")
        terminal.type("count 5000")
    terminal.expect("w0003")
    terminal.process.send_signal(number)
    terminal.process.send_signal(number)  # in its place: a second one does not keep it from stopping the answer
    assert terminal.process.wait(20) == code
    loop.run(_idle(simulator))
    assert account.messages[-1].state == "cancelled"
    assert "Traceback" not in terminal.seen


def test_a_terminal_that_is_gone_stops_the_answer_on_poe(
    on_terminal: Callable[..., Terminal], simulator: PoeWebSimulator, account: SimulatedAccount, loop: LoopThread
) -> None:
    simulator.settings.pace_seconds = 0.01
    terminal = on_terminal("count 5000", "--bot", "Story", POE_P_B=COOKIE, POE_FORM_KEY=account.form_key)
    terminal.expect("w0003")
    terminal.hang_up()
    assert terminal.process.wait(20) != 0
    loop.run(_idle(simulator))
    assert account.messages[-1].state == "cancelled"


@pytest.fixture
def handlers() -> Iterator[None]:
    """What the signals do is as before again."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_a_second_signal_does_not_kill_a_program_that_is_about_to_exit() -> None:
    """Its exit code would be another one. By default a signal would kill this test, too."""
    with pytest.raises(EndedBySignal), ending_signals():
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)


@pytest.mark.usefixtures("handlers")
def test_signals_do_what_they_did_where_none_ended_the_program() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None), signal.getsignal(signal.SIGHUP)
    with ending_signals():
        assert signal.getsignal(signal.SIGHUP) is not before[1]
        mine = signal.getsignal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is not mine
    assert signal.getsignal(signal.SIGHUP) is before[1]


@pytest.mark.usefixtures("handlers")
def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_signals():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(EndedBySignal):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_reader_that_goes_away_is_no_accident(simulator: PoeWebSimulator, account: SimulatedAccount) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reverse", "count 200", "--bot", "Story", "--simulator", simulator.base_url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(POE_P_B=COOKIE, POE_FORM_KEY=account.form_key),
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert b"Traceback" not in errors


def test_the_diagnosis_runs_from_the_command_line(run: Run) -> None:
    done = run("doctor", "--json", "--send", "--bot", "Echo")
    assert done.returncode == 0 and '"healthy": true' in done.stdout and COOKIE not in done.stdout
    failed = run("doctor", POE_P_B="nobody", POE_FORM_KEY="")
    assert failed.returncode == 1 and "FAILED   home page" in failed.stdout and "nobody" not in failed.stdout


def test_text_from_poe_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\x07\x9bc\r\n\td\x7f") == "a[2Jbc\n\td"
    assert one_line("a\n b\x1b" + "c" * 100) == "a b" + "c" * 66 + "…"


@pytest.mark.parametrize(
    ("arguments", "environ", "kind"),
    [
        ([], {"POE_P_B": "x", "POE_API_KEY": "y"}, "WebCredentials"),
        (["--official"], {"POE_P_B": "x", "POE_API_KEY": "y"}, "OfficialCredentials"),
        ([], {"POE_API_KEY": "y"}, "OfficialCredentials"),
    ],
)
def test_the_account_follows_from_the_environment(arguments: list[str], environ: dict[str, str], kind: str) -> None:
    assert type(credentials_for(chat_options(arguments), environ, None)).__name__ == kind


def test_a_simulators_address_sets_every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--simulator", "https://127.0.0.1:1/", "--operation-hash", "sendMessageMutation=b"]
    config = config_for(chat_options(arguments), {"POE_PROXY": "http://127.0.0.1:2"})
    assert config.proxy == "http://127.0.0.1:2"
    assert (config.web_base_url, config.official_base_url) == ("https://127.0.0.1:1",) * 2
    assert (config.channel_url, config.operation_hashes) == ("wss://{base_host}", {"SendMessageMutation": "b"})
    with pytest.raises(UsageError):
        config_for(chat_options(["--simulator", "ftp://x"]), {})


async def _idle(simulator: PoeWebSimulator) -> Any:
    await simulator.idle()
