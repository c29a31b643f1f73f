"""`keys`: the API keys that programs and people use the gateway with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

import click

from poegw.api import Gateway, segment
from poegw.clock import age, now
from poegw.errors import CommandError, Exit
from poegw.lookup import find_one
from poegw.output import Column
from poegw.prompts import confirm
from poegw.quantities import number, parse_budget, parse_duration, parse_moment
from poegw.state import State, pass_state

ROLES = ("client", "viewer", "admin")


def budget_in_words(row: Mapping[str, Any]) -> str:
    """The points that a key may spend."""
    told = [
        f"{number(row[f'points_per_{period}'])}/{period}"
        for period in ("day", "month")
        if row.get(f"points_per_{period}") is not None
    ]
    return ", ".join(told) or "no limit"


COLUMNS = (
    Column("Id", lambda row: row["id"]),
    Column("Name", lambda row: row["name"]),
    Column("Role", lambda row: row.get("role", "client")),
    Column("Budget", budget_in_words),
    Column("Models", lambda row: ", ".join(row["models"]) or "all"),
    Column("Expires", lambda row: age(row["expires_at"]) if row["expires_at"] else "never"),
    Column("Last used", lambda row: age(row.get("last_used_at"))),
)


class Budget(click.ParamType[tuple[int, str]]):
    """`2000/day` or `50000/month`."""

    name = "POINTS/PERIOD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, str]:
        try:
            return parse_budget(value)
        except ValueError as error:
            self.fail(f"It must be {error}.", param, ctx)


class Expiry(click.ParamType[str]):
    """A span from now, or a date."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "never":
            return ""
        try:
            moment = now() + timedelta(seconds=parse_duration(value))
        except ValueError:
            try:
                moment = parse_moment(value, now())
            except ValueError as error:
                self.fail(f"It must be {error}, or never.", param, ctx)
        return moment.astimezone(UTC).isoformat(timespec="seconds")


_LIMITS = (
    click.option(
        "--model", "models", multiple=True, help="A model that it may use; `*` at the end stands for anything."
    ),
    click.option("--budget", "budgets", multiple=True, type=Budget(), help="Most points: 2000/day, 50000/month."),
    click.option("--rpm", type=click.IntRange(1), help="Most requests a minute."),
    click.option("--max-concurrent", type=click.IntRange(1), help="Most requests at once."),
    click.option("--expires", type=Expiry(), help="When it ends: 30d, 2027-01-31, or never."),
)


def _with_limits(command: Any) -> Any:
    for option in reversed(_LIMITS):
        command = option(command)
    return command


@click.group()
def keys_command() -> None:
    """Create, list, change, rotate and revoke API keys."""


@keys_command.command("list")
@pass_state
def list_keys(state: State) -> None:
    """List the keys, without their secrets."""
    state.output.rows(state.gateway().pages("/admin/keys"), COLUMNS, empty="There is no key yet.")


@keys_command.command()
@click.argument("key")
@pass_state
def show(state: State, key: str) -> None:
    """Show one key and what it has used."""
    _show(state, find(state.gateway(), key))


@keys_command.command()
@click.option("--name", required=True, help="What or whom it is for.")
@click.option("--role", type=click.Choice(ROLES), default="client", show_default=True)
@_with_limits
@pass_state
def create(
    state: State,
    *,
    name: str,
    role: str,
    models: tuple[str, ...],
    budgets: tuple[tuple[int, str], ...],
    rpm: int | None,
    max_concurrent: int | None,
    expires: str | None,
) -> None:
    """Create a key. It is printed this once, alone on standard output."""
    body = {"name": name, "role": role} | _limits(models, budgets, rpm, max_concurrent, expires)
    created = state.gateway().send("POST", "/admin/keys", body)
    _print_secret(state, created)


@keys_command.command()
@click.argument("key")
@click.option("--name", help="What or whom it is for.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it may be used.")
@_with_limits
@pass_state
def update(
    state: State,
    *,
    key: str,
    name: str | None,
    enabled: bool | None,
    models: tuple[str, ...],
    budgets: tuple[tuple[int, str], ...],
    rpm: int | None,
    max_concurrent: int | None,
    expires: str | None,
) -> None:
    """Change a key's name or limits. What is not given stays."""
    body = _limits(models, budgets, rpm, max_concurrent, expires)
    if name is not None:
        body["name"] = name
    if enabled is not None:
        body["enabled"] = enabled
    if not body:
        raise CommandError(
            "There is nothing to change.", hint="`poegw keys update --help` has the limits.", status=Exit.USAGE
        )
    gateway = state.gateway()
    found = find(gateway, key)
    # With the version that was read: a change that somebody makes meanwhile is not undone.
    _show(state, gateway.send("PATCH", f"/admin/keys/{segment(found['id'])}", body | {"version": found["version"]}))


@keys_command.command()
@click.argument("key")
@click.option("--grace", default="24h", show_default=True, help="How long the old secret still works.", metavar="SPAN")
@pass_state
def rotate(state: State, key: str, grace: str) -> None:
    """Give a key a new secret. The old one works for a while, so that nothing stops."""
    try:
        seconds = parse_duration(grace) if grace != "0" else 0
    except ValueError as error:
        raise CommandError(f"--grace must be {error}.", status=Exit.USAGE) from None
    gateway = state.gateway()
    found = find(gateway, key)
    rotated = gateway.send("POST", f"/admin/keys/{segment(found['id'])}/rotate", {"grace_seconds": seconds})
    _print_secret(state, rotated)


@keys_command.command()
@click.argument("key")
@pass_state
def revoke(state: State, key: str) -> None:
    """Delete a key. Programs that use it are refused within a minute."""
    gateway = state.gateway()
    found = find(gateway, key)
    # By both: the name may not be what was typed, and ids look alike.
    confirm(f"Revoke {found['name']} ({found['id']})?", is_sure=state.is_sure)
    gateway.send("DELETE", f"/admin/keys/{segment(found['id'])}")
    state.output.note(f"Revoked {found['id']}.")


def find(gateway: Gateway, name: str) -> dict[str, Any]:
    """The key with this id or name. Raises `CommandError` if there is none, or more than one."""
    # All of them, since names need not differ.
    found = [row for row in gateway.pages("/admin/keys") if name in (row["id"], row["name"])]
    return find_one(found, name, noun="key")


def _limits(
    models: tuple[str, ...],
    budgets: tuple[tuple[int, str], ...],
    rpm: int | None,
    max_concurrent: int | None,
    expires: str | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {f"points_per_{period}": points for points, period in budgets}
    if models:
        body["models"] = list(models)
    if rpm is not None:
        body["requests_per_minute"] = rpm
    if max_concurrent is not None:
        body["max_concurrent"] = max_concurrent
    if expires is not None:
        # "never" is null for the gateway; leaving it out would change nothing.
        body["expires_at"] = expires or None
    return body


def _print_secret(state: State, created: dict[str, Any]) -> None:
    if state.output.form == "table":
        # Alone on standard output, for `KEY=$(poegw keys create …)`.
        state.output.text(created["key"])
        state.output.note(f"This is the secret of {created['name']} ({created['id']}). It is not shown again.")
    else:
        state.output.item(created, [])


def _show(state: State, key: dict[str, Any]) -> None:
    state.output.item(key, [(column.title, column.show(key)) for column in COLUMNS])
