"""What is checked before a deployment, what it costs, and what can be found out about one afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from poegw.aws import Stack, call, open_session, pause, read_stack
from poegw.deployment import choices, sam
from poegw.deployment.cost import monthly_cost, worst_day
from poegw.deployment.preflight import Preflight
from poegw.doctor import Finding, State, run_checks
from poegw.doctor.deployment import DeploymentChecks
from poegw.errors import CommandError, Exit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.Session(region_name="eu-central-1")


class Limits:
    """Calls AWS as `call` does, but for the account's limits, which moto does not vary."""

    def __init__(self, limit: int, unreserved: int) -> None:
        self._limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}

    def __call__(self, what: str, function: Any, **arguments: Any) -> Any:
        if "limits" in what:
            return {"AccountLimit": self._limits}
        return call(what, function, **arguments)


def preflight(
    aws: Any, *, limit: int = 1000, unreserved: int = 1000, root: Path = ROOT, environ: Any = None
) -> Preflight:
    return Preflight(root, "poe-gateway", aws, Limits(limit, unreserved), environ or {})


def found(checks: Preflight, name: str) -> list[Finding]:
    return list(run_checks((key, check) for key, check in checks.all() if key == name))


def test_an_account_that_can_reserve_gets_a_cap(aws: Any) -> None:
    checks = preflight(aws)
    assert found(checks, "concurrency")[0].state is State.OK
    assert checks.concurrency == 10


def test_a_new_account_is_its_own_cap_and_reserves_nothing(aws: Any) -> None:
    checks = preflight(aws, limit=10, unreserved=10)
    assert found(checks, "concurrency")[0].state is State.OK
    assert checks.concurrency == 0


def test_too_little_is_left_to_reserve(aws: Any) -> None:
    checks = preflight(aws, limit=1000, unreserved=105)
    assert found(checks, "concurrency")[0].state is State.WARN
    assert checks.concurrency == 0


def test_an_upgrade_keeps_the_cap_that_it_has_reserved_itself(aws: Any) -> None:
    checks = preflight(aws, limit=110, unreserved=100)
    assert (found(checks, "concurrency")[0].state, checks.concurrency) == (State.WARN, 0)
    deployed = {
        "Parameters": {"GatewayConcurrency": {"Type": "Number"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    }
    aws.client("cloudformation").create_stack(
        StackName="poe-gateway",
        TemplateBody=json.dumps(deployed),
        Parameters=[{"ParameterKey": "GatewayConcurrency", "ParameterValue": "10"}],
    )
    assert (found(checks, "concurrency")[0].state, checks.concurrency) == (State.OK, 10)


def test_a_shell_that_knows_a_stand_in_is_stopped(aws: Any) -> None:
    environ = {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4566"}
    assert found(preflight(aws, environ=environ), "shell")[0].state is State.FAIL
    assert found(preflight(aws), "shell")[0].state is State.OK


def test_it_is_run_in_a_clone(aws: Any, tmp_path: Path) -> None:
    assert "template.yaml" in found(preflight(aws, root=tmp_path), "tools")[0].detail


def test_a_region_without_lambda_is_stopped(aws: Any) -> None:
    nowhere = boto3.Session(region_name="eu-nowhere-1")
    assert found(preflight(nowhere), "region")[0].state is State.FAIL
    assert found(preflight(aws), "region")[0].state is State.OK


@pytest.mark.parametrize(("region", "streams"), [("us-gov-west-1", True), ("cn-north-1", False)])
def test_regions_of_other_partitions_are_known(aws: Any, region: str, streams: bool) -> None:
    findings = {one.name: one.state for one in found(preflight(boto3.Session(region_name=region)), "region")}
    assert findings["region"] is State.OK
    assert (State.FAIL in findings.values()) is not streams


def test_a_table_that_was_left_is_found_behind_a_hundred_others(aws: Any) -> None:
    tables = aws.client("dynamodb")
    for name in [*(f"another-{number:03}" for number in range(101)), "poe-gateway-AccountsTable-1"]:
        tables.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    assert any("poe-gateway-AccountsTable-1" in one.detail for one in found(preflight(aws), "stack"))


def test_log_groups_of_an_earlier_stack_are_named(aws: Any) -> None:
    assert found(preflight(aws), "stack")[0].state is State.OK
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/poe-gateway-gateway")
    (finding,) = found(preflight(aws), "stack")
    assert (finding.state, "/aws/lambda/poe-gateway-gateway" in finding.detail) == (State.FAIL, True)


def test_a_table_of_an_earlier_stack_can_be_taken_over(aws: Any) -> None:
    aws.client("dynamodb").create_table(
        TableName="poe-gateway-AccountsTable-ABC",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    finding = found(preflight(aws), "stack")[-1]
    assert (finding.state, "ExistingTableName=poe-gateway-AccountsTable-ABC" in finding.remedy) == (State.WARN, True)


def test_costs_grow_with_chats_and_are_never_nothing() -> None:
    costs = [monthly_cost(chats).total for chats in (0, 10, 100, 1_000, 10_000)]
    assert costs == sorted(costs)
    assert costs[0] == pytest.approx(1.40, abs=0.1), "the key, the secret and the job"
    chats = monthly_cost(100)
    assert chats.compute == pytest.approx(100 * 30 * 15 * 0.5 * 0.0000133334)


def test_the_worst_day_is_as_long_as_a_day() -> None:
    assert worst_day(10) == pytest.approx(10 * (0.5 * 86_400 * 0.0000133334 + 864_000 * 0.0000002))
    assert worst_day(10, memory_mb=1024) > worst_day(10) > worst_day(1)


def test_answers_are_kept_for_the_next_time(tmp_path: Path) -> None:
    assert choices.load(tmp_path) == {}
    choices.save(tmp_path, {"region": "eu-west-1", "parameters": {"AlarmEmail": "a@example.com"}})
    assert choices.load(tmp_path)["region"] == "eu-west-1"
    (tmp_path / choices.FILE).write_text("{")
    with pytest.raises(CommandError, match="can't be read"):
        choices.load(tmp_path)


def test_an_answer_that_is_not_from_aws_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's page, or a stand-in's."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Sign in to go on<br></html>")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        client = boto3.Session(region_name="eu-central-1").client("cloudformation", endpoint_url=address)
        with pytest.raises(CommandError, match="is not AWS"):
            call("read the stack", client.describe_stacks, StackName="x")
        server.shutdown()


def test_parameters_are_pairs() -> None:
    assert choices.parameters_of(("A=1", "B=x=y")) == {"A": "1", "B": "x=y"}
    with pytest.raises(CommandError) as caught:
        choices.parameters_of(("A",))
    assert caught.value.status == Exit.USAGE
    given = {"B": "2", "A": "", "C": "a b", "D": 'say "x"'}
    assert sam.overrides(given) == ['A=""', 'B="2"', 'C="a b"', 'D="say \\"x\\""']


def test_only_parameters_that_the_template_has_are_chosen() -> None:
    text = (ROOT / "template.yaml").read_text()
    for name in ("Architecture", "AlarmEmail", "MonthlyBudget", "GatewayConcurrency", "GatewayMemory"):
        assert f"\n  {name}:\n" in text


def test_without_credentials_or_a_region_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CommandError, match="no AWS credentials"):
        open_session("eu-central-1", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(CommandError, match="Which region"):
        open_session(None, None)
    with pytest.raises(CommandError, match="can't be used"):
        open_session("eu-central-1", "nobody")


def test_a_stack_that_is_none_of_ours_is_said(aws: Any) -> None:
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}
    aws.client("cloudformation").create_stack(StackName="other", TemplateBody=json.dumps(template))
    with pytest.raises(CommandError, match="not a gateway's"):
        read_stack("other", region="eu-central-1", profile=None)
    with pytest.raises(CommandError, match="AWS refused"):
        read_stack("nobody", region="eu-central-1", profile=None)


class Clients:
    """AWS clients whose answers a test chooses, by the name of the call."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, _service: str) -> Clients:
        return self

    def __getattr__(self, name: str) -> Any:
        def answer(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            return self._answers.get(name, {})

        return answer


KEY_SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
OUTPUTS = {"GatewayFunctionName": "g", "RefreshPointsFunctionName": "r", "TableName": "t", "KeyArn": "k"}
WELL: dict[str, Any] = {
    "describe_stacks": {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]},
    "get_function_url_config": {"InvokeMode": "RESPONSE_STREAM", "AuthType": "NONE"},
    "get_policy": {
        "Policy": json.dumps(
            {
                "Statement": [
                    {"Action": action, "Principal": "*"}
                    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
                ]
            }
        )
    },
    "get_function_configuration": {
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Layers": [{"Arn": "arn:aws:lambda:x:1:layer:StreamingRuntimeLayer0123:4"}],
        "Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/streaming-runtime"}},
    },
    "get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
    "get_function_concurrency": {"ReservedConcurrentExecutions": 10},
    "describe_table": {
        "Table": {
            "KeySchema": KEY_SCHEMA,
            "GlobalSecondaryIndexes": [{"IndexName": "selectable"}, {"IndexName": "due"}],
            "DeletionProtectionEnabled": True,
        }
    },
    "describe_continuous_backups": {
        "ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}
    },
    "describe_time_to_live": {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}},
    "list_schedules": {"Schedules": [{"State": "ENABLED", "Target": {"Arn": "arn:aws:lambda:x:1:function:r"}}]},
    "describe_alarms": {"MetricAlarms": [{"AlarmActions": ["arn:topic"]}]},
    "list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "arn:aws:sns:x"}]},
    "describe_log_groups": {"logGroups": [{"logGroupName": "/aws/lambda/s-gateway", "retentionInDays": 30}]},
}


def stack(clients: Clients) -> Stack:
    return Stack("s", "eu-central-1", "https://x.example", OUTPUTS, clients)


def states(**changed: Any) -> dict[str, State]:
    checks = DeploymentChecks(stack(Clients(**(WELL | changed))))
    return {finding.name: finding.state for finding in run_checks(checks.all())}


def test_a_deployment_that_is_well_is_told_so() -> None:
    assert set(states().values()) == {State.OK}


PERMISSIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
SECRET_IN_ENVIRONMENT = {
    "Runtime": "python3.13",
    "Layers": [{"Arn": "arn:aws:lambda:x:1:layer:StreamingRuntimeLayer0123:4"}],
    "Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/streaming-runtime", "GATEWAY_ADMIN_KEY": "x"}},
}
WITHOUT_LAYER = {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/streaming-runtime"}}}
ONE_INDEX = {"Table": {"KeySchema": KEY_SCHEMA, "GlobalSecondaryIndexes": [{"IndexName": "due"}]}}
OTHER_TABLE = {"Table": {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}}


def granting(*actions: str) -> dict[str, str]:
    """A function's policy that lets everybody do these."""
    return {"Policy": json.dumps({"Statement": [{"Action": action, "Principal": "*"} for action in actions]})}


def schedules(state: str) -> dict[str, Any]:
    return {"Schedules": [{"State": state, "Target": {"Arn": "arn:aws:lambda:x:1:function:r"}}]}


@pytest.mark.parametrize(
    ("name", "changed", "state"),
    [
        ("function url", {"get_function_url_config": {"InvokeMode": "BUFFERED", "AuthType": "NONE"}}, State.FAIL),
        ("permissions", {"get_policy": {"Policy": '{"Statement": []}'}}, State.FAIL),
        *(("permissions", {"get_policy": granting(action)}, State.FAIL) for action in PERMISSIONS),
        (
            "table settings",
            {"describe_time_to_live": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}},
            State.WARN,
        ),
        ("schedule", {"list_schedules": schedules("DISABLED")}, State.FAIL),
        ("secrets", {"get_function_configuration": SECRET_IN_ENVIRONMENT}, State.WARN),
        ("runtime", {"get_function_configuration": {"Environment": {"Variables": {}}}}, State.FAIL),
        ("concurrency", {"get_function_concurrency": {"ReservedConcurrentExecutions": 0}}, State.FAIL),
        ("concurrency", {"get_function_concurrency": {}}, State.WARN),
        ("runtime", {"get_function_configuration": WITHOUT_LAYER}, State.FAIL),
        ("table settings", {"describe_table": ONE_INDEX}, State.FAIL),
        ("table settings", {"describe_table": OTHER_TABLE}, State.FAIL),
        ("schedule", {"list_schedules": {"Schedules": []}}, State.FAIL),
        ("alarms", {"describe_alarms": {"MetricAlarms": []}}, State.WARN),
        ("alarms", {"describe_alarms": {"MetricAlarms": [{"AlarmActions": []}]}}, State.WARN),
        (
            "alarms",
            {"list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]}},
            State.WARN,
        ),
        ("logs", {"describe_log_groups": {"logGroups": [{"logGroupName": "x"}]}}, State.WARN),
        ("stack", {"describe_stacks": {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_FAILED"}]}}, State.FAIL),
    ],
)
def test_what_is_planted_in_a_deployment_is_found(name: str, changed: dict[str, Any], state: State) -> None:
    assert states(**changed)[name] is state


def test_a_secret_in_the_environment_is_named_and_the_id_of_one_is_none() -> None:
    variables = {
        **{
            "AWS_LAMBDA_EXEC_WRAPPER": "/opt/streaming-runtime",
            "GATEWAY_ADMIN_SECRET_ID": "arn",
            "GATEWAY_KMS_KEY_ID": "k",
        },
        **{"POE_API_KEY": "hush", "GATEWAY_P_B_COOKIE": "hush"},
    }
    configuration = {**SECRET_IN_ENVIRONMENT, "Environment": {"Variables": variables}}
    clients = Clients(**(WELL | {"get_function_configuration": configuration}))
    found = {finding.name: finding for finding in run_checks(DeploymentChecks(stack(clients)).all())}
    assert found["secrets"].detail.endswith("can read GATEWAY_P_B_COOKIE, POE_API_KEY.")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ThrottlingException"])
def test_whatever_aws_refuses_there_is_a_remedy(code: str) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Any")

    clients = Clients(**WELL)
    clients.get_policy = refuse
    found = {finding.name: finding for finding in run_checks(DeploymentChecks(stack(clients)).all())}
    assert (found["permissions"].state, code in found["permissions"].detail) == (State.FAIL, True)
    assert found["permissions"].remedy
    assert len(found) == len(DeploymentChecks(stack(clients)).all()), "each finding has a name of its own"


def test_pausing_reserves_nothing_for_the_gateway() -> None:
    clients = Clients()
    pause(stack(clients))
    assert clients.calls == [("put_function_concurrency", {"FunctionName": "g", "ReservedConcurrentExecutions": 0})]
