"""The `poegw` commands of the documentation, carried out beside a running stack. Those for AWS are only parsed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local.seed import OFFICIAL_KEY, WEB_COOKIES
from poegw.backup.file import Writer
from tests.docs.blocks import ROOT, all_blocks, commands, program

# These need AWS, a browser, somebody at the terminal, or a program that is not here: tests/docs parses them.
NOT_HERE = (
    ("deploy",),
    ("upgrade",),
    ("pause",),
    ("resume",),
    ("uninstall",),
    ("login",),
    ("run",),
    ("doctor", "--aws"),
    ("accounts", "add", "official"),
    ("alerts", "webhook", "set"),
)
LABEL, KEY = "me@example.org", "laptop"
_REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def documented() -> list[tuple[str, ...]]:
    found = dict.fromkeys(
        tuple(words[1:])
        for block in all_blocks("sh")
        for words in map(program, commands(block.text))
        if words[:1] == ["poegw"]
    )
    asks = ("accounts", "add", "web")
    return [
        words
        for words in found
        if not any(words[: len(start)] == start for start in NOT_HERE)
        and (words[:3] != asks or "--cookie-file" in words)
    ]


@pytest.fixture
def gateway(stack):
    """The stack with one account and one key of the names that the pages use."""

    def remove() -> None:
        for account in stack.accounts().values():
            if account["label"] not in before:
                stack.admin("DELETE", f"/accounts/{account['id']}")
        for key in stack.admin("GET", "/keys")["data"]:
            if key["name"] == KEY:
                stack.admin("DELETE", f"/keys/{key['id']}")

    before = set(stack.accounts())
    before.discard(LABEL)
    remove()
    new = {"kind": "official", "label": LABEL, "credentials": {"api_key": OFFICIAL_KEY}}
    stack.admin("POST", "/accounts", json=new)
    stack.admin("POST", "/keys", json={"name": KEY})
    yield stack
    remove()


def last_request(stack) -> str:
    """The id of a request that is kept."""
    body = {"model": "Echo", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    reply = httpx.post(f"{stack.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
    assert reply.is_success, reply.text
    number = reply.headers["x-request-id"]
    stack.wait_until(lambda: number in {one["request_id"] for one in stack.admin("GET", "/requests")["data"]})
    return number


@pytest.mark.parametrize("words", documented(), ids=shlex.join)
def test_a_command_does_what_it_says(gateway, words, tmp_path: Path):
    (tmp_path / "cookies.txt").write_text(f"p-b={WEB_COOKIES[1]}")
    (tmp_path / "accounts.json").write_text(f'[{{"email": "old@example.org", "poe_p_b": "{WEB_COOKIES[1]}"}}]')
    with Writer(tmp_path / "backup.jsonl", gateway="https://example.com", gateway_version=None, passphrase=None):
        pass  # A backup of nothing.
    arguments = [last_request(gateway) if _REQUEST_ID.fullmatch(word) else word for word in words]
    environment = {
        **gateway.variables,
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "POEGW_CONFIG": str(tmp_path / "profiles.json"),
        "PYTHONPATH": str(ROOT / "cli"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "poegw", "--yes", *arguments],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_commands_are_found():
    assert len(documented()) >= 20
