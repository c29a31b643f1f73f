"""What can be checked around a stack with the caller's own AWS rights: budget, cost, leftovers, drift. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from poegw.aws import AwsError, Stack, call, pages
from poegw.deployment.template import differences, read_template
from poegw.doctor import Check, Finding, State

# Notices of the template's budget: of what was billed, and of the forecast.
_NOTICES = {("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}
_NEARLY = 0.8
_KEY_DESCRIPTION = "Encrypts the credentials of Poe accounts before they are stored"
# Most that is looked through: an AWS account may have more than anybody wants to wait for.
_MOST_KEYS = 100
_MOST_NAMED = 5
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


class AccountChecks:
    """The checks. `root` is the folder that may be a clone, `remembered` the parameters of its next deployment."""

    def __init__(self, stack: Stack, root: Path, remembered: Mapping[str, str]) -> None:
        self._stack = stack
        self._root = root
        self._remembered = remembered

    def all(self) -> list[tuple[str, Check]]:
        """By name."""
        checks = {"budget": self.budget, "leftovers": self.leftovers, "drift": self.drift}
        return [(name, _skipped_without_rights(name, check)) for name, check in checks.items()]

    def budget(self) -> Iterator[Finding]:
        """There is a budget with its notices, and what AWS has billed this month stays below it.

        The figures are the budget's own, which cost nothing to ask; Cost Explorer takes a cent for each answer.
        """
        name = self._physical_id("Budget")
        if name is None:
            yield Finding(
                "budget",
                State.WARN,
                "There is no budget: nobody is told what AWS bills.",
                "Deploy with AlarmEmail=you@example.com and MonthlyBudget=10.",
            )
            yield Finding(
                "cost", State.SKIPPED, "Without a budget only Cost Explorer knows, which charges each question."
            )
            return
        account = call("ask who you are", self._client("sts").get_caller_identity)["Account"]
        budgets = self._client("budgets")
        asked = {"AccountId": account, "BudgetName": name}
        try:
            budget = call("read the budget", budgets.describe_budget, **asked)["Budget"]
        except AwsError as error:
            if error.code != "NotFoundException":
                raise
            yield Finding(
                "budget",
                State.WARN,
                "The stack's budget was deleted by hand.",
                "Deploy with AlarmEmail= and once more with the address: CloudFormation makes it anew.",
            )
            return
        reply = call("read the budget's notices", budgets.describe_notifications_for_budget, **asked)
        # AWS answers with floats.
        there = {(notice["NotificationType"], round(notice["Threshold"])) for notice in reply.get("Notifications", ())}
        if missing := _NOTICES - there:
            told = ", ".join(f"{percent} % {kind.lower()}" for kind, percent in sorted(missing))
            yield Finding("budget", State.WARN, f"It has no notice at {told}.", "Add it in AWS's billing console.")
        else:
            yield Finding("budget", State.OK, f"{_money(budget['BudgetLimit'])} a month, with its notices.")
        yield _cost(budget)

    def leftovers(self) -> Iterator[Finding]:
        """No table, key or log group of an earlier stack is kept, and paid for, unnoticed."""
        stacks = self._pages("list the stacks", "cloudformation", "describe_stacks", "Stacks")
        outputs = [item["OutputValue"] for one in stacks for item in one.get("Outputs", ())]
        # All stacks of the region: another gateway's table is no leftover.
        used = {*self._stack.outputs.values(), *outputs}
        names = {one["StackName"] for one in stacks}
        tables = [f"table {name}" for name in self._tables() if name not in used]
        keys, unseen = self._keys(used)
        groups = [f"log group {name}" for name in self._log_groups(names)]
        found = [*tables, *keys, *groups]
        note = f" {unseen} keys could not be looked at." if unseen else ""
        if found:
            yield Finding(
                "leftovers",
                State.WARN,
                f"Earlier stacks left {_some(found)}.{note}",
                "Take table and key over, or delete what nobody needs: docs/deploy.md#remove.",
            )
        else:
            yield Finding("leftovers", State.OK, f"No earlier stack left a table, a key or a log group.{note}")

    def drift(self) -> Iterator[Finding]:
        """The stack is what was deployed, and what was deployed is what this clone has."""
        stack = call("read the stack", self._client("cloudformation").describe_stacks, StackName=self._stack.name)[
            "Stacks"
        ][0]
        yield from self._changed_by_hand(stack)
        yield from self._other_version()
        deployed = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", ())}
        other = [
            f"{name} is {deployed[name]}, remembered {value}"
            for name, value in self._remembered.items()
            # What the template does not have any more can't differ.
            if name in deployed and deployed[name] != value
        ]
        if other:
            remedy = "`poegw deploy` sets what is remembered; `poegw deploy NAME=VALUE` another value."
            yield Finding("parameters", State.WARN, f"{_some(other)}.", remedy)
        else:
            yield Finding("parameters", State.OK, "The parameters are those of the last deployment from here.")

    def _changed_by_hand(self, stack: Mapping[str, Any]) -> Iterator[Finding]:
        """What AWS's own drift detection last saw. It is not started here: that would be a change."""
        status = stack.get("DriftInformation", {}).get("StackDriftStatus", "NOT_CHECKED")
        if status == "IN_SYNC":
            yield Finding("drift", State.OK, "AWS saw no change by hand.")
        elif status == "DRIFTED":
            reply = call(
                "read the drift",
                self._client("cloudformation").describe_stack_resource_drifts,
                StackName=self._stack.name,
                StackResourceDriftStatusFilters=["MODIFIED", "DELETED"],
            )
            changed = [
                f"{one['LogicalResourceId']} ({one['StackResourceDriftStatus'].lower()})"
                for one in reply["StackResourceDrifts"]
            ]
            yield Finding(
                "drift", State.WARN, f"Changed by hand: {_some(changed)}.", "Change it back, or in the template."
            )
        else:
            command = f"aws cloudformation detect-stack-drift --stack-name {self._stack.name}"
            yield Finding("drift", State.SKIPPED, f"AWS has not looked for changes by hand: {command}")

    def _other_version(self) -> Iterator[Finding]:
        try:
            local = read_template((self._root / "template.yaml").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            local = {}
        if "GatewayFunction" not in local.get("Resources", {}):
            yield Finding(
                "template", State.SKIPPED, "This folder is no clone of the gateway to compare the stack with."
            )
            return
        body = call(
            "read the deployed template",
            self._client("cloudformation").get_template,
            StackName=self._stack.name,
            TemplateStage="Original",
        )["TemplateBody"]
        try:
            found = differences(read_template(body), local)
        except ValueError:
            found = ["the deployed one can't be read"]
        if found:
            yield Finding(
                "template",
                State.WARN,
                f"This clone's template is another one: {_some(found)}.",
                "`poegw upgrade --diff` shows what would change, `poegw upgrade` deploys it.",
            )
        else:
            yield Finding("template", State.OK, "The stack was deployed from this clone's template.")

    def _client(self, name: str) -> Any:
        return self._stack.session.client(name)

    def _physical_id(self, logical_id: str) -> str | None:
        resources = self._pages(
            "list the stack's resources",
            "cloudformation",
            "list_stack_resources",
            "StackResourceSummaries",
            StackName=self._stack.name,
        )
        return next((one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == logical_id), None)

    def _tables(self) -> list[str]:
        found = self._pages(
            "list the tables",
            "dynamodb",
            "list_tables",
            "TableNames",
            tokens=("ExclusiveStartTableName", "LastEvaluatedTableName"),
        )
        return [name for name in found if name.startswith(f"{self._stack.name}-AccountsTable-")]

    def _keys(self, used: set[str]) -> tuple[list[str], int]:
        """Keys of gateways that no stack has, and how many could not be looked at."""
        listed = self._pages("list the keys", "kms", "list_keys", "Keys", tokens=("Marker", "NextMarker"))
        found, unseen = [], max(len(listed) - _MOST_KEYS, 0)
        # Each is a call of its own, and accounts of companies have thousands.
        for item in listed[:_MOST_KEYS]:
            if item["KeyArn"] in used:
                continue
            try:
                key = call("read a key", self._client("kms").describe_key, KeyId=item["KeyId"])["KeyMetadata"]
            except AwsError:
                unseen += 1  # another's, whose policy says who may look
                continue
            # By its description, which the template gives: a key has no name that says whose it was.
            if key.get("Description") == _KEY_DESCRIPTION and key.get("KeyState") != "PendingDeletion":
                found.append(f"key {item['KeyId']} ($1 a month)")
        return found, unseen

    def _log_groups(self, stacks: set[str]) -> list[str]:
        """Those named as ours that are no resource of the stack, nor of another one with a longer name."""
        prefix = f"/aws/lambda/{self._stack.name}-"
        # "poe-gateway" is how "poe-gateway-dev" begins, whose groups are its own.
        others = tuple(f"/aws/lambda/{name}-" for name in stacks if name.startswith(f"{self._stack.name}-"))
        groups = self._pages(
            "list the log groups",
            "logs",
            "describe_log_groups",
            "logGroups",
            tokens=("nextToken", "nextToken"),
            logGroupNamePrefix=prefix,
        )
        ours = {f"{prefix}gateway", f"{prefix}refresh-points"}
        names = [group["logGroupName"] for group in groups]
        return [name for name in names if name not in ours and not name.startswith(others)]

    def _pages(
        self,
        what: str,
        service: str,
        operation: str,
        items: str,
        *,
        tokens: tuple[str, str] = ("NextToken", "NextToken"),
        **arguments: Any,
    ) -> list[Any]:
        return pages(what, getattr(self._client(service), operation), items, tokens=tokens, **arguments)


def _cost(budget: Mapping[str, Any]) -> Finding:
    """What AWS has billed this month, of the whole AWS account. Not known is not nothing."""
    spend = budget.get("CalculatedSpend", {})
    # It takes AWS some hours after a budget was made.
    if "ActualSpend" not in spend:
        return Finding("cost", State.SKIPPED, "AWS has not calculated this month's cost yet.")
    limit, actual = float(budget["BudgetLimit"]["Amount"]), float(spend["ActualSpend"]["Amount"])
    forecast = float(spend["ForecastedSpend"]["Amount"]) if "ForecastedSpend" in spend else None
    ahead = "not known" if forecast is None else _money(spend["ForecastedSpend"])
    as_of = f", as of {budget['LastUpdatedTime']:%Y-%m-%d %H:%M}" if "LastUpdatedTime" in budget else ""
    detail = (
        f"{_money(spend['ActualSpend'])} of {_money(budget['BudgetLimit'])} this month, forecast {ahead}; "
        f"the whole AWS account{as_of}."
    )
    remedy = "AWS's billing console says what for; `poegw pause` stops the gateway. docs/runbook.md#the-bill"
    if actual >= limit:
        return Finding("cost", State.FAIL, detail, remedy)
    if actual >= limit * _NEARLY or (forecast is not None and forecast > limit):
        return Finding("cost", State.WARN, detail, remedy)
    return Finding("cost", State.OK, detail)


def _money(amount: Mapping[str, str]) -> str:
    return f"{float(amount['Amount']):.2f} {amount['Unit']}"


def _some(found: list[str]) -> str:
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more


def _skipped_without_rights(name: str, check: Callable[[], Iterator[Finding]]) -> Check:
    """A right that the caller lacks says nothing about the gateway."""

    def run() -> Iterator[Finding]:
        try:
            yield from check()
        except AwsError as error:
            if error.code not in _DENIED:
                raise
            yield Finding(name, State.SKIPPED, error.message, error.hint or "")

    return run
