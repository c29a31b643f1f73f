"""What is checked before CloudFormation starts: what would fail after minutes fails here, with what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from poegw.aws import pages
from poegw.doctor import Check, Finding, State

NEW_ACCOUNT_LIMIT = 10
# AWS keeps so much of an account's concurrency for functions that reserve none.
_UNRESERVED_LEAST = 100
DEFAULT_CONCURRENCY = 10
_STUCK = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
_STAND_INS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS")


class Preflight:
    """The checks of one deployment. `client` makes AWS clients, `ask` calls AWS and raises `CommandError`."""

    def __init__(
        self,
        root: Path,
        stack: str,
        session: Any,
        ask: Callable[..., Any],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._root = root
        self._stack = stack
        self._session = session
        self._ask = ask
        self._environ = environ
        self.concurrency: int = 0
        """What to reserve by default: 10 where the account allows it, else 0 for none."""
        self.account_limit: int = NEW_ACCOUNT_LIMIT
        """How many requests at once the account allows, which bounds a gateway without a cap of its own."""

    def all(self) -> list[tuple[str, Check]]:
        """By name."""
        return [
            ("shell", self.shell),
            ("tools", self.tools),
            ("credentials", self.credentials),
            ("region", self.region),
            ("concurrency", self.limits),
            ("stack", self.leftovers),
        ]

    def shell(self) -> Iterator[Finding]:
        """No stand-in of a local run is taken for AWS."""
        # The stand-ins answer boto3, too: the checks would pass, and say nothing about AWS.
        found = [name for name in _STAND_INS if self._environ.get(name)]
        if found:
            yield Finding(
                "shell",
                State.FAIL,
                f"{found[0]} points AWS's tools at a stand-in: this shell has read .local/run.env.",
                "Deploy from another shell.",
            )
        else:
            yield Finding("shell", State.OK, "AWS's tools go to AWS.")

    def tools(self) -> Iterator[Finding]:
        """SAM is there, and so is the template."""
        if not (self._root / "template.yaml").is_file():
            yield Finding(
                "tools",
                State.FAIL,
                f"There is no template.yaml in {self._root}.",
                "Run this in a clone of the repository.",
            )
        elif shutil.which("sam") is None:
            yield Finding(
                "tools",
                State.FAIL,
                "The SAM CLI is not installed.",
                "Install it: pipx install aws-sam-cli, or AWS's installer.",
            )
        elif " " in str(self._root):
            yield Finding(
                "tools", State.FAIL, "The folder has a space in its path, which SAM's builds can't take.", "Move it."
            )
        else:
            yield Finding("tools", State.OK, "The SAM CLI is there.")

    def credentials(self) -> Iterator[Finding]:
        """AWS knows the caller."""
        identity = self._ask("ask who you are", self._session.client("sts").get_caller_identity)
        yield Finding(
            "credentials", State.OK, f"AWS account {identity['Account']}, as {identity['Arn'].rpartition('/')[2]}."
        )

    def region(self) -> Iterator[Finding]:
        """The region has Lambda and its function URLs, which is where streaming is."""
        name = self._session.region_name
        # China's regions and those for governments are partitions of their own.
        partitions = self._session.get_available_partitions()
        if any(name in self._session.get_available_regions("lambda", partition) for partition in partitions):
            yield Finding("region", State.OK, name)
        else:
            yield Finding("region", State.FAIL, f"{name} has no Lambda.", "Choose another region with --region.")
            return
        if name.startswith("cn-"):
            yield Finding(
                "streaming", State.FAIL, f"{name} has no response streaming.", "Choose another region with --region."
            )

    def limits(self) -> Iterator[Finding]:
        """Whether a cap can be reserved: new accounts have 10 in all and can't divide them."""
        settings = self._ask("read the account's limits", self._session.client("lambda").get_account_settings)
        limit = settings["AccountLimit"]["ConcurrentExecutions"]
        # What the stack has reserved already is its own to reserve again: an upgrade must not lose the cap.
        free = min(settings["AccountLimit"]["UnreservedConcurrentExecutions"] + self._reserved_before(), limit)
        self.account_limit = limit
        if limit <= NEW_ACCOUNT_LIMIT:
            yield Finding("concurrency", State.OK, f"The account allows {limit} requests at once, which is the cap.")
        elif free - DEFAULT_CONCURRENCY >= _UNRESERVED_LEAST:
            self.concurrency = DEFAULT_CONCURRENCY
            yield Finding(
                "concurrency", State.OK, f"{DEFAULT_CONCURRENCY} of {free} are reserved for the gateway, as a cap."
            )
        else:
            yield Finding(
                "concurrency",
                State.WARN,
                f"Of {limit} requests at once {free} are not reserved, too few to reserve a cap.",
                "Ask AWS for a higher limit (Service Quotas, Lambda, concurrent executions).",
            )

    def _reserved_before(self) -> int:
        """The cap of the deployment that is there; 0 for none."""
        from poegw.errors import CommandError

        formation = self._session.client("cloudformation")
        try:
            stack = self._ask("read the stack", formation.describe_stacks, StackName=self._stack)["Stacks"][0]
        except CommandError:
            return 0
        chosen = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", ())}
        return int(chosen.get("GatewayConcurrency", "0"))

    def leftovers(self) -> Iterator[Finding]:
        """No earlier stack stands in the way."""
        from poegw.errors import CommandError

        formation = self._session.client("cloudformation")
        try:
            status = self._ask("read the stack", formation.describe_stacks, StackName=self._stack)["Stacks"][0][
                "StackStatus"
            ]
        # Mostly there is none yet; a right that is missing shows with the next question.
        except CommandError:
            status = None
        if status in _STUCK:
            yield Finding(
                "stack",
                State.FAIL,
                f"{self._stack} is {status} and can't be updated.",
                f"Delete it first: aws cloudformation delete-stack --stack-name {self._stack}",
            )
            return
        if status is not None:
            yield Finding("stack", State.OK, f"{self._stack} is there and will be updated.")
            return
        groups = self._ask(
            "look for old log groups",
            self._session.client("logs").describe_log_groups,
            logGroupNamePrefix=f"/aws/lambda/{self._stack}-",
        )["logGroups"]
        # CloudFormation fails to create what is there, and rolls everything back.
        if groups:
            names = " ".join(group["logGroupName"] for group in groups)
            yield Finding(
                "stack",
                State.FAIL,
                f"Log groups of an earlier stack are there: {names}.",
                "Delete them, or choose another stack name: aws logs delete-log-group --log-group-name NAME",
            )
        else:
            yield Finding("stack", State.OK, f"{self._stack} will be created.")
        yield from self._retained_tables()

    def _retained_tables(self) -> Iterator[Finding]:
        names = pages(
            "list the tables",
            self._session.client("dynamodb").list_tables,
            "TableNames",
            tokens=("ExclusiveStartTableName", "LastEvaluatedTableName"),
            asking=self._ask,
        )
        # It stays when a stack is deleted, and has the accounts: a new one beside it would be empty.
        kept = [name for name in names if name.startswith(f"{self._stack}-AccountsTable-")]
        if kept:
            yield Finding(
                "table",
                State.WARN,
                f"An earlier stack left the table {kept[0]}. A new one will be created beside it.",
                f"To take it over: poegw deploy --parameter ExistingTableName={kept[0]} --parameter ExistingKeyArn=ARN",
            )
