"""What the doctor finds around a stack: its budget and cost, what earlier stacks left, and what is not as deployed.

CloudFormation is scripted, as moto keeps neither drift nor what SAM's transform makes; everything else is moto's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cfnlint.decode import cfn_yaml
from moto import mock_aws

from poegw.aws import Stack
from poegw.deployment import choices
from poegw.deployment.template import differences, read_template
from poegw.doctor import Finding, State, run_checks
from poegw.doctor.aws_account import AccountChecks

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
NAME = "poe-gateway"
KEY_DESCRIPTION = "Encrypts the credentials of Poe accounts before they are stored"


class CloudFormation:
    """What AWS would say of the stack `poe-gateway`, and of the others."""

    def __init__(self) -> None:
        self.resources = [{"LogicalResourceId": "Budget", "PhysicalResourceId": "the-budget"}]
        self.stack: dict[str, Any] = {"StackName": NAME, "DriftInformation": {"StackDriftStatus": "IN_SYNC"}}
        self.others: list[dict[str, Any]] = []
        self.body: Any = as_sam_uploads(ROOT / "template.yaml")
        self.drifts: list[dict[str, str]] = []

    def list_stack_resources(self, *, StackName: str, NextToken: str | None = None) -> dict[str, Any]:
        """One resource a page."""
        number = int(NextToken or 0)
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.resources) else {}
        return {"StackResourceSummaries": self.resources[number : number + 1], **more}

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        return {"Stacks": [self.stack, *self.others]}

    def get_template(self, **_: Any) -> dict[str, Any]:
        return {"TemplateBody": self.body}

    def describe_stack_resource_drifts(self, **_: Any) -> dict[str, Any]:
        return {"StackResourceDrifts": self.drifts}


class Session:
    """moto's clients, but for CloudFormation, and for calls that are refused."""

    def __init__(self) -> None:
        self.formation = CloudFormation()
        self.refused: set[str] = set()
        self.called: list[str] = []
        self._session = boto3.Session(region_name=REGION)

    def client(self, name: str) -> Any:
        real = self.formation if name == "cloudformation" else self._session.client(name)
        session = self

        class Client:
            def __getattr__(self, operation: str) -> Any:
                session.called.append(operation)
                if operation in session.refused:
                    return refuse
                return getattr(real, operation)

        return Client()


def refuse(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "Any")


def as_sam_uploads(path: Path) -> str:
    """The template with the long forms of its functions, artefacts in a bucket, and SAM's notes."""
    template = json.loads(json.dumps(cfn_yaml.load(str(path))))
    for name, resource in template["Resources"].items():
        resource.setdefault("Metadata", {})["SamResourceId"] = name
        for where in ("CodeUri", "ContentUri"):
            if where in resource["Properties"]:
                resource["Properties"][where] = "s3://bucket/0123"
    return json.dumps(template)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Session()


def create_budget(session: Session, *, notices: tuple[tuple[str, int], ...] | None = None) -> None:
    chosen = (("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)) if notices is None else notices
    session.client("budgets").create_budget(
        AccountId="123456789012",
        Budget={
            "BudgetName": "the-budget",
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "10", "Unit": "USD"},
        },
        NotificationsWithSubscribers=[
            {
                "Notification": {
                    "NotificationType": kind,
                    "ComparisonOperator": "GREATER_THAN",
                    "ThresholdType": "PERCENTAGE",
                    "Threshold": percent,
                },
                "Subscribers": [{"SubscriptionType": "EMAIL", "Address": "me@example.org"}],
            }
            for kind, percent in chosen
        ],
    )
    session.called.clear()


def findings(
    session: Session,
    *,
    root: Path = ROOT,
    outputs: dict[str, str] | None = None,
    remembered: dict[str, str] | None = None,
) -> dict[str, Finding]:
    stack = Stack(NAME, REGION, "https://x.example", outputs or {}, session)
    return {found.name: found for found in run_checks(AccountChecks(stack, root, remembered or {}).all())}


def test_an_account_that_is_well_is_told_so_and_nothing_is_changed(session: Session) -> None:
    create_budget(session)
    found = findings(session)
    assert {finding.state for finding in found.values()} == {State.OK}
    assert set(found) == {"budget", "cost", "leftovers", "drift", "template", "parameters"}
    assert all(name.startswith(("get_", "list_", "describe_")) for name in session.called)


def test_a_missing_budget_is_found(session: Session) -> None:
    session.formation.resources = []
    found = findings(session)
    assert (found["budget"].state, "AlarmEmail" in found["budget"].remedy) == (State.WARN, True)
    assert found["cost"].state is State.SKIPPED


def test_a_budget_that_was_deleted_by_hand_is_found(session: Session) -> None:
    found = findings(session)
    assert (found["budget"].state, "by hand" in found["budget"].detail) == (State.WARN, True)
    assert "cost" not in found


def test_a_budget_without_a_notice_is_found(session: Session) -> None:
    create_budget(session, notices=(("ACTUAL", 50), ("ACTUAL", 80), ("FORECASTED", 100)))
    found = findings(session)["budget"]
    assert (found.state, "100 % actual" in found.detail) == (State.WARN, True)


@pytest.mark.parametrize(
    ("spend", "state", "told"),
    [
        (
            {"ActualSpend": "1.40", "ForecastedSpend": "2.9"},
            State.OK,
            "1.40 USD of 10.00 USD this month, forecast 2.90",
        ),
        ({"ActualSpend": "1.40"}, State.OK, "forecast not known"),
        ({"ActualSpend": "1.40", "ForecastedSpend": "10.01"}, State.WARN, "forecast 10.01"),
        ({"ActualSpend": "8.00", "ForecastedSpend": "9"}, State.WARN, "8.00 USD of"),
        ({"ActualSpend": "10.00", "ForecastedSpend": "11"}, State.FAIL, "10.00 USD of"),
        ({}, State.SKIPPED, "not calculated"),
    ],
)
def test_what_was_billed_is_told_and_unknown_is_not_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch, spend: dict[str, str], state: State, told: str
) -> None:
    """moto's budgets have spent nothing, so the answer is scripted in the form of the API."""
    create_budget(session)
    monkeypatch.setattr(session, "client", spending(session, spend))
    found = findings(session)["cost"]
    assert (found.state, told in found.detail) == (state, True), found
    assert bool(found.remedy) is (state in (State.WARN, State.FAIL))
    assert "describe_budget" in session.called
    assert not [name for name in session.called if "cost" in name]


def spending(session: Session, spend: dict[str, str]) -> Any:
    budget = {
        "BudgetName": "the-budget",
        "BudgetLimit": {"Amount": "10", "Unit": "USD"},
        "CalculatedSpend": {name: {"Amount": amount, "Unit": "USD"} for name, amount in spend.items()},
        "LastUpdatedTime": datetime(2026, 11, 30, 12, tzinfo=UTC),
    }
    client = session.client

    class Budgets:
        def __init__(self) -> None:
            self._real = client("budgets")

        def describe_budget(self, **_: Any) -> Any:
            session.called.append("describe_budget")
            return {"Budget": budget}

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    return lambda name: Budgets() if name == "budgets" else client(name)


def create_table(session: Session, name: str) -> None:
    session.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_what_earlier_stacks_left_is_found(session: Session) -> None:
    for name in ("poe-gateway-AccountsTable-OLD", "poe-gateway-AccountsTable-NEW", "other-AccountsTable-X"):
        create_table(session, name)
    kms = session.client("kms")
    left = kms.create_key(Description=KEY_DESCRIPTION)["KeyMetadata"]
    used = kms.create_key(Description=KEY_DESCRIPTION)["KeyMetadata"]
    others = kms.create_key(Description=KEY_DESCRIPTION)["KeyMetadata"]
    kms.create_key(Description="somebody else's")
    going = kms.create_key(Description=KEY_DESCRIPTION)["KeyMetadata"]
    kms.schedule_key_deletion(KeyId=going["KeyId"])
    logs = session.client("logs")
    for name in ("gateway", "refresh-points", "GatewayFunction-ABC", "dev-gateway"):
        logs.create_log_group(logGroupName=f"/aws/lambda/poe-gateway-{name}")
    session.formation.others = [
        {"StackName": "poe-gateway-dev", "Outputs": [{"OutputKey": "KeyArn", "OutputValue": others["Arn"]}]}
    ]
    outputs = {"TableName": "poe-gateway-AccountsTable-NEW", "KeyArn": used["Arn"]}
    found = findings(session, outputs=outputs)["leftovers"]
    assert (found.state, found.remedy) == (
        State.WARN,
        "Take table and key over, or delete what nobody needs: docs/deploy.md#remove.",
    )
    assert found.detail == (
        f"Earlier stacks left table poe-gateway-AccountsTable-OLD, key {left['KeyId']} ($1 a month), "
        "log group /aws/lambda/poe-gateway-GatewayFunction-ABC."
    )


def test_many_leftovers_are_counted(session: Session) -> None:
    for number in range(8):
        create_table(session, f"poe-gateway-AccountsTable-{number}")
    assert findings(session)["leftovers"].detail.endswith("AccountsTable-4 and 3 more.")


def test_keys_of_others_need_not_be_readable(session: Session) -> None:
    session.client("kms").create_key(Description="secret")
    session.refused = {"describe_key"}
    found = findings(session)["leftovers"]
    assert (found.state, "1 keys could not be looked at" in found.detail) == (State.OK, True)


@pytest.mark.parametrize(
    ("operation", "name"),
    [("describe_budget", "budget"), ("list_keys", "leftovers"), ("get_template", "drift")],
)
def test_a_right_that_is_missing_says_nothing_about_the_gateway(session: Session, operation: str, name: str) -> None:
    create_budget(session)
    session.refused = {operation}
    found = findings(session)[name]
    assert (found.state, found.remedy) == (State.SKIPPED, "Your AWS user needs this right.")


def test_changes_by_hand_are_those_that_aws_saw(session: Session) -> None:
    session.formation.stack["DriftInformation"] = {"StackDriftStatus": "DRIFTED"}
    session.formation.drifts = [
        {"LogicalResourceId": "GatewayFunction", "StackResourceDriftStatus": "MODIFIED"},
        {"LogicalResourceId": "GatewayErrorsAlarm", "StackResourceDriftStatus": "DELETED"},
    ]
    found = findings(session)["drift"]
    assert (found.state, found.detail) == (
        State.WARN,
        "Changed by hand: GatewayFunction (modified), GatewayErrorsAlarm (deleted).",
    )
    session.formation.stack["DriftInformation"] = {"StackDriftStatus": "NOT_CHECKED"}
    found = findings(session)["drift"]
    assert (found.state, "detect-stack-drift --stack-name poe-gateway" in found.detail) == (State.SKIPPED, True)


def test_a_stack_of_another_version_is_found(session: Session) -> None:
    older = json.loads(session.formation.body)
    del older["Parameters"]["RestApi"]
    older["Resources"]["GatewayFunction"]["Properties"]["Timeout"] = 300
    older["Resources"]["OldTopic"] = {"Type": "AWS::SNS::Topic"}
    session.formation.body = older  # CloudFormation gives JSON as a mapping
    found = findings(session)["template"]
    assert (found.state, "poegw upgrade" in found.remedy) == (State.WARN, True)
    for part in ("Parameters.RestApi is new", "Resources.OldTopic is gone", "Resources.GatewayFunction differs"):
        assert part in found.detail


def test_a_folder_that_is_no_clone_is_not_compared(session: Session, tmp_path: Path) -> None:
    assert findings(session, root=tmp_path)["template"].state is State.SKIPPED
    (tmp_path / "template.yaml").write_text("Resources: {Bucket: {Type: AWS::S3::Bucket}}")
    assert findings(session, root=tmp_path)["template"].state is State.SKIPPED
    (tmp_path / "template.yaml").write_text("{")
    assert findings(session, root=tmp_path)["template"].state is State.SKIPPED


def test_parameters_that_are_not_those_remembered_are_found(session: Session) -> None:
    session.formation.stack["Parameters"] = [
        {"ParameterKey": "GatewayMemory", "ParameterValue": "512"},
        {"ParameterKey": "LogLevel", "ParameterValue": "INFO"},
    ]
    found = findings(session, remembered={"GatewayMemory": "1024", "LogLevel": "INFO", "Gone": "x"})["parameters"]
    assert (found.state, found.detail) == (State.WARN, "GatewayMemory is 512, remembered 1024.")


def test_the_answers_of_the_environment_whose_stack_it_is_are_remembered(tmp_path: Path) -> None:
    assert choices.remembered(tmp_path, "gateway-prod") == {}
    choices.save(tmp_path, {"stack": "poe-gateway", "parameters": {"GatewayMemory": "512"}})
    choices.save(tmp_path, {"stack": "gateway-prod", "parameters": {"GatewayMemory": 1024}}, "prod")
    assert choices.remembered(tmp_path, "gateway-prod") == {"GatewayMemory": "1024"}
    assert choices.remembered(tmp_path, "poe-gateway") == {"GatewayMemory": "512"}


def test_a_template_is_read_as_cfn_lint_reads_it() -> None:
    path = ROOT / "template.yaml"
    assert read_template(path.read_text(encoding="utf-8")) == json.loads(json.dumps(cfn_yaml.load(str(path))))
    assert differences(read_template(as_sam_uploads(path)), read_template(path.read_text(encoding="utf-8"))) == []
    with pytest.raises(ValueError, match="mapping"):
        read_template("- a")
