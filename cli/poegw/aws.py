"""What needs AWS: reading a stack, deploying, pausing. Uses the caller's own rights, through boto3 (extra `aws`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from poegw.api import base_url
from poegw.errors import CommandError, Exit

_PAUSED = 0
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
# Most that is looked through: an AWS account may have more than anybody wants to wait for.
_MOST_PAGES = 20


class AwsError(CommandError):
    """AWS refused a call. `code` is its own word for why."""

    def __init__(self, code: str, message: str, *, hint: str | None) -> None:
        super().__init__(message, hint=hint, status=Exit.REFUSED)
        self.code = code


class Stack(NamedTuple):
    """A deployed stack: its outputs, and the session that read them."""

    name: str
    region: str
    base_url: str
    outputs: dict[str, str]
    session: Any

    def read_admin_key(self) -> str:
        """The admin key, from Secrets Manager. Raises `CommandError`."""
        secrets = self.session.client("secretsmanager")
        reply = call("read the admin key", secrets.get_secret_value, SecretId=self.outputs["AdminSecretArn"])
        key: str = reply["SecretString"]
        return key


def open_session(region: str | None, profile: str | None) -> Any:
    """A boto3 session. Raises `CommandError` without boto3, credentials or a region."""
    try:
        # An extra: who runs a gateway on one machine needs nothing of AWS.
        import boto3
        import botocore.exceptions
    except ImportError:
        raise CommandError(
            "This needs boto3.", hint="Install it with: uv tool install 'poe-gateway[aws]'.", status=Exit.USAGE
        ) from None
    try:
        session = boto3.Session(region_name=region, profile_name=profile)
        # Asked here: otherwise the first call fails with words about signatures.
        if session.get_credentials() is None:
            raise CommandError(
                "There are no AWS credentials.",
                hint="Run `aws configure sso` or `aws configure`, or set AWS_PROFILE.",
                status=Exit.NOT_LOGGED_IN,
            )
    except botocore.exceptions.BotoCoreError as error:
        raise CommandError(f"AWS can't be used: {type(error).__name__}.", hint="See AWS_PROFILE.") from None
    if session.region_name is None:
        raise CommandError("Which region?", hint="Give it with --region, or set AWS_REGION.", status=Exit.USAGE)
    # Otherwise the first client fails, with an error of boto3's own.
    if not _REGION.fullmatch(session.region_name):
        name = session.region_name[:80]
        raise CommandError(
            f"{name!r} is not a region of AWS.", hint="Regions look like eu-central-1.", status=Exit.USAGE
        )
    return session


def read_stack(name: str, *, region: str | None, profile: str | None) -> Stack:
    """The stack's outputs. Raises `CommandError`."""
    session = open_session(region, profile)
    reply = call(f"read the stack {name}", session.client("cloudformation").describe_stacks, StackName=name)
    outputs = {item["OutputKey"]: item["OutputValue"] for item in reply["Stacks"][0].get("Outputs", ())}
    # A stack has outputs only once it was created whole.
    if "GatewayUrl" not in outputs:
        raise CommandError(f"The stack {name} is not a gateway's, or its deployment has not ended well.")
    return Stack(name, session.region_name, base_url(outputs["GatewayUrl"]), outputs, session)


def call(what: str, function: Any, **arguments: Any) -> Any:
    """Call AWS. Raises `CommandError` that says what was tried and what AWS answered."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return function(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        message = error.response["Error"].get("Message", "")
        hint = None
        if code in ("AccessDenied", "AccessDeniedException"):
            hint = "Your AWS user needs this right."
        elif "NotFound" in code:
            hint = "It was deleted by hand, or is in another region or account: see --region and --aws-profile."
        raise AwsError(code, f"AWS refused to {what}: {code}: {message[:500]}", hint=hint) from None
    except BotoCoreError as error:
        raise CommandError(
            f"AWS could not be asked to {what}: {type(error).__name__}.",
            hint="Look at the network, a proxy, and `endpoint_url` in ~/.aws/config.",
        ) from None
    except ResponseParserError:
        raise CommandError(
            f"What answered when AWS was asked to {what} is not AWS.",
            hint="A proxy may have answered, or a stand-in: look at AWS_ENDPOINT_URL and ~/.aws/config.",
        ) from None


def pages(
    what: str,
    function: Any,
    items: str,
    *,
    tokens: tuple[str, str] = ("NextToken", "NextToken"),
    asking: Callable[..., Any] = call,
    **arguments: Any,
) -> list[Any]:
    """All `items` of a listing, page by page, as far as `_MOST_PAGES` go. Raises `CommandError`.

    `tokens` are the names of the place to go on from: in the request, and in the answer.
    """
    found: list[Any] = []
    for _ in range(_MOST_PAGES):
        reply = asking(what, function, **arguments)
        found += reply.get(items, ())
        if not (token := reply.get(tokens[1])):
            break
        arguments[tokens[0]] = token
    return found


def pause(stack: Stack) -> None:
    """Refuse every request, by a reserved concurrency of 0."""
    functions = stack.session.client("lambda")
    name = stack.outputs["GatewayFunctionName"]
    call(
        "pause the gateway",
        functions.put_function_concurrency,
        FunctionName=name,
        ReservedConcurrentExecutions=_PAUSED,
    )


def resume(stack: Stack) -> int | None:
    """Serve again, with the concurrency that the stack's parameter says. Returns it; `None` for no limit of its own."""
    parameters = call(
        f"read the stack {stack.name}",
        stack.session.client("cloudformation").describe_stacks,
        StackName=stack.name,
    )["Stacks"][0].get("Parameters", ())
    chosen = {item["ParameterKey"]: item["ParameterValue"] for item in parameters}
    limit = int(chosen.get("GatewayConcurrency", "0"))
    functions = stack.session.client("lambda")
    name = stack.outputs["GatewayFunctionName"]
    if limit:
        call(
            "resume the gateway",
            functions.put_function_concurrency,
            FunctionName=name,
            ReservedConcurrentExecutions=limit,
        )
        return limit
    # Zero stands for no cap in the template, but for a pause at Lambda.
    call("resume the gateway", functions.delete_function_concurrency, FunctionName=name)
    return None
