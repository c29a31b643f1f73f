"""What can be checked of a deployment with the caller's own AWS rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from poegw.aws import Stack, call, pages
from poegw.doctor import Check, Finding, State

_WRAPPER = "/opt/streaming-runtime"
_NEW_ACCOUNT_LIMIT = 10
_INDEXES = {"selectable", "due"}
_TTL_ATTRIBUTE = "expires_at"
_KEY_SCHEMA = {"pk": "HASH", "sk": "RANGE"}
# Names of variables that hold a secret itself, not the id of one.
_SECRET = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD|COOKIE)S?$")
_STREAMING_LAYER = "StreamingRuntimeLayer"


class DeploymentChecks:
    """The checks of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._function = stack.outputs["GatewayFunctionName"]

    def all(self) -> list[tuple[str, Check]]:
        """By name."""
        return [
            ("stack", self.stack),
            ("function url", self.url),
            ("permissions", self.permissions),
            ("runtime", self.runtime),
            ("concurrency", self.concurrency),
            ("table settings", self.table),
            ("schedule", self.schedule),
            ("alarms", self.alarms),
            ("logs", self.logs),
        ]

    def _client(self, name: str) -> Any:
        return self._stack.session.client(name)

    def stack(self) -> Iterator[Finding]:
        """Its last deployment ended well."""
        reply = call("read the stack", self._client("cloudformation").describe_stacks, StackName=self._stack.name)
        status = reply["Stacks"][0]["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            yield Finding("stack", State.OK, f"{self._stack.name} is {status}.")
        elif status.endswith("_IN_PROGRESS"):
            yield Finding("stack", State.WARN, f"{self._stack.name} is {status}.", "Wait until it has ended.")
        else:
            yield Finding(
                "stack", State.FAIL, f"{self._stack.name} is {status}.", "Look at the stack's events, and deploy again."
            )

    def url(self) -> Iterator[Finding]:
        """It streams, and is public: the gateway checks keys itself."""
        reply = call(
            "read the function URL", self._client("lambda").get_function_url_config, FunctionName=self._function
        )
        # With IAM as its check, no client of OpenAI's could sign a request.
        wanted = {"InvokeMode": "RESPONSE_STREAM", "AuthType": "NONE"}
        wrong = [f"{name} is {reply.get(name)}" for name, value in wanted.items() if reply.get(name) != value]
        if wrong:
            yield Finding("function url", State.FAIL, "; ".join(wrong) + ".", "Deploy again: `poegw deploy`.")
        else:
            yield Finding("function url", State.OK, "It streams.")

    def permissions(self) -> Iterator[Finding]:
        """Both rights that a public URL needs since October 2025."""
        import json

        reply = call("read the function's policy", self._client("lambda").get_policy, FunctionName=self._function)
        statements = json.loads(reply["Policy"])["Statement"]
        granted = {statement["Action"] for statement in statements if statement.get("Principal") in ("*", {"AWS": "*"})}
        missing = {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} - granted
        if missing:
            yield Finding(
                "permissions",
                State.FAIL,
                f"The URL lacks {', '.join(sorted(missing))}: it answers 403.",
                "Deploy again: `poegw deploy`.",
            )
        else:
            yield Finding("permissions", State.OK, "The URL may be called.")

    def runtime(self) -> Iterator[Finding]:
        """The streaming loop runs, and no secret is in the environment."""
        reply = call(
            "read the function", self._client("lambda").get_function_configuration, FunctionName=self._function
        )
        variables = reply.get("Environment", {}).get("Variables", {})
        layers = [layer["Arn"] for layer in reply.get("Layers", ())]
        if variables.get("AWS_LAMBDA_EXEC_WRAPPER") != _WRAPPER or not any(_STREAMING_LAYER in arn for arn in layers):
            yield Finding(
                "runtime",
                State.FAIL,
                "The streaming loop is not used: answers come in one piece.",
                "Deploy again: `poegw deploy`.",
            )
        else:
            yield Finding(
                "runtime",
                State.OK,
                f"{reply.get('Runtime')} on {', '.join(reply.get('Architectures', ()))}, streaming.",
            )
        if secrets := sorted(name for name in variables if _SECRET.search(name)):
            yield Finding(
                "secrets",
                State.WARN,
                f"Whoever may read the function's configuration can read {', '.join(secrets)}.",
                "Leave the admin key to Secrets Manager, and remove the others: deploy again.",
            )

    def concurrency(self) -> Iterator[Finding]:
        """The cap on the bill."""
        functions = self._client("lambda")
        limit = call("read the account's limits", functions.get_account_settings)["AccountLimit"][
            "ConcurrentExecutions"
        ]
        reserved = call("read the concurrency", functions.get_function_concurrency, FunctionName=self._function).get(
            "ReservedConcurrentExecutions"
        )
        if reserved == 0:
            yield Finding(
                "concurrency", State.FAIL, "The gateway is paused: every request is refused.", "`poegw resume`."
            )
        elif reserved is not None:
            yield Finding("concurrency", State.OK, f"At most {reserved} requests at once.")
        # A new account's limit is as low as our cap, and can't be divided.
        elif limit <= _NEW_ACCOUNT_LIMIT:
            yield Finding(
                "concurrency", State.OK, f"The AWS account allows {limit} requests at once, which is the cap."
            )
        else:
            yield Finding(
                "concurrency",
                State.WARN,
                f"There is no cap below the account's {limit} requests at once.",
                "Deploy with a cap: `poegw deploy GatewayConcurrency=10`.",
            )

    def table(self) -> Iterator[Finding]:
        """Its indexes are there, and it can't be lost by accident."""
        name = self._stack.outputs["TableName"]
        database = self._client("dynamodb")
        table = call("read the table", database.describe_table, TableName=name)["Table"]
        backups = call("read the table's backups", database.describe_continuous_backups, TableName=name)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"][
            "PointInTimeRecoveryStatus"
        ]
        lifetime = call("read the table's TTL", database.describe_time_to_live, TableName=name)
        forgets = lifetime["TimeToLiveDescription"].get("AttributeName") == _TTL_ATTRIBUTE
        schema = {part["AttributeName"]: part["KeyType"] for part in table.get("KeySchema", ())}
        missing = _INDEXES - {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())}
        if schema != _KEY_SCHEMA:
            yield Finding(
                "table settings",
                State.FAIL,
                f"{name} is no table of a gateway: its key is another one.",
                "Deploy with the right ExistingTableName.",
            )
        elif missing:
            yield Finding(
                "table settings",
                State.FAIL,
                f"It lacks the index {', '.join(sorted(missing))}.",
                "Deploy again: `poegw deploy`.",
            )
        elif not forgets:
            yield Finding(
                "table settings",
                State.WARN,
                "Old items are never deleted from it.",
                f"Turn TTL on, by the attribute {_TTL_ATTRIBUTE}: docs/runbook.md#restore.",
            )
        elif recovery != "ENABLED" or not table.get("DeletionProtectionEnabled"):
            yield Finding(
                "table settings",
                State.WARN,
                "It has no point-in-time recovery or no deletion protection.",
                "Deploy again: `poegw deploy`.",
            )
        else:
            yield Finding("table settings", State.OK, f"{name} has its indexes, recovery and deletion protection.")

    def schedule(self) -> Iterator[Finding]:
        """The scheduled job is switched on."""
        schedules = pages("list the schedules", self._client("scheduler").list_schedules, "Schedules")
        function = self._stack.outputs["RefreshPointsFunctionName"]
        # By its target: SAM makes the name up.
        ours = [item for item in schedules if item["Target"]["Arn"].endswith(f":function:{function}")]
        if ours and all(item["State"] == "ENABLED" for item in ours):
            yield Finding("schedule", State.OK, "The scheduled job is switched on.")
        else:
            yield Finding(
                "schedule",
                State.FAIL,
                "The scheduled job has no schedule that is switched on.",
                "Deploy again: `poegw deploy`.",
            )

    def alarms(self) -> Iterator[Finding]:
        """Somebody is told when something fails."""
        reply = call(
            "list the alarms", self._client("cloudwatch").describe_alarms, AlarmNamePrefix=f"{self._stack.name}-"
        )
        alarms = reply["MetricAlarms"]
        if not alarms:
            yield Finding(
                "alarms",
                State.WARN,
                "There are no alarms.",
                "Deploy with AlarmEmail=you@example.com; see docs/deploy.md.",
            )
            return
        # An alarm that somebody made by hand may have the stack's name, and no action.
        topic = next((action for alarm in alarms for action in alarm.get("AlarmActions", ())), None)
        if topic is None:
            yield Finding(
                "alarms",
                State.WARN,
                "The alarms tell nobody.",
                "Deploy with AlarmEmail=you@example.com; see docs/deploy.md.",
            )
            return
        subscriptions = call("list the subscriptions", self._client("sns").list_subscriptions_by_topic, TopicArn=topic)[
            "Subscriptions"
        ]
        # Before somebody follows the link, it reads "PendingConfirmation".
        if any(item["SubscriptionArn"].startswith("arn:") for item in subscriptions):
            yield Finding("alarms", State.OK, f"{len(alarms)} alarms, sent to a confirmed address.")
        else:
            yield Finding(
                "alarms",
                State.WARN,
                "Nobody has confirmed the address of the alarms.",
                "Follow the link in AWS's e-mail.",
            )

    def logs(self) -> Iterator[Finding]:
        """Logs are deleted some day."""
        reply = call(
            "read the log groups",
            self._client("logs").describe_log_groups,
            logGroupNamePrefix=f"/aws/lambda/{self._stack.name}-",
        )
        groups = reply["logGroups"]
        # Lambda makes a group without an end where the template's was deleted.
        endless = [group["logGroupName"] for group in groups if "retentionInDays" not in group]
        if endless:
            yield Finding(
                "logs", State.WARN, f"{', '.join(endless)} is kept for ever.", "Deploy again: `poegw deploy`."
            )
        else:
            size = sum(group.get("storedBytes", 0) for group in groups)
            yield Finding("logs", State.OK, f"{len(groups)} log groups, {size / 1e6:.1f} MB.")
