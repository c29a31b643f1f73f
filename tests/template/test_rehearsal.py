"""The deployment rehearsed without AWS: translated by SAM's own translator, created in moto as far as moto goes.

Moto's CloudFormation lacks some kinds of resources (`LACKING`). Of those, what moto's APIs do know is created through
boto3, which checks every name and type of a property.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

ROOT = Path(__file__).parents[2]
EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
LACKING = {
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Url",
    "AWS::Logs::MetricFilter",
    "AWS::Scheduler::Schedule",
    "AWS::SecretsManager::Secret",
}
NOTHING = object()


@pytest.fixture(scope="module")
def scan() -> Iterator[Any]:
    specification = importlib.util.spec_from_file_location("scan_template", ROOT / "scripts/scan_template.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[specification.name]


class Stack:
    """The translated template with conditions and `Fn::If` decided, which moto does not do in lists."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        self._conditions = template["Conditions"]
        self._values = {
            name: str(item.get("Default", "")) for name, item in template["Parameters"].items()
        } | parameters
        self._values["AWS::AccountId"] = "123456789012"
        self.resources = {
            name: self.decide({key: value for key, value in resource.items() if key != "Condition"})
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self.holds({"Condition": resource["Condition"]})
        }
        self.template = {"Parameters": template["Parameters"], "Resources": self.resources}

    def holds(self, condition: dict[str, Any]) -> bool:
        ((name, argument),) = condition.items()
        match name:
            case "Condition":
                return self.holds(self._conditions[argument])
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Equals":
                first, second = (self._values[item["Ref"]] if isinstance(item, dict) else item for item in argument)
                return str(first) == str(second)
        raise AssertionError(name)

    def decide(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self.decide, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if value == {"Ref": "AWS::NoValue"}:
            return NOTHING
        if "Fn::If" in value:
            name, then, otherwise = value["Fn::If"]
            return self.decide(then if self.holds({"Condition": name}) else otherwise)
        return {
            key: item for key, item in zip(value, map(self.decide, value.values()), strict=True) if item is not NOTHING
        }

    def of_type(self, kind: str) -> dict[str, Any]:
        return {name: item["Properties"] for name, item in self.resources.items() if item["Type"] == kind}


@pytest.fixture(scope="module")
def translated(scan: Any) -> dict[str, Any]:
    result: dict[str, Any] = scan.translate(ROOT / "template.yaml", scan.PARAMETERS)
    return result


@pytest.fixture(scope="module")
def full(translated: dict[str, Any], scan: Any) -> Stack:
    """With alarms, budget, dashboard and a limit of concurrency; moto reads no REST API's `any-method`."""
    return Stack(translated, {**scan.PARAMETERS, "RestApi": "off"})


@pytest.fixture(scope="module")
def plain(translated: dict[str, Any]) -> Stack:
    """With no parameter chosen."""
    return Stack(translated, {})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


@pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("stack", ["full", "plain"])
def test_the_stack_is_created(stack: str, request: pytest.FixtureRequest, aws: None) -> None:
    chosen: Stack = request.getfixturevalue(stack)
    storage = boto3.client("s3")
    storage.create_bucket(Bucket="code")
    storage.put_object(Bucket="code", Key="artefact.zip", Body=EMPTY_ZIP)
    formation = boto3.client("cloudformation")
    formation.create_stack(StackName="poe-gateway", TemplateBody=json.dumps(chosen.template))
    (created,) = formation.describe_stacks(StackName="poe-gateway")["Stacks"]
    assert created["StackStatus"] == "CREATE_COMPLETE"
    resources = formation.describe_stack_resources(StackName="poe-gateway")["StackResources"]
    names = {resource["LogicalResourceId"] for resource in resources if "LogicalResourceId" in resource}
    assert {item["Type"] for name, item in chosen.resources.items() if name not in names} <= LACKING
    functions = boto3.client("lambda").list_functions()["Functions"]
    assert {function["Handler"] for function in functions} == {"gateway.asgi.handler", "refresh_points.handler.handler"}


def plain_values(value: Any) -> Any:
    """References to other resources, as text that any API takes."""
    if isinstance(value, list):
        return [plain_values(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
        told = value.get("Fn::Sub")
        return told if isinstance(told, str) else "arn:aws:sns:us-east-1:123456789012:x"
    return {key: plain_values(item) for key, item in value.items()}


def test_alarms_have_the_properties_that_cloudwatch_knows(full: Stack, aws: None) -> None:
    cloudwatch = boto3.client("cloudwatch")
    alarms = full.of_type("AWS::CloudWatch::Alarm")
    assert 0 < len(alarms) <= 8
    for name, properties in alarms.items():
        cloudwatch.put_metric_alarm(AlarmName=name, **plain_values(properties))
        assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        assert properties["AlarmDescription"].endswith(".")
    missing = {name for name, item in alarms.items() if item["TreatMissingData"] == "breaching"}
    assert missing == {"RefreshPointsAlarm"}, "the job is the only one whose silence is a failure"


def test_metric_filters_read_what_the_functions_log(full: Stack, aws: None) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="group")
    for name, properties in full.of_type("AWS::Logs::MetricFilter").items():
        transformations = [
            {key[0].lower() + key[1:]: value for key, value in item.items()}
            for item in plain_values(properties["MetricTransformations"])
        ]
        logs.put_metric_filter(
            logGroupName="group",
            filterName=name,
            filterPattern=properties["FilterPattern"],
            metricTransformations=transformations,
        )
    watched = {item["MetricName"] for item in full.of_type("AWS::CloudWatch::Alarm").values() if "MetricName" in item}
    made = {
        transformation["MetricName"]
        for item in full.of_type("AWS::Logs::MetricFilter").values()
        for transformation in item["MetricTransformations"]
    }
    assert made <= watched


def test_without_an_address_there_are_no_alarms_and_no_budget(plain: Stack) -> None:
    kinds = {item["Type"] for item in plain.resources.values()}
    assert not kinds & {"AWS::CloudWatch::Alarm", "AWS::SNS::Topic", "AWS::Budgets::Budget", "AWS::Logs::MetricFilter"}


def test_the_alarm_on_concurrency_needs_a_limit(translated: dict[str, Any]) -> None:
    limited = Stack(translated, {"AlarmEmail": "a@example.com", "GatewayConcurrency": "10"})
    unlimited = Stack(translated, {"AlarmEmail": "a@example.com"})
    assert {*limited.resources} - {*unlimited.resources} == {"ConcurrencyAlarm"}
    assert limited.resources["GatewayFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert "ReservedConcurrentExecutions" not in unlimited.resources["GatewayFunction"]["Properties"]


def test_the_budget_warns_before_and_after_it_is_spent(full: Stack) -> None:
    (budget,) = full.of_type("AWS::Budgets::Budget").values()
    notices = [item["Notification"] for item in budget["NotificationsWithSubscribers"]]
    assert [(notice["NotificationType"], notice["Threshold"]) for notice in notices] == [
        ("ACTUAL", 50),
        ("ACTUAL", 80),
        ("ACTUAL", 100),
        ("FORECASTED", 100),
    ]
    assert len(notices) <= 5, "AWS takes five notifications of one budget"


def test_the_dashboard_is_valid_json_of_at_most_twelve_widgets(full: Stack) -> None:
    (dashboard,) = full.of_type("AWS::CloudWatch::Dashboard").values()
    text, variables = dashboard["DashboardBody"]["Fn::Sub"]
    named = set(re.findall(r"\$\{([^}]+)\}", text))
    assert named - {"AWS::Region", *variables} <= {*full.resources}
    widgets = json.loads(text)["widgets"]
    assert 0 < len(widgets) <= 12
    assert all(widget["x"] + widget["width"] <= 24 and widget["properties"]["title"] for widget in widgets)


def test_a_retained_table_and_its_key_can_be_taken_over(translated: dict[str, Any]) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    taken = Stack(translated, {"ExistingTableName": "accounts-of-before", "ExistingKeyArn": key})
    assert not {"AccountsTable", "CredentialsKey"} & {*taken.resources}
    text = json.dumps(taken.resources)
    assert "AccountsTable" not in text
    assert "CredentialsKey" not in text
    for name in ("GatewayFunction", "RefreshPointsFunction"):
        variables = taken.resources[name]["Properties"]["Environment"]["Variables"]
        assert variables["GATEWAY_TABLE"] == {"Ref": "ExistingTableName"}
        assert variables["GATEWAY_KMS_KEY_ID"] == {"Ref": "ExistingKeyArn"}


def test_both_permissions_of_a_public_url_are_granted(full: Stack) -> None:
    """Since October 2025 Lambda wants `InvokeFunction`, restricted to URLs, beside `InvokeFunctionUrl`."""
    granted = {
        item["Action"]: item
        for item in full.of_type("AWS::Lambda::Permission").values()
        if item["FunctionName"] == {"Ref": "GatewayFunction"}
    }
    assert {*granted} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert granted["lambda:InvokeFunctionUrl"]["FunctionUrlAuthType"] == "NONE"
    assert granted["lambda:InvokeFunction"]["InvokedViaFunctionUrl"] is True


def test_the_url_streams(full: Stack) -> None:
    (url,) = full.of_type("AWS::Lambda::Url").values()
    assert (url["AuthType"], url["InvokeMode"]) == ("NONE", "RESPONSE_STREAM")


def test_the_security_scan_finds_nothing_that_is_not_accepted(scan: Any) -> None:
    assert scan.main() == 0


TABLE = {
    *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"),
    *("dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"),
}
LOG, SEAL = {"logs:CreateLogStream", "logs:PutLogEvents"}, {"kms:Encrypt", "kms:Decrypt"}
RIGHTS = {
    "GatewayRole": {
        "WriteOwnLog": LOG,
        "KeepAccountsLeasesKeysAndUsage": {*TABLE, "dynamodb:BatchWriteItem"},
        "ChooseAnAccount": {"dynamodb:Query"},
        "SealAndOpenCredentials": SEAL,
        "ReadTheAdminKey": {"secretsmanager:GetSecretValue"},
    },
    "RefreshPointsRole": {
        "WriteOwnLog": LOG,
        "ReadAndRecordAccounts": TABLE,
        "FindAccountsThatAreDue": {"dynamodb:Query"},
        "CountAccountsThatServe": {"dynamodb:Query"},
        "OpenCredentialsAndSealRenewedOnes": SEAL,
    },
}
TELLING = {"TellTheOwner": {"sns:Publish"}}
TRACING = {"SendTraces": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}}


def rights(stack: Stack) -> dict[str, dict[str, set[str]]]:
    """What each function's role may do, by statement."""
    found: dict[str, dict[str, set[str]]] = {}
    for name, properties in stack.of_type("AWS::IAM::Role").items():
        if name not in RIGHTS:
            continue  # SAM's own: it lets the schedule start the job.
        found[name] = {}
        for policy in properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Allow"
                actions = statement["Action"]
                found[name][statement["Sid"]] = {actions} if isinstance(actions, str) else {*actions}
    return found


def test_each_function_may_do_what_it_does_and_no_more(translated: dict[str, Any]) -> None:
    assert rights(Stack(translated, {})) == RIGHTS
    told = rights(Stack(translated, {"AlarmEmail": "a@example.com"}))
    assert told == RIGHTS | {"RefreshPointsRole": RIGHTS["RefreshPointsRole"] | TELLING}
    traced = rights(Stack(translated, {"Tracing": "Active"}))
    assert traced == {name: statements | TRACING for name, statements in RIGHTS.items()}


def test_the_schedule_may_start_the_job_and_nothing_else(full: Stack) -> None:
    (role,) = [item for name, item in full.of_type("AWS::IAM::Role").items() if name not in RIGHTS]
    (statement,) = [s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"] == {"Fn::GetAtt": ["RefreshPointsFunction", "Arn"]}


def test_alerts_go_to_the_topic_of_the_alarms_alone(full: Stack, plain: Stack) -> None:
    def topic(stack: Stack) -> Any:
        return stack.resources["RefreshPointsFunction"]["Properties"]["Environment"]["Variables"][
            "GATEWAY_ALERT_TOPIC_ARN"
        ]

    assert topic(full) == {"Ref": "AlarmTopic"}
    assert topic(plain) == ""
    resources = [
        statement["Resource"]
        for policy in full.resources["RefreshPointsRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "TellTheOwner"
    ]
    assert resources == [{"Ref": "AlarmTopic"}]
