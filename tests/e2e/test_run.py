"""`python -m local run` as a command: what it prints, writes, keeps, and leaves behind."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys

import httpx
import httpx2
import openai
import pytest

MODEL = "GPT-4o"


def test_what_the_banner_shows_works_when_pasted(stack):
    text = stack.output.read_text()
    curl = text[text.index("curl -N") : text.index("With the OpenAI SDK")]
    streamed = subprocess.run(["sh", "-c", curl], check=True, capture_output=True, text=True, timeout=30).stdout
    assert streamed.startswith("data: {")
    assert streamed.rstrip().endswith("data: [DONE]")
    snippet = text[text.index("from openai import") : text.index("In another terminal")]
    said = subprocess.run([sys.executable, "-c", snippet], check=True, capture_output=True, text=True, timeout=30)
    assert "Say hello" in said.stdout


def test_another_terminal_needs_only_the_run_file(stack):
    assert stat.S_IMODE((stack.state / "run.env").stat().st_mode) == 0o600
    program = "from openai import OpenAI; print(len(OpenAI().models.list().data))"
    command = f". '{stack.state}/run.env' && exec '{sys.executable}' -c '{program}'"
    printed = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True, timeout=30).stdout
    assert int(printed) > 0


def test_a_browser_may_call_it(stack):
    """Lambda answers the preflight, and adds its headers to what the function answers."""
    origin = {"Origin": "https://chat.example"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    preflight = httpx.options(f"{stack.url}/v1/chat/completions", headers=origin | asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
    answer = httpx.get(f"{stack.url}/healthz", headers=origin)
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]


def test_the_scheduled_job_reads_the_points_of_every_account(stack):
    """By hand, as the schedule does every ten minutes."""

    def refresh(event: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "local", "refresh", "--event", event],
            env={"STATE": str(stack.state), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    assert refresh('{"dry_run": true}')["failed"] == 0
    # Newly added, or used since its last reading: an account is due at once or soon.
    stack.wait_until(lambda: refresh("{}")["failed"] == 0 and all_points_are_known(stack))


def all_points_are_known(stack) -> bool:
    return all(account["message_point_balance"] is not None for account in stack.accounts().values())


def test_live_starts_without_simulators_and_tells_how_to_add_an_account(tmp_path, start_stack):
    live = start_stack(tmp_path / "state", UPSTREAM="live", SANDBOXES="1")
    try:
        assert "https://poe.com" not in live.variables.values()
        assert not [command for command in live.descendants().values() if "local.poe_" in command]
        text = live.output.read_text()
        assert text.index("Add an account of your own") < text.index("A streamed answer with curl")
        assert live.accounts() == {}
        assert httpx.get(f"{live.url}/readyz").status_code == 503
    finally:
        assert live.stop() == 0


def test_a_taken_port_is_said_with_a_way_out(tmp_path, start_stack):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=f"Port {port} on 127.0.0.1 is taken.*make run PORT="):
            start_stack(tmp_path / "state", PORT=str(port))


def test_a_wrong_setting_is_said_by_name(tmp_path, start_stack):
    with pytest.raises(AssertionError, match="SANDBOXES='none' is not allowed"):
        start_stack(tmp_path / "state", SANDBOXES="none")


def leave_only_one_slot(stack):
    """Switch off all accounts but one, which may give one answer at a time."""
    [kept, *others] = [account for label, account in stack.accounts().items() if label.startswith("sample-web")]
    others.append(stack.accounts()["sample-official"])
    for account in others:
        stack.admin("POST", f"/accounts/{account['id']}/disable")
    stack.simulated("accounts", p_b="e2e-one-slot")
    credentials = {"p_b": "e2e-one-slot"}
    stack.admin(
        "POST",
        "/accounts",
        json={"kind": "web", "label": kept["label"], "credentials": credentials, "max_concurrency": 1},
    )


def test_state_survives_a_restart_and_no_process_does(tmp_path, start_stack):
    """Started once as a command and ended by Ctrl-C, then by `start_server` and ended by a kill."""
    state = tmp_path / "state"
    first = start_stack(state, GATEWAY_LEASE_TTL_SECONDS="90")
    try:
        key = first.admin("POST", "/keys", json={"name": "kept"})["key"]
        answer = first.openai(api_key=key).chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "count 2"}]
        )
        assert answer.choices[0].message.content == "w0001 w0002"
        refused = subprocess.run(
            [sys.executable, "-m", "local", "run"],
            env={"STATE": str(state), "PORT": "0", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert refused.returncode == 1
        assert "in use by another run" in refused.stderr
        accounts, api_key, descendants = set(first.accounts()), first.api_key, first.descendants()
        assert len(descendants) >= 5
        leave_only_one_slot(first)
        cut = first.openai().chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "count 2000"}], stream=True
        )
        next(cut)
        # Not by `stop`, which closes the clients first.
        first.process.send_signal(signal.SIGINT)
        with pytest.raises((httpx2.HTTPError, openai.APIError)):
            list(cut)
        assert first.stop(signal.SIGINT) == 0, first.output.read_text()
    finally:
        first.process.kill()
    assert not first.survivors(descendants)
    assert not (state / "run.env").exists()

    second = start_stack(state, code="from local import start_server; start_server(address='127.0.0.1', port=0)")
    try:
        assert set(second.accounts()) == accounts
        assert second.api_key == api_key
        # The answer that was cut gave its slot back, or this would be refused.
        answer = second.openai(api_key=key).chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "count 2"}]
        )
        assert answer.choices[0].message.content == "w0001 w0002", "the credentials could not be opened any more"
        descendants = second.descendants()
        last = second.admin("POST", "/keys", json={"name": "promised a moment before the kill"})
    finally:
        second.close_clients()
        second.process.kill()
        second.process.wait()
    second.wait_until(lambda: not second.survivors(descendants))
    assert not (state / "run.env").exists(), "nobody takes it for that of a run"
    kept = json.loads((state / "simulator" / "aws.json").read_text())["tables"]["AccountsTable"]
    assert last["id"] in json.dumps(kept), "what was acknowledged is lost"
