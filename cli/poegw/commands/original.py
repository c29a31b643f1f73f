"""`import`: accounts out of the original gateway's database."""

from __future__ import annotations

from pathlib import Path

import click

from poegw.errors import CommandError
from poegw.original import read_accounts
from poegw.state import State, pass_state


@click.command()
@click.option(
    "--mongo-export",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON export of the original gateway's accounts collection, its credentials in clear.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_state
def import_command(state: State, mongo_export: Path, dry_run: bool) -> None:
    """Bring over the accounts of the original gateway. Poe is asked about each before it is stored."""
    try:
        text = mongo_export.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"{mongo_export} can't be read as text.") from None
    accounts = read_accounts(text)
    gateway = state.gateway()
    failed = 0
    for account in accounts:
        if dry_run:
            state.output.note(f"Would add {account['label']}.")
            continue
        try:
            gateway.send("POST", "/admin/accounts", account)
        except CommandError as error:
            failed += 1
            state.output.warn(f"{account['label']}: {error.message}")
        else:
            state.output.note(f"Added {account['label']}.")
    if failed:
        raise CommandError(f"{failed} of {len(accounts)} accounts were not added.")
    state.output.note(f"{len(accounts)} accounts.")
