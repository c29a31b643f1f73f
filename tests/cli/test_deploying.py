"""A whole `poegw deploy`, with AWS played by moto, SAM by a script, and the deployed gateway by one on loopback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from poegw import aws as poegw_aws
from poegw.aws import Stack
from poegw.errors import Exit
from reverse.errors import ErrorCode, poe_error
from tests.cli.conftest import CommandLine
from tests.gateway.scripted import ADMIN_KEY

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"


class Deployed:
    """A clone in a folder of its own, and what SAM was asked for."""

    def __init__(self, folder: Path, poegw: CommandLine) -> None:
        self.folder = folder
        self.poegw = poegw
        self.log = folder / "sam.log"

    def sam(self) -> list[list[str]]:
        """The commands that SAM was given."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def parameters(self) -> dict[str, str]:
        """The parameters of the last command."""
        command = self.sam()[-1]
        pairs = [item.split("=", 1) for item in command[command.index("--parameter-overrides") + 1 :]]
        # SAM refuses an empty value without quotes, and cuts one at its first space.
        assert all(value[0] == value[-1] == '"' for _, value in pairs)
        return {name: value[1:-1] for name, value in pairs}


@pytest.fixture
def clone(poegw: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    folder = tmp_path / "clone"
    tools = tmp_path / "tools"
    for path in (folder, tools):
        path.mkdir()
    for name in ("template.yaml", "samconfig.toml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    sam = tools / "sam"
    sam.write_text(
        f"""#!/bin/sh
{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@" >> {folder}/sam.log
"""
    )
    sam.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    # A deployment is done from a shell that has not read `run.env`.
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "GATEWAY_ADMIN_KEY"):
        monkeypatch.delenv(name)

    def read_stack(name: str, *, region: str | None, profile: str | None) -> Stack:
        session = boto3.Session(region_name=region, profile_name=profile)
        secrets = session.client("secretsmanager")
        made = secrets.create_secret(Name=f"admin-{len(secrets.list_secrets()['SecretList'])}", SecretString=ADMIN_KEY)
        outputs = {"GatewayUrl": f"{poegw.url}/v1", "AdminSecretArn": made["ARN"]}
        return Stack(name, str(region), poegw.url, outputs, session)

    ask = poegw_aws.call

    def call(what: str, function: Any, **arguments: Any) -> Any:
        # moto has no account limits.
        if what == "read the account's limits":
            return {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}}
        return ask(what, function, **arguments)

    monkeypatch.setattr(poegw_aws, "read_stack", read_stack)
    monkeypatch.setattr(poegw_aws, "call", call)
    with mock_aws():
        yield Deployed(folder, poegw)


def test_a_first_deployment_checks_builds_once_and_ends_with_what_comes_next(
    clone: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = clone.poegw("deploy", "--yes", "--region", REGION)
    assert ended.status == 0, ended.err
    for check in ("shell", "tools", "credentials", "region", "concurrency", "stack"):
        assert f"ok  {check}:" in ended.err
    assert [command[0] for command in clone.sam()] == ["build", "deploy"], "built once"
    assert clone.sam()[1][1:5] == ["--stack-name", "poe-gateway", "--region", REGION]
    assert clone.parameters()["Architecture"] == "arm64"
    assert clone.parameters()["GatewayConcurrency"] == "10"
    assert "AWS bills $7.49 a day" in ended.err
    assert f"Base URL for OpenAI's clients: {clone.poegw.url}/v1" in ended.err
    remembered = json.loads((clone.folder / ".local/deployment.json").read_text())
    assert (remembered["stack"], remembered["region"]) == ("poe-gateway", REGION)
    assert ADMIN_KEY not in ended.err + ended.out
    # This machine has a key of its own now.
    assert clone.poegw("whoami", "--format", "json").json["role"] == "admin"


def test_the_next_one_streams_a_token_through_the_account_that_is_there(
    clone: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.poegw("deploy", "--yes", "--region", REGION)
    monkeypatch.setattr("sys.stdin", io.StringIO("poe-api-key-0123456789"))
    assert clone.poegw("accounts", "add", "official", "--label", "deployed", "--key-stdin").status == 0
    ended = clone.poegw("upgrade", "--yes")
    assert ended.status == 0, ended.err
    assert "First token after" in ended.err
    assert [command[0] for command in clone.sam()] == ["build", "deploy"] * 2


def test_no_address_for_alarms_is_a_parameter_that_is_empty(clone: Deployed) -> None:
    assert clone.poegw("deploy", "--yes", "--region", REGION, "AlarmEmail=").status == 0
    assert clone.parameters()["AlarmEmail"] == ""


def test_a_shell_of_a_local_run_is_asked_nothing_more(clone: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    ended = clone.poegw("deploy", "--yes", "--region", REGION)
    assert ended.status != 0
    assert "failed  shell" in ended.err
    assert "credentials:" not in ended.err, "the stand-in would have answered"
    assert clone.sam() == []


@pytest.mark.parametrize(
    ("variables", "options", "said"),
    [
        ({"AWS_PROFILE": "nobody"}, ("--region", REGION), "AWS can't be used: ProfileNotFound"),
        ({}, ("--region", "eu central"), "'eu central' is not a region of AWS"),
        ({}, ("--region", "EU-Central-1"), "'EU-Central-1' is not a region of AWS"),
    ],
)
def test_what_boto3_would_not_take_is_said_in_words(
    clone: Deployed, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: tuple[str, ...], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = clone.poegw("deploy", "--yes", *options)
    assert ended.status != 0
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_key_that_poe_refuses_does_not_undo_the_deployment(clone: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.poegw("deploy", "--yes", "--region", REGION)
    for account in clone.poegw("accounts", "list", "--format", "json").json:
        assert clone.poegw("accounts", "remove", account["id"], "--yes").status == 0
    monkeypatch.setattr("poegw.deployment.first_token.is_interactive", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_, **__: "a-key-of-somebody-else")
    clone.poegw.house.poe.readings.append(poe_error(ErrorCode.NOT_AUTHENTICATED))
    ended = clone.poegw("deploy", "--yes", "--region", REGION)
    assert ended.status == 0, ended.err
    assert "The gateway is deployed, but the account was not added:" in ended.err
    assert f"Base URL for OpenAI's clients: {clone.poegw.url}/v1" in ended.err
    assert "Next: `poegw accounts add official`" in ended.err


def test_parameters_are_given_remembered_and_taken_from_the_environment(clone: Deployed) -> None:
    clone.poegw("deploy", "--yes", "--region", REGION, "LogRetentionDays=90", "--parameter", "GatewayMemory=1024")
    clone.poegw("upgrade", "--yes")
    found = clone.parameters()
    assert (found["LogRetentionDays"], found["GatewayMemory"]) == ("90", "1024")
    assert clone.poegw("deploy", "--yes", "--region", REGION, "--env", "dev").status == 0
    found = clone.parameters()
    assert (found["LogLevel"], found["LogRetentionDays"], "GatewayMemory" in found) == ("DEBUG", "7", False)
    assert clone.sam()[-1][2] == "poe-gateway-dev"
    assert (clone.folder / ".local/deployment-dev.json").exists()


def test_without_a_cap_the_worst_day_is_that_of_the_whole_account(clone: Deployed) -> None:
    ended = clone.poegw("deploy", "--region", REGION, "--diff", "GatewayConcurrency=0")
    assert "with 1000 streams open all day, AWS bills $748.80 a day" in ended.err


def test_an_environment_that_is_not_there_is_named(clone: Deployed) -> None:
    ended = clone.poegw("deploy", "--yes", "--region", REGION, "--env", "staging")
    assert (ended.status, "default, dev, prod" in ended.err) == (Exit.USAGE, True)
    assert clone.sam() == []


def test_only_the_difference_is_shown(clone: Deployed) -> None:
    ended = clone.poegw("deploy", "--region", REGION, "--diff")
    assert ended.status == 0
    assert "--no-execute-changeset" in clone.sam()[-1]
    assert not (clone.folder / ".local").exists()


@pytest.mark.parametrize("planted", ["shell", "log group", "no sam", "no template"])
def test_what_would_fail_stops_it_before_anything_is_built(
    clone: Deployed, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    match planted:
        case "shell":
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
        case "log group":
            boto3.client("logs").create_log_group(logGroupName="/aws/lambda/poe-gateway-gateway")
        case "no sam":
            monkeypatch.setenv("PATH", "/nowhere")
        case "no template":
            (clone.folder / "template.yaml").unlink()
    ended = clone.poegw("deploy", "--yes", "--region", REGION)
    assert (ended.status, "Nothing was deployed." in ended.err) == (Exit.PROBLEMS_FOUND, True), ended.err
    assert "failed  " in ended.err
    assert clone.sam() == []


def test_nobody_is_asked_without_a_terminal(clone: Deployed) -> None:
    ended = clone.poegw("deploy", "--region", REGION)
    assert (ended.status, "--yes" in ended.err) == (Exit.USAGE, True)
    assert [command[0] for command in clone.sam()] == ["build"], "nothing was deployed"


def test_a_build_that_fails_ends_it(clone: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tools/sam").write_text("#!/bin/sh\nexit 3\n")
    ended = clone.poegw("deploy", "--yes", "--region", REGION)
    assert (ended.status, "`sam build` failed with status 3" in ended.err) == (Exit.FAILURE, True)


@pytest.mark.parametrize(("machine", "architecture"), [(183, "arm64"), (62, "x86_64")])
def test_libraries_for_another_processor_stop_it(clone: Deployed, machine: int, architecture: str) -> None:
    built = clone.folder / ".aws-sam/build/ReverseLayer/python/orjson"
    built.mkdir(parents=True)
    (built / "orjson.cpython-313.so").write_bytes(b"\x7fELF\x02\x01".ljust(18, b"\0") + machine.to_bytes(2, "little"))
    (built / "notes.so.txt").write_bytes(b"no library")
    other = "x86_64" if architecture == "arm64" else "arm64"
    ended = clone.poegw("deploy", "--yes", "--region", REGION, f"Architecture={other}")
    assert (ended.status, f"another processor than {other}" in ended.err) == (Exit.FAILURE, True), ended.err
    assert [command[0] for command in clone.sam()] == ["build"], "nothing was deployed"
    ended = clone.poegw("deploy", "--yes", "--region", REGION, f"Architecture={architecture}")
    assert ended.status == 0, ended.err


def make(*arguments: str) -> str:
    """What make would do."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "VENV")}
    done = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_make_deploys_by_the_command_line() -> None:
    told = make("deploy", "ENV=prod", "ARGS=GatewayConcurrency=20 --yes")
    assert "poegw deploy --env prod GatewayConcurrency=20 --yes" in told
    assert "sam deploy" not in told
