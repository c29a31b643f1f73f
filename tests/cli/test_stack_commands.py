"""`pause`, `resume` and `uninstall`, with AWS's answers scripted: what they ask, what they say, and what they call."""

from __future__ import annotations

import json
import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from poegw import aws as poegw_aws
from poegw.aws import Stack
from poegw.errors import Exit
from tests.cli.conftest import CommandLine

OUTPUTS = {
    "GatewayFunctionName": "g",
    "TableName": "poe-gateway-AccountsTable-1",
    "KeyArn": "arn:aws:kms:eu-central-1:1:key/2",
}


class Session:
    """One client for every service; notes what was called."""

    def __init__(self) -> None:
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.parameters = {"GatewayConcurrency": "10"}
        self.fails = False

    def client(self, _name: str) -> Session:
        return self

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        chosen = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        return {"Stacks": [{"Parameters": chosen}]}

    def get_waiter(self, name: str) -> Session:
        assert name == "stack_delete_complete"
        return self

    def wait(self, **_: Any) -> None:
        if self.fails:
            raise WaiterError("stack_delete_complete", "failed", {})

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> dict[str, Any]:
            self.called.append((name, arguments))
            return {}

        return call


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    session = Session()

    def read_stack(name: str, *, region: str | None, profile: str | None) -> Stack:
        del profile
        return Stack(name, region or "eu-central-1", "https://gateway.example", OUTPUTS, session)

    monkeypatch.setattr(poegw_aws, "read_stack", read_stack)
    monkeypatch.chdir(tmp_path)
    return session


def test_a_gateway_is_paused_and_serves_again_with_its_limit(poegw: CommandLine, session: Session) -> None:
    ended = poegw("pause", "--yes")
    assert (ended.status, "`poegw resume` ends that" in ended.err) == (0, True)
    ended = poegw("resume")
    assert (ended.status, "with a cap of 10 requests" in ended.err) == (0, True)
    reserved = [{"FunctionName": "g", "ReservedConcurrentExecutions": number} for number in (0, 10)]
    assert session.called == [("put_function_concurrency", one) for one in reserved]


def test_a_gateway_without_a_limit_of_its_own_gets_none(poegw: CommandLine, session: Session) -> None:
    session.parameters = {"GatewayConcurrency": "0"}
    assert poegw("resume").status == 0
    assert session.called == [("delete_function_concurrency", {"FunctionName": "g"})]


@pytest.mark.parametrize("command", ["pause", "uninstall"])
def test_nothing_happens_unasked_without_a_terminal(poegw: CommandLine, session: Session, command: str) -> None:
    ended = poegw(command)
    assert (ended.status, "--yes" in ended.err) == (Exit.USAGE, True)
    assert session.called == []


def test_what_stays_after_an_uninstallation_is_said_with_what_it_costs(poegw: CommandLine, session: Session) -> None:
    ended = poegw("uninstall", "--yes", "--stack", "mine")
    assert ended.status == 0, ended.err
    for told in (OUTPUTS["TableName"], OUTPUTS["KeyArn"], "$1.00 a month", "ExistingTableName", "poegw export"):
        assert told in ended.err
    assert session.called == [("delete_stack", {"StackName": "mine"})]
    assert ended.err.rstrip().endswith("mine is deleted.")


def test_a_stack_that_can_not_be_deleted_is_said(poegw: CommandLine, session: Session) -> None:
    session.fails = True
    ended = poegw("uninstall", "--yes")
    assert (ended.status, "events in CloudFormation" in ended.err) == (Exit.FAILURE, True)


@pytest.mark.parametrize(("typed", "is_deleted"), [("poe-gateway", True), ("y", False), ("poe-gatewa", False)])
def test_an_uninstallation_wants_the_stacks_name(
    poegw: CommandLine, session: Session, monkeypatch: pytest.MonkeyPatch, typed: str, is_deleted: bool
) -> None:
    """On a terminal, as the question is asked only there."""
    near, far = pty.openpty()
    with os.fdopen(far, "r") as terminal:
        os.write(near, f"{typed}\n".encode())
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr("poegw.prompts.is_interactive", lambda: True)
        ended = poegw("uninstall")
    os.close(near)
    assert ("Type 'poe-gateway' to go on" in ended.err, bool(session.called)) == (True, is_deleted)
    assert ended.status == (Exit.OK if is_deleted else Exit.FAILURE)


def test_the_stack_is_the_profiles_or_the_one_deployed_from_here(
    poegw: CommandLine, session: Session, tmp_path: Path
) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/deployment.json").write_text(json.dumps({"stack": "deployed-here", "region": "eu-west-1"}))
    poegw("uninstall", "--yes")
    profile = {"url": poegw.url, "key": "k", "key_id": "k", "stack": "of-the-profile"}
    (tmp_path / "profiles.json").write_text(json.dumps({"current": "default", "profiles": {"default": profile}}))
    poegw("uninstall", "--yes")
    poegw("uninstall", "--yes", "--stack", "named")
    names = [arguments["StackName"] for _, arguments in session.called]
    assert names == ["deployed-here", "of-the-profile", "named"]
