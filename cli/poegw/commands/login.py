"""`login`, `logout`, `whoami` and `profiles`: which gateways this machine knows, and with which keys."""

from __future__ import annotations

import platform
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from poegw.api import ApiError, base_url, segment
from poegw.errors import CommandError, Exit
from poegw.output import Column
from poegw.profiles import DEFAULT_NAME
from poegw.prompts import read_secret
from poegw.state import State, pass_state

KEY_DAYS = 90


@click.command()
@click.option(
    "--stack", help="CloudFormation stack of the gateway: address and admin key are read with your AWS rights."
)
@click.option("--region", help="Region of the stack.  [default: that of your AWS configuration]")
@click.option("--aws-profile", help="AWS profile to read the stack with.")
@click.option("--key-stdin", is_flag=True, help="Read the admin key from standard input.")
@click.option("--role", type=click.Choice(["admin", "viewer"]), default="admin", show_default=True)
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Name of the profile.")
@pass_state
def login_command(
    state: State,
    *,
    stack: str | None,
    region: str | None,
    aws_profile: str | None,
    key_stdin: bool,
    role: str,
    name: str,
) -> None:
    """Log in to a gateway: create a key of its own for this machine, valid for 90 days, and store it.

    The admin key itself is not stored. `poegw logout` revokes the key.
    """
    extra: dict[str, Any] = {}
    if stack is not None:
        from poegw.aws import read_stack

        outputs = read_stack(stack, region=region, profile=aws_profile)
        url, admin_key = outputs.base_url, outputs.read_admin_key()
        extra = {"stack": stack, "region": outputs.region}
    else:
        url = base_url(state.options.get("url") or _asked_url())
        admin_key = read_secret("Admin key", from_stdin=key_stdin, option="--key-stdin")
    gateway = state.connect(url, admin_key)
    # A key of this machine's own: it can be revoked alone, and a lost laptop's ends by itself.
    expires_at = datetime.now(UTC) + timedelta(days=KEY_DAYS)
    created = gateway.send(
        "POST",
        "/admin/keys",
        {
            # Named after the machine, so that the list of keys says which one to revoke.
            "name": f"poegw on {platform.node() or 'this machine'}"[:200],
            "role": role,
            "expires_at": expires_at.isoformat(timespec="seconds"),
        },
    )
    profile = {
        "url": gateway.url,
        "key": created["key"],
        "key_id": created["id"],
        "role": role,
        "expires_at": expires_at.isoformat(timespec="seconds"),
        **extra,
    }
    state.profiles.put(name, profile)
    state.output.note(
        f"Logged in to {gateway.url} as {role} (profile {name}).\n"
        f"The key of this machine, {created['id']}, is in {state.profiles.path} and expires on {expires_at:%Y-%m-%d}."
    )


@click.command()
@pass_state
def logout_command(state: State) -> None:
    """Revoke this machine's keys and forget the gateway."""
    name = state.options.get("profile") or state.profiles.current
    if name is None:
        raise CommandError("You are not logged in.", status=Exit.NOT_LOGGED_IN)
    profile = state.profiles.get(name)
    try:
        gateway = state.connect(profile["url"], profile.get("key"))
        # The administrator's last: it is what revokes the other one.
        for key_id in (profile.get("client_key_id"), profile["key_id"]):
            if key_id is not None:
                gateway.send("DELETE", f"/admin/keys/{segment(key_id)}")
        told = "Its key is revoked."
    except ApiError as error:
        told = f"Its key was not revoked: {error.message}"
    # A profile that somebody wrote by hand has no key's id.
    except (CommandError, KeyError):
        told = "Its key was not revoked, because the gateway could not be asked: revoke it with `poegw keys revoke`."
    # Forgotten in any case: a gateway that is gone must not keep its profile here.
    state.profiles.remove(name)
    state.output.note(f"Logged out of {profile['url']}. {told}")


@click.command()
@pass_state
def whoami_command(state: State) -> None:
    """Show the gateway and the rights of the key."""
    target = state.target()
    reply = state.gateway().get("/admin/whoami")
    item = {"url": base_url(target.url), "source": target.source, **reply}
    state.output.item(item, [(name, str(value)) for name, value in item.items() if value is not None])


@click.group(invoke_without_command=True)
@click.pass_context
@pass_state
def profiles_command(state: State, context: click.Context) -> None:
    """List the known gateways, or choose one."""
    if context.invoked_subcommand is not None:
        return
    current = state.profiles.current
    rows = []
    for name in state.profiles.names():
        profile = state.profiles.get(name)
        rows.append(
            {
                "name": name,
                "url": profile["url"],
                "role": profile.get("role"),
                "expires_at": profile.get("expires_at"),
                "current": name == current,
            }
        )
    columns = (
        Column("", lambda row: "*" if row["current"] else ""),
        Column("Name", lambda row: row["name"]),
        Column("Address", lambda row: row["url"]),
        Column("Role", lambda row: row["role"] or "unknown"),
        Column("Key expires", lambda row: (row["expires_at"] or "never")[:10]),
    )
    state.output.rows(rows, columns, empty="No gateway is known. `poegw login` makes one known.")


@profiles_command.command("use")
@click.argument("name")
@pass_state
def use(state: State, name: str) -> None:
    """Make NAME the profile that is used by default."""
    state.profiles.use(name)
    state.output.note(f"Profile {name} is used by default now.")


def _asked_url() -> str:
    from poegw.prompts import is_interactive

    if not is_interactive():
        raise CommandError("Which gateway?", hint="Give its address with --url, or --stack.", status=Exit.USAGE)
    answer: str = click.prompt("Address of the gateway", err=True)
    return answer
