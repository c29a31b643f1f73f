"""`audit`: who changed what by the administration."""

from __future__ import annotations

import click

from poegw.commands.usage import Moment
from poegw.output import Column
from poegw.state import State, pass_state

COLUMNS = (
    Column("Time", lambda row: row["at"]),
    Column("Key", lambda row: row["actor"]),
    Column("Action", lambda row: row["action"]),
    Column("Target", lambda row: row["target"] or ""),
    Column("Fields", lambda row: ", ".join(row["fields"])),
    Column("From", lambda row: row["address"] or "unknown"),
    Column("Status", lambda row: str(row["status"]), is_number=True),
)


@click.command()
@click.option("--since", type=Moment(), default="90d", show_default=True)
@click.option("--key", help="Only changes with this key, by its id.")
@click.option("--action", help="Only this action, such as create_key.")
@click.option("--target", help="Only changes of this account or key, by its id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@pass_state
def audit_command(
    state: State, *, since: str, key: str | None, action: str | None, target: str | None, limit: int
) -> None:
    """List who changed what by the administration, from where and when, the newest first. Never values."""
    query = {"from": since, "key": key, "action": action, "target": target}
    rows = state.gateway().pages("/admin/audit", limit=limit, **query)
    state.output.rows(rows, COLUMNS, empty="Nothing was changed.")
