"""`doctor`: the checks, with what to do about each."""

from __future__ import annotations

from pathlib import Path

import click

from poegw.doctor import Finding, State, run_checks
from poegw.errors import CommandError, Exit
from poegw.output import Column
from poegw.state import State as CommandState
from poegw.state import pass_state

COLUMNS = (
    Column("Check", lambda row: row["name"]),
    Column("State", lambda row: row["state"]),
    Column("Found", lambda row: row["detail"]),
    Column("Remedy", lambda row: row["remedy"]),
)


@click.command()
@click.option("--aws", is_flag=True, help="Also check the deployment in your AWS account. Reads only.")
@click.option("--stack", help="Stack of the deployment.  [default: the profile's]")
@click.option("--region", help="Region of the stack.")
@click.option("--aws-profile", help="AWS profile to use.")
@click.pass_context
@pass_state
def doctor_command(
    state: CommandState,
    context: click.Context,
    *,
    aws: bool,
    stack: str | None,
    region: str | None,
    aws_profile: str | None,
) -> None:
    """Check a gateway, and say how to mend what does not work. Spends no points and changes nothing.

    Ends with 5 if something fails.
    """
    from poegw.doctor.remote import RemoteChecks

    target = state.target()
    checks = RemoteChecks(
        state.gateway(), state.connect(target.url, None), lambda key: state.connect(target.url, key)
    ).all()
    if aws or stack:
        from poegw.aws import read_stack
        from poegw.deployment import choices
        from poegw.doctor.aws_account import AccountChecks
        from poegw.doctor.deployment import DeploymentChecks

        profile = state.profiles.get(target.profile) if target.profile else {}
        name = stack or profile.get("stack")
        if not name:
            raise CommandError("Which stack?", hint="Give it with --stack.", status=Exit.USAGE)
        deployed = read_stack(name, region=region or profile.get("region"), profile=aws_profile)
        remembered = choices.remembered(Path.cwd(), name)
        # After the gateway's own: what is wrong there often explains what is seen here.
        checks += DeploymentChecks(deployed).all() + AccountChecks(deployed, Path.cwd(), remembered).all()
    findings = list(run_checks(checks))
    state.output.rows([finding._asdict() for finding in findings], COLUMNS)
    state.output.note(_summary(findings))
    # Warnings end with 0: cron would be told of them every night.
    if any(finding.state is State.FAIL for finding in findings):
        context.exit(Exit.PROBLEMS_FOUND)


def _summary(findings: list[Finding]) -> str:
    counts = {kind: sum(finding.state is kind for finding in findings) for kind in State}
    return ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count)
