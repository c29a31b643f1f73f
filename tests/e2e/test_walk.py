"""A newcomer's first steps: clone, run, accounts of each kind, a key, a stream, usage, a budget that ends, the doctor.

Only the installation of packages is left out: the clone gets the interpreter that runs the tests. The time of each step
is printed and kept, and asserted nowhere.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.seed import OFFICIAL_KEY, WEB_COOKIES
from poegw.errors import Exit
from tests.e2e.conftest import ROOT, START_SECONDS, children_of, command_line, wait_until

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".local", "build", ".aws-sam", "__pycache__", ".*_cache", ".hypothesis"
)
_SECONDS = 120
TOO_MANY = 429


class Walk:
    """The clone, a shell in it that has read `run.env`, and the time of each step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[tuple[str, float]] = []
        self.variables: dict[str, str] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.steps.append((name, time.perf_counter() - started))

    def environment(self) -> dict[str, str]:
        unwanted = ("GATEWAY_", "AWS_", "OPENAI_", "ANTHROPIC_", "POEGW_", "MAKE", "MFLAGS", "VENV", "STATE", "PORT")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        return kept | {"POEGW_CONFIG": str(self.folder / "profiles.json"), **self.variables}

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """A command in the shell, with what is typed on standard input."""
        return subprocess.run(
            [str(self.folder / ".venv/bin/poegw"), *arguments],
            cwd=self.folder,
            env=self.environment(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def poegw(self, *arguments: str, typed: str = "") -> str:
        """The data of a command that ends well."""
        done = self.run(*arguments, typed=typed)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.poegw(*arguments, "--format", "json"))


def clone(target: Path) -> None:
    """What `git clone` makes; a copy where this is no repository."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target)], check=True)
    else:
        shutil.copytree(ROOT, target, ignore=_LEFT_OUT)


def install(target: Path) -> None:
    """Stands for the installation: the interpreter of the tests has every package."""
    tools = target / ".venv/bin"
    tools.mkdir(parents=True)
    (tools / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (tools / "python").chmod(0o755)
    subprocess.run(["scripts/launcher", ".venv"], cwd=target, check=True)
    for stamp in (".created", ".run"):
        (target / ".venv" / stamp).touch()


@contextmanager
def running(walk: Walk) -> Iterator[None]:
    """`make run`, until it has written how to reach it."""
    output = walk.folder / "make.out"
    with output.open("w") as file:
        process = subprocess.Popen(
            ["make", "run", "PORT=0"],
            cwd=walk.folder,
            env=walk.environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, output.read_text()
        words = shlex.split((walk.folder / ".local/run.env").read_text(), comments=True)
        walk.variables = dict(word.split("=", 1) for word in words if "=" in word)
        yield
    finally:
        pids = children_of(process.pid)
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_SECONDS)
        wait_until(lambda: not any(map(command_line, pids)))


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    started = Walk(tmp_path / "poe-gateway")
    with started.step("clone"):
        clone(started.folder)
    install(started.folder)
    with started.step("make run"):
        context = running(started)
        context.__enter__()
    try:
        yield started
    finally:
        context.__exit__(None, None, None)


def test_from_a_clone_to_a_budget_that_ends(walk: Walk, tmp_path: Path, record_property: Any) -> None:
    for account in walk.json("accounts", "list"):
        walk.poegw("accounts", "remove", account["id"], "--yes")
    with walk.step("a web account, by its cookies"):
        (walk.folder / "cookies.txt").write_text(f"p-b={WEB_COOKIES[0]}")
        added = walk.poegw("accounts", "add", "web", "--label", "walk-web", "--cookie-file", "cookies.txt")
        assert "active" in added
    with walk.step("a key with a budget"):
        secret = walk.poegw("keys", "create", "--name", "walk", "--budget", "150/day").strip()
        assert secret.startswith("sk-poe-")
    walk.variables["OPENAI_API_KEY"] = secret
    with walk.step("a streamed answer"):
        assert walk.poegw("chat", "-m", "Story", "Tell", "me", "a", "story").strip()
    with walk.step("usage, in points that Poe charged"):
        key = next(row["id"] for row in walk.json("keys", "list") if row["name"] == "walk")
        (row,) = walk.json("usage", "--by", "key", "--key", key)
        assert (row["sends"], row["sends_unknown"]) == (1, 0)
        assert row["points_settled"] > 0
        (request,) = walk.json("requests", "--key", key)
        assert (request["status"], request["code"]) == (200, None)
    with walk.step("an official account, by its key on standard input"):
        added = walk.poegw("accounts", "add", "official", "--label", "walk-official", "--key-stdin", typed=OFFICIAL_KEY)
        assert "active" in added
    with walk.step("a budget that ends"):
        walk.poegw("keys", "update", "walk", "--budget", "1/day")
        wait_until(lambda: is_refused(walk), _SECONDS)
        *_, refused = [row for row in walk.json("requests", "--key", key) if row["status"] == TOO_MANY]
        assert refused["code"] == "insufficient_quota"
    with walk.step("every budget set, and the doctor content"):
        for row in walk.json("keys", "list"):
            walk.poegw("keys", "update", row["id"], "--budget", "2000/day")
        wait_until(lambda: not complaints(walk))
    with walk.step("what was changed, and by whom"):
        actions = {row["action"] for row in walk.json("audit")}
        assert {"add_account", "create_key", "change_key"} <= actions
    with walk.step("a backup, and nothing new in it"):
        walk.poegw("export", "backup.jsonl")
        results = json.loads(walk.poegw("import", "backup.jsonl", "--yes", "--format", "json"))
        assert {row["created"] for row in results} == {0}
    told = "\n".join(f"{seconds:7.2f} s  {name}" for name, seconds in walk.steps)
    (tmp_path / "walk.txt").write_text(told + "\n")
    record_property("walk", told)
    sys.stdout.write(f"{told}\n")


def is_refused(walk: Walk) -> bool:
    """Whether the key's budget is used up. A warm sandbox believes the old one for up to a minute."""
    done = walk.run("chat", "-m", "Story", "Again")
    assert done.returncode in (0, Exit.REFUSED), done.stderr
    return done.returncode == Exit.REFUSED


def complaints(walk: Walk) -> list[str]:
    """What the doctor is not content with. The scheduled job reads the list of models some time after the start."""
    rows = json.loads(walk.run("doctor", "--format", "json").stdout)
    return [f"{row['name']}: {row['detail']}" for row in rows if row["state"] not in ("ok", "skipped")]
