"""`deploy`, `upgrade`, `pause`, `resume` and `uninstall`: the gateway in your AWS account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from poegw.doctor import State as CheckState
from poegw.doctor import run_checks
from poegw.errors import CommandError, Exit
from poegw.prompts import confirm, confirm_by_name, is_interactive
from poegw.state import State, pass_state

_STACK_OPTIONS = (
    click.option("--stack", help="Stack of the deployment.  [default: the profile's, or poe-gateway]"),
    click.option("--region", help="Region of the stack."),
    click.option("--aws-profile", help="AWS profile to use."),
)


def _with_stack(command: Any) -> Any:
    for option in reversed(_STACK_OPTIONS):
        command = option(command)
    return command


@click.command()
@_with_stack
@click.option("--parameter", "texts", multiple=True, metavar="NAME=VALUE", help="A parameter of template.yaml.")
@click.option("--env", "environment", default="default", show_default=True, help="Environment of samconfig.toml.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.argument("more", nargs=-1, metavar="[NAME=VALUE]...")
@pass_state
def deploy_command(
    state: State,
    *,
    stack: str | None,
    region: str | None,
    aws_profile: str | None,
    texts: tuple[str, ...],
    environment: str,
    diff: bool,
    more: tuple[str, ...],
) -> None:
    """Deploy a gateway to your AWS account, from a clone of the repository.

    Asks the first time for the region, an address for alarms, a monthly budget and a Poe API key, and remembers all but
    the key. What can fail is checked before anything is created. NAME=VALUE is the same as --parameter.
    """
    from poegw.aws import call, open_session, read_stack
    from poegw.deployment import choices, sam
    from poegw.deployment.artefacts import check_architecture
    from poegw.deployment.cost import worst_day
    from poegw.deployment.preflight import Preflight

    root = Path.cwd()
    configured, known = choices.environment_of(root, environment), choices.load(root, environment)
    if region:
        known["region"] = region
    # What samconfig.toml has, what was answered before, what is on the command line: the later wins.
    known["parameters"] = {
        **configured["parameters"],
        **known.get("parameters", {}),
        **choices.parameters_of(texts + more),
    }
    # Without a terminal what is not known takes the template's defaults.
    if is_interactive():
        known = choices.ask(known, default_region=_default_region(aws_profile))
    name = stack or known.get("stack") or configured.get("stack") or choices.DEFAULT_STACK
    session = open_session(known.get("region"), aws_profile)
    preflight = Preflight(root, name, session, call)
    _check(state, preflight)
    parameters = {"Architecture": "arm64", **known["parameters"]}
    # A cap where the account has room for one: it is what bounds the bill.
    parameters.setdefault("GatewayConcurrency", str(preflight.concurrency))
    # 0 is no cap of its own: then only the account's limit bounds what runs, and is billed.
    concurrency = int(parameters["GatewayConcurrency"]) or preflight.account_limit
    memory = int(parameters.get("GatewayMemory", "512"))
    worst = worst_day(concurrency, memory_mb=memory)
    state.output.note(f"At worst, with {concurrency} streams open all day, AWS bills ${worst:.2f} a day.")
    where = {"stack": name, "region": session.region_name, "profile": aws_profile, "parameters": parameters}
    sam.build(root, parameters)
    # Before the upload: Lambda would only say at its first request that it can't load a library.
    check_architecture(root, parameters["Architecture"])
    if diff:
        sam.show_changes(root, **where)
        return
    confirm(f"Deploy {name} to {session.region_name}?", is_sure=state.is_sure)
    sam.deploy(root, **where)
    # Only now: answers of a deployment that failed are asked for again.
    choices.save(root, {**known, "stack": name, "region": session.region_name}, environment)
    deployed = read_stack(name, region=session.region_name, profile=aws_profile)
    from poegw.deployment.first_token import greet

    greet(state, deployed)


@click.command()
@_with_stack
@click.option("--env", "environment", default="default", show_default=True, help="Environment of samconfig.toml.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.pass_context
def upgrade_command(context: click.Context, /, **options: Any) -> None:
    """Deploy this version over an older one, with the parameters of before. The table only gains attributes."""
    context.invoke(deploy_command, texts=(), more=(), **options)


@click.command()
@_with_stack
@pass_state
def pause_command(state: State, stack: str | None, region: str | None, aws_profile: str | None) -> None:
    """Refuse all requests, as a kill switch. Streams that are open go on to their end."""
    from poegw import aws

    found = _stack(state, stack, region, aws_profile)
    confirm(f"Refuse every request to {found.base_url}?", is_sure=state.is_sure)
    aws.pause(found)
    state.output.note(f"{found.name} is paused. `poegw resume` ends that.")


@click.command()
@_with_stack
@pass_state
def resume_command(state: State, stack: str | None, region: str | None, aws_profile: str | None) -> None:
    """Serve requests again, with the concurrency of the stack's parameter."""
    from poegw import aws

    found = _stack(state, stack, region, aws_profile)
    limit = aws.resume(found)
    cap = f"with a cap of {limit} requests at once" if limit else "without a cap of its own"
    state.output.note(f"{found.name} serves again, {cap}.")


@click.command()
@_with_stack
@pass_state
def uninstall_command(state: State, stack: str | None, region: str | None, aws_profile: str | None) -> None:
    """Delete a deployment. Says first what stays, and what that costs."""
    from poegw import aws
    from poegw.deployment.cost import KEY_MONTH

    found = _stack(state, stack, region, aws_profile)
    state.output.note(
        f"The stack {found.name} in {found.region} will be deleted. These stay, so that no account is lost:\n"
        f"  table  {found.outputs['TableName']}  (storage: cents a month; it has deletion protection)\n"
        f"  key    {found.outputs['KeyArn']}  (${KEY_MONTH:.2f} a month and more after rotations)\n"
        "A new stack can take them over with ExistingTableName and ExistingKeyArn. `poegw export` makes a copy first."
    )
    confirm_by_name("This can't be undone.", found.name, is_sure=state.is_sure)
    formation = found.session.client("cloudformation")
    aws.call("delete the stack", formation.delete_stack, StackName=found.name)
    _wait_until_deleted(state, formation, found.name)


def _wait_until_deleted(state: State, formation: Any, name: str) -> None:
    from botocore.exceptions import WaiterError

    state.output.note("Deleting; this takes some minutes.")
    try:
        formation.get_waiter("stack_delete_complete").wait(StackName=name)
    except WaiterError:
        raise CommandError(
            f"{name} could not be deleted whole.", hint="Look at its events in CloudFormation."
        ) from None
    state.output.note(f"{name} is deleted.")


def _stack(state: State, stack: str | None, region: str | None, aws_profile: str | None) -> Any:
    from poegw.aws import read_stack
    from poegw.deployment import choices

    current = state.profiles.current
    profile = state.profiles.get(current) if current else {}
    known = choices.load(Path.cwd())
    name = stack or profile.get("stack") or known.get("stack") or choices.DEFAULT_STACK
    return read_stack(name, region=region or profile.get("region") or known.get("region"), profile=aws_profile)


def _check(state: State, preflight: Any) -> None:
    failed = False
    for finding in run_checks(preflight.all()):
        mark = {CheckState.OK: "ok", CheckState.WARN: "warning", CheckState.FAIL: "failed"}.get(
            finding.state, "skipped"
        )
        state.output.note(f"{mark:>8}  {finding.name}: {finding.detail}")
        if finding.remedy:
            state.output.note(f"{'':>8}  {finding.remedy}")
        failed = failed or finding.state is CheckState.FAIL
        # What the others find there would be the stand-in's, not AWS's.
        if failed and finding.name == "shell":
            break
    if failed:
        raise CommandError("Nothing was deployed.", hint="Mend what failed, and try again.", status=Exit.PROBLEMS_FOUND)


def _default_region(aws_profile: str | None) -> str | None:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        region: str | None = boto3.Session(profile_name=aws_profile).region_name
    except BotoCoreError:
        # Told with the session that is used, in words.
        return None
    return region
