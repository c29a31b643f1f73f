"""The scripts with the original's names, as processes beside a running stack."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.seed import OFFICIAL_KEY, WEB_COOKIES

ROOT = Path(__file__).parents[2]


def script(name, *arguments, cwd, **variables):
    """Run one; the environment is nothing but what is named."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("kind", ["web", "official"])
def test_smoke_asks_poe_itself(stack, kind, tmp_path):
    credential = {"POE_P_B": WEB_COOKIES[0]} if kind == "web" else {"POE_API_KEY": OFFICIAL_KEY}
    simulator = stack.variables[f"GATEWAY_POE_{kind.upper()}_BASE_URL"]
    done = script(
        "smoke.py", cwd=tmp_path, POE_SIMULATOR=simulator, POE_BOT="Echo", POE_PROMPT="Hi there", **credential
    )
    assert done.returncode == 0, done.stderr
    assert "Hi there" in done.stdout


def test_smoke_sends_files(stack, tmp_path):
    (tmp_path / "note.txt").write_text("a note")
    simulator = stack.variables["GATEWAY_POE_WEB_BASE_URL"]
    variables = {"POE_P_B": WEB_COOKIES[0], "POE_BOT": "Echo", "POE_FILES": "note.txt", "POE_PROMPT": "With a file"}
    done = script("smoke.py", cwd=tmp_path, POE_SIMULATOR=simulator, **variables)
    assert done.returncode == 0, done.stderr


def test_smoke_without_credentials_says_which_are_missing(tmp_path):
    done = script("smoke.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "POE_P_B" in done.stderr


def test_a_dry_run_shows_the_request_and_sends_none(tmp_path):
    done = script("refresh_all_points.py", "--dry-run", "--base-url", "http://127.0.0.1:9/v1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    target, _, body = done.stdout.partition("\n")
    assert target == "POST http://127.0.0.1:9/admin/accounts/refresh-all"
    assert json.loads(body) == {"statuses": ["depleted", "cooldown", "invalid"], "concurrency": 10}


def test_points_are_refreshed_by_the_scheduled_job(stack, tmp_path):
    file = str(stack.state / "run.env")
    done = script("refresh_all_points.py", "--env-file", file, "--statuses", "active", "depleted", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    counts = dict(pair.split("=") for pair in done.stdout.splitlines()[-1].split())
    assert int(counts["total"]) == len(stack.accounts())


def test_a_refusal_is_told_with_the_request_id(stack, tmp_path):
    done = script("refresh_all_points.py", cwd=tmp_path, GATEWAY_URL=stack.url, GATEWAY_ADMIN_KEY="wrong")
    assert done.returncode == 1
    assert "[401, " in done.stderr
    assert "wrong" not in done.stderr


def test_a_key_never_travels_unencrypted(tmp_path):
    done = script("refresh_all_points.py", cwd=tmp_path, GATEWAY_URL="http://gateway.example", GATEWAY_ADMIN_KEY="k")
    assert done.returncode == 1
    assert "unencrypted" in done.stderr


def test_every_step_of_the_manual_test_passes(stack, tmp_path):
    file = str(stack.state / "run.env")
    done = script("manual_e2e_test.py", "--yes", "--env-file", file, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", f"{step}:"] for step in ("health", "models", "answer", "stream", "accounts")
    ]


def test_a_step_that_fails_ends_the_manual_test_with_an_error(stack, tmp_path):
    file = str(stack.state / "run.env")
    done = script("manual_e2e_test.py", "--yes", "--model", "No-Such-Model", "--env-file", file, cwd=tmp_path)
    assert done.returncode == 1
    assert "fail  stream: The model does not exist." in done.stdout


def test_no_points_are_spent_unasked(stack, tmp_path):
    done = script("manual_e2e_test.py", "--env-file", str(stack.state / "run.env"), cwd=tmp_path)
    assert done.returncode == 1
    assert "--yes" in done.stderr


def test_the_example_streams(stack, tmp_path):
    names = ("OPENAI_BASE_URL", "OPENAI_API_KEY")
    done = script("example.py", cwd=tmp_path, PROMPT="Say hello", **{name: stack.variables[name] for name in names})
    assert done.returncode == 0, done.stderr
    assert "Say hello" in done.stdout
    assert "tokens)" in done.stdout
