"""`status`: how the gateway is, on one screen."""

from __future__ import annotations

from typing import Any

import click

from poegw.commands.accounts import status_in_words
from poegw.errors import Exit
from poegw.quantities import number
from poegw.state import State, pass_state


@click.command()
@click.pass_context
@pass_state
def status_command(state: State, context: click.Context) -> None:
    """Show on one screen how the gateway is. Ends with 1 if it can't serve, so that cron can tell."""
    gateway = state.gateway()
    # Not ready is an answer here, and no failure of the command.
    ready = gateway.request("GET", "/readyz", raises=False)
    accounts = list(gateway.pages("/admin/accounts"))
    usable = [row for row in accounts if row["status"] == "active"]
    known = [row["message_point_balance"] for row in accounts if row["message_point_balance"] is not None]
    is_ready = ready.status == 200  # noqa: PLR2004 - HTTP's OK
    item: dict[str, Any] = {
        "url": gateway.url,
        "ready": is_ready,
        "accounts": len(accounts),
        "usable_accounts": len(usable),
        "points": sum(known) if known else None,
        "accounts_with_unknown_points": len(accounts) - len(known),
    }
    lines = [
        ("Gateway", gateway.url),
        ("Ready", "yes" if is_ready else "no"),
        ("Accounts", f"{len(usable)} of {len(accounts)} usable"),
        ("Points", f"{number(item['points'])} in {len(known)} accounts"),
    ]
    lines += [(row["label"], status_in_words(row)) for row in accounts if row["status"] != "active"]
    state.output.item(item, lines)
    if not is_ready:
        context.exit(Exit.FAILURE)
