"""The commands, against a gateway behind a real socket."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from poegw.api import Gateway
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error
from tests.cli.conftest import CommandLine
from tests.gateway.scripted import API_KEY

SECRET = "poe-api-key-of-somebody"


def give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What is on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_an_account_is_added_from_standard_input_and_shown(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, f"{SECRET}\n")
    poegw.house.poe.readings.append(PointsReading(4321))
    added = poegw("accounts", "add", "official", "--label", "mine", "--key-stdin")
    assert (added.status, added.err) == (0, "")
    assert "4,321" in added.out
    assert SECRET not in added.out
    listed = poegw("accounts", "list")
    assert listed.out.splitlines()[0].split("\t")[:4] == ["Id", "Kind", "Label", "Status"]
    assert "mine" in listed.out
    (row,) = [row for row in poegw("accounts", "list", "--format", "json").json if row["label"] == "mine"]
    assert poegw("accounts", "show", "mine", "--json", "id").json == {"id": row["id"]}


def test_a_key_that_poe_refuses_is_told_as_such(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, "mistyped-api-key-0")
    poegw.house.poe.readings.append(poe_error(ErrorCode.NOT_AUTHENTICATED))
    ended = poegw("accounts", "add", "official", "--label", "wrong", "--key-stdin")
    assert ended.status == 1
    assert "Poe refused the credentials" in ended.err
    assert "Request id: req_" in ended.err
    assert "mistyped" not in ended.err


def test_cookies_are_taken_as_the_browser_gives_them(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, "Cookie: p-b=somebodys-cookie-0; p-lat=latitude; theme=dark")
    added = poegw("accounts", "add", "web", "--label", "browser", "--cookie-file", "-")
    assert (added.status, "Found: p_b, p_lat." in added.err) == (0, True)
    assert "somebodys" not in added.out + added.err


def test_an_account_is_changed_switched_and_removed(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, SECRET)
    poegw("accounts", "add", "official", "--label", "short", "--key-stdin")
    assert "Requests at once  5" in poegw("accounts", "set", "short", "--max-concurrency", "5").out
    assert "disabled" in poegw("accounts", "disable", "short").out
    assert "active" in poegw("accounts", "enable", "short").out
    tested = poegw("accounts", "test", "short", "--format", "json").json
    assert (tested["authenticated"], tested["model"]) == (True, None)
    refused = poegw("accounts", "remove", "short")
    assert (refused.status, "--yes" in refused.err) == (2, True), "nobody can be asked here"
    assert poegw("accounts", "remove", "short", "--yes").status == 0
    gone = poegw("accounts", "show", "short")
    assert (gone.status, "poegw accounts list" in gone.err) == (1, True)


def test_a_secret_needs_a_terminal_or_standard_input(poegw: CommandLine) -> None:
    ended = poegw("accounts", "add", "official")
    assert (ended.status, "--key-stdin" in ended.err) == (2, True)


def test_a_key_is_created_once_on_standard_output(poegw: CommandLine) -> None:
    created = poegw("keys", "create", "--name", "laptop", "--budget", "2000/day", "--rpm", "60", "--expires", "30d")
    assert created.status == 0
    secret = created.out.strip()
    assert secret.startswith("sk-")
    assert "not shown again" in created.err
    (row,) = [row for row in poegw("keys", "list", "--format", "json").json if row["name"] == "laptop"]
    assert (row["points_per_day"], row["requests_per_minute"]) == (2000, 60)
    assert secret not in poegw("keys", "list", "--format", "jsonl").out
    assert poegw("keys", "revoke", "laptop", "--yes").status == 0
    assert poegw("keys", "show", "laptop").status == 1


@pytest.mark.parametrize(
    "arguments",
    [("--budget", "2000"), ("--expires", "soon"), ("--rpm", "0"), ("--role", "king")],
)
def test_a_limit_that_can_not_be_is_wrong_usage(poegw: CommandLine, arguments: tuple[str, str]) -> None:
    assert poegw("keys", "create", "--name", "x", *arguments).status == 2


def test_an_answer_is_streamed_and_piped_input_belongs_to_the_question(
    poegw: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, SECRET)
    poegw("accounts", "add", "official", "--label", "asked", "--key-stdin")
    give(monkeypatch, "the text of a file")
    ended = poegw("chat", "-m", "GPT-5", "What", "is", "this?")
    assert ended.status == 0
    assert ended.out.strip()
    sent = poegw.house.poe.requests[-1].messages[-1].text
    assert sent == "the text of a file\n\nWhat is this?"


@pytest.mark.parametrize(
    ("words", "text", "asked"),
    [
        (["-"], "all of it\n", "all of it"),
        (["Correct", "this:", "-"], "txet", "Correct this:\n\ntxet"),
        (["-", "in French"], "Hello", "Hello\n\nin French"),
        (["what is 5", "-", "3"], "", "what is 5 - 3"),
        (["What?"], " \n", "What?"),
    ],
)
def test_a_dash_stands_for_the_input(
    poegw: CommandLine, monkeypatch: pytest.MonkeyPatch, words: list[str], text: str, asked: str
) -> None:
    give(monkeypatch, SECRET)
    poegw("accounts", "add", "official", "--label", "asked", "--key-stdin")
    give(monkeypatch, text)
    assert poegw("chat", "-m", "GPT-5", *words).status == 0
    assert poegw.house.poe.requests[-1].messages[-1].text == asked


def test_an_input_that_is_too_long_or_no_text_is_refused_and_none_is_no_accident(
    poegw: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, SECRET)
    poegw("accounts", "add", "official", "--label", "asked", "--key-stdin")
    asked = len(poegw.house.poe.requests)
    monkeypatch.setattr("poegw.commands.chat.MAX_INPUT_CHARACTERS", 5)
    give(monkeypatch, "123456")
    assert "longer than 5" in poegw("chat", "-m", "GPT-5", "What?").err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), "utf-8", "surrogateescape"))
    assert "not text" in poegw("chat", "-m", "GPT-5", "What?").err
    assert len(poegw.house.poe.requests) == asked
    monkeypatch.setattr(sys, "stdin", None)
    assert poegw("chat", "-m", "GPT-5", "What?").status == 0


def test_a_question_needs_a_model_and_words(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, "")
    assert "poegw models" in poegw("chat", "hello").err
    assert poegw("chat", "-m", "GPT-5").status == 2


def test_variables_are_printed_for_a_shell(poegw: CommandLine) -> None:
    told = poegw("env").out
    assert f"export OPENAI_BASE_URL={poegw.url}/v1\n" in told
    assert f"export ANTHROPIC_BASE_URL={poegw.url}\n" in told
    assert poegw("env", "--shell", "fish").out.startswith("set -gx OPENAI_BASE_URL ")


def test_names_of_ones_own_are_listed_with_what_they_stand_for(poegw: CommandLine, tmp_path: Path) -> None:
    aliases = tmp_path / "aliases.json"
    aliases.write_text('{"aliases": {"my-model": {"model": "GPT-4o", "fallbacks": ["Grok-4"]}}}')
    assert poegw("api", "PUT", "/admin/config/models", "--input", str(aliases)).status == 0
    try:
        (line,) = [line for line in poegw("models").out.splitlines() if line.startswith("my-model")]
        assert line.endswith("GPT-4o, else Grok-4")
        assert poegw("models", "--search", "my-model", "--format", "json").json[0]["alias_of"] == "GPT-4o"
    finally:
        aliases.write_text("{}")
        assert poegw("api", "PUT", "/admin/config/models", "--input", str(aliases)).status == 0


def test_any_address_of_the_administration_can_be_asked(poegw: CommandLine) -> None:
    assert "data" in poegw("api", "GET", "/admin/accounts").json
    missing = poegw("api", "GET", "/admin/nothing")
    assert (missing.status, "Request id" in missing.err) == (1, True)
    assert poegw("api", "GET", "admin").status == 2


def test_both_versions_are_told(poegw: CommandLine) -> None:
    told = poegw("version", "--format", "json").json
    assert told["poegw"] == told["gateway"] is not None


def test_without_a_gateway_every_command_says_what_to_do(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "GATEWAY_ADMIN_KEY"):
        monkeypatch.delenv(name)
    ended = poegw("accounts", "list")
    assert (ended.status, "poegw login" in ended.err, ended.out) == (3, True, "")


def test_a_wrong_key_is_not_logged_in(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ADMIN_KEY", "sk-poe-wrong")
    ended = poegw("accounts", "list", "--verbose")
    assert ended.status == 3
    assert "sk-poe-wrong" not in ended.err


def test_the_status_fits_one_screen_and_cron(poegw: CommandLine) -> None:
    ended = poegw("status")
    assert len(ended.out.splitlines()) < 25
    assert ended.status == (0 if "Ready     yes" in ended.out else 1)


def test_changes_are_listed_with_who_made_them(poegw: CommandLine) -> None:
    poegw("keys", "create", "--name", "audited")
    (row,) = poegw("audit", "--format", "json", "--action", "create_key", "--limit", "1").json
    assert (row["actor"], row["fields"], row["status"]) == ("admin key", ["name", "role"], 201)
    assert poegw("audit").out.splitlines()[0].split("\t")[:3] == ["Time", "Key", "Action"]


def test_requests_are_followed_each_once_until_control_c(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, SECRET)
    poegw("accounts", "add", "official", "--label", "asked", "--key-stdin")
    rounds: list[float] = []
    ids: list[str] = []

    def wait(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) <= 2:
            ids.append(one_request(poegw))
        elif len(rounds) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("poegw.commands.usage.time", SimpleNamespace(sleep=wait))
    ended = poegw("requests", "--follow", "--format", "jsonl")
    assert ended.status == 130
    told = [json.loads(line)["request_id"] for line in ended.out.splitlines()]
    assert [number for number in told if number in ids] == ids, "in their order"
    assert len(told) == len(set(told))


def one_request(poegw: CommandLine) -> str:
    body = {"model": "GPT-5", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"Authorization": f"Bearer {API_KEY}"}
    reply = httpx.post(f"{poegw.url}/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False)
    assert reply.is_success, reply.text
    return reply.headers["x-request-id"]


@pytest.mark.parametrize(("balances", "status"), [([3, 4], 2), ([3, None], 2), ([300, 3], 0), ([None], 0), ([], 0)])
def test_nearly_no_points_is_a_status_of_its_own_and_unknown_is_not_none(
    poegw: CommandLine, monkeypatch: pytest.MonkeyPatch, balances: list[int | None], status: int
) -> None:
    rows = [
        dict.fromkeys(("as_of", "next_grant_at", "used_today", "runs_out_at")) | {"label": "a", "balance": balance}
        for balance in balances
    ]
    monkeypatch.setattr(Gateway, "get", lambda *_, **__: {"data": rows})
    ended = poegw("points")
    assert (ended.status, "Nearly no points" in ended.err) == (status, status == 2)
