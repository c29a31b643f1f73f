"""Logging in with a key of this machine's own, logging out, and what is done with the gateway that is known then."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import webbrowser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poegw import aws as poegw_aws
from poegw.aws import Stack
from poegw.errors import Exit
from tests.cli.conftest import CommandLine
from tests.gateway.scripted import ADMIN_KEY, API_KEY

ROOT = Path(__file__).parents[2]


@pytest.fixture
def newcomer(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    """A terminal that knows no gateway."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "GATEWAY_ADMIN_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return poegw


def profiles(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "profiles.json").read_text())["profiles"]
    return found


def log_in(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{ADMIN_KEY}\n"))
    ended = poegw("login", "--url", poegw.url, "--key-stdin", *arguments)
    assert ended.status == 0, ended.err
    assert ADMIN_KEY not in ended.out + ended.err


def test_a_machine_gets_a_key_of_its_own_for_90_days(
    newcomer: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log_in(newcomer, monkeypatch)
    (profile,) = profiles(tmp_path).values()
    assert stat.S_IMODE((tmp_path / "profiles.json").stat().st_mode) == 0o600
    assert ADMIN_KEY not in (tmp_path / "profiles.json").read_text()
    left = datetime.fromisoformat(profile["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    who = newcomer("whoami", "--format", "json").json
    assert (who["id"], who["role"], who["url"]) == (profile["key_id"], "admin", newcomer.url)


def test_a_viewer_may_look_and_change_nothing(newcomer: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(newcomer, monkeypatch, "--role", "viewer", "--name", "looking")
    assert newcomer("keys", "list").status == 0
    refused = newcomer("keys", "create", "--name", "x")
    assert refused.status == Exit.REFUSED, refused.err
    assert "looking" in newcomer("profiles").out


def test_logging_out_revokes_every_key_of_the_machine(
    newcomer: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log_in(newcomer, monkeypatch)
    client = newcomer("keys", "create", "--name", "chats", "--format", "json").json
    (profile,) = profiles(tmp_path).values()
    kept = profile | {"client_key": client["key"], "client_key_id": client["id"]}
    written = json.loads((tmp_path / "profiles.json").read_text())
    written["profiles"] = {"default": kept}
    (tmp_path / "profiles.json").write_text(json.dumps(written))
    ended = newcomer("logout")
    assert (ended.status, "Its key is revoked." in ended.err) == (0, True)
    assert profiles(tmp_path) == {}
    monkeypatch.setenv("GATEWAY_URL", newcomer.url)
    monkeypatch.setenv("GATEWAY_ADMIN_KEY", ADMIN_KEY)
    left = {row["id"] for row in newcomer("keys", "list", "--format", "json").json}
    assert not left & {profile["key_id"], client["id"]}
    assert newcomer("logout").status == Exit.NOT_LOGGED_IN


def test_a_gateway_that_is_gone_can_be_forgotten(newcomer: CommandLine, tmp_path: Path) -> None:
    gone = {"url": "http://127.0.0.1:9", "key": "sk-hush", "key_id": "k"}
    (tmp_path / "profiles.json").write_text(json.dumps({"current": "old", "profiles": {"old": gone}}))
    ended = newcomer("logout")
    assert (ended.status, "poegw keys revoke" in ended.err) == (0, True)
    assert profiles(tmp_path) == {}


def test_a_stack_is_login_enough(newcomer: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Session:
        def client(self, name: str) -> Any:
            assert name == "secretsmanager"
            return self

        def get_secret_value(self, **asked: str) -> dict[str, str]:
            assert asked == {"SecretId": "arn:admin"}
            return {"SecretString": ADMIN_KEY}

    def read_stack(name: str, *, region: str | None, profile: str | None) -> Stack:
        assert (name, profile) == ("poe-gateway", None)
        return Stack(name, str(region), newcomer.url, {"AdminSecretArn": "arn:admin"}, Session())

    monkeypatch.setattr(poegw_aws, "read_stack", read_stack)
    ended = newcomer("login", "--stack", "poe-gateway", "--region", "eu-central-1")
    assert ended.status == 0, ended.err
    (profile,) = profiles(tmp_path).values()
    assert (profile["stack"], profile["region"]) == ("poe-gateway", "eu-central-1")
    assert ADMIN_KEY not in (tmp_path / "profiles.json").read_text()


def test_without_a_terminal_the_address_is_an_option(newcomer: CommandLine) -> None:
    ended = newcomer("login")
    assert (ended.status, "--url, or --stack" in ended.err) == (Exit.USAGE, True)


def test_one_of_several_gateways_is_chosen(
    newcomer: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("home", "work"):
        log_in(newcomer, monkeypatch, "--name", name)
    assert newcomer("profiles", "use", "home").status == 0
    who = newcomer("whoami", "--format", "json").json
    assert who["id"] == profiles(tmp_path)["home"]["key_id"]
    assert newcomer("profiles", "use", "nobody").status != 0


def test_a_program_is_started_with_the_gateways_variables(poegw: CommandLine, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "codex").write_text('#!/bin/sh\necho "$OPENAI_BASE_URL $OPENAI_API_KEY $ANTHROPIC_BASE_URL $*"\nexit 7\n')
    (tools / "codex").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "cli")}
    done = subprocess.run(
        [sys.executable, "-m", "poegw", "run", "codex", "--", "exec", "--model", "GPT-5"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = done.stdout.split()
    assert told[:3] == [f"{poegw.url}/v1", API_KEY, poegw.url], done.stderr
    assert told[-3:] == ["exec", "--model", "GPT-5"]
    assert done.returncode == 7, "the program's own status"


def test_a_program_that_is_not_there_is_named(poegw: CommandLine) -> None:
    ended = poegw("run", "no-such-program")
    assert (ended.status, "claude, codex, opencode" in ended.err) == (Exit.FAILURE, True)


@pytest.mark.parametrize("starts", [True, False])
def test_the_console_is_opened_or_its_address_told(
    poegw: CommandLine, monkeypatch: pytest.MonkeyPatch, starts: bool
) -> None:
    opened: list[str] = []

    def start(address: str) -> bool:
        opened.append(address)
        return starts

    monkeypatch.setattr(webbrowser, "open", start)
    ended = poegw("open")
    assert opened == [f"{poegw.url}/console/"]
    assert (ended.status, opened[0] in ended.err) == (Exit.OK if starts else Exit.FAILURE, True)
