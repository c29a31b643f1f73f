"""`alerts`: what the owner is told of, and the webhook that it is posted to."""

from __future__ import annotations

import click

from poegw.clock import age
from poegw.output import Column
from poegw.prompts import read_secret
from poegw.state import State, pass_state

_WEBHOOK = "/admin/config/alert-webhook"


COLUMNS = (
    Column("Since", lambda row: age(row["at"])),
    Column("Kind", lambda row: row["kind"]),
    Column("What", lambda row: row["text"]),
    Column("Told", lambda row: ", ".join(row["told"]) or "nobody"),
    Column("Ended", lambda row: age(row["ended_at"]) if row["ended_at"] else ""),
)


@click.group(invoke_without_command=True)
@click.option("--all", "with_ended", is_flag=True, help="Also those that ended in the last seven days.")
@click.pass_context
@pass_state
def alerts_command(state: State, context: click.Context, *, with_ended: bool) -> None:
    """List what needs somebody: accounts, points, budgets, the scheduled job. Each was told once."""
    if context.invoked_subcommand is not None:
        return
    rows = [row for row in state.gateway().get("/admin/alerts")["data"] if with_ended or not row["ended_at"]]
    state.output.rows(rows, COLUMNS, empty="There is no alert.")


@alerts_command.group(invoke_without_command=True)
@click.pass_context
@pass_state
def webhook(state: State, context: click.Context) -> None:
    """Show the webhook, or set, test or remove it."""
    if context.invoked_subcommand is not None:
        return
    shown = state.gateway().get(_WEBHOOK)
    state.output.item(shown, [("Host", shown["host"] or "none"), ("Since", shown["since"] or "never")])


@webhook.command("set")
@click.option("--url-stdin", is_flag=True, help="Read the address from standard input.")
@pass_state
def set_webhook(state: State, *, url_stdin: bool) -> None:
    """Post alerts to an https address. The secret that signs them is printed this once, alone on standard output.

    The address is no argument, because many services put a secret into it.
    """
    url = read_secret("Address of the webhook", from_stdin=url_stdin, option="--url-stdin")
    made = state.gateway().send("PUT", _WEBHOOK, {"url": url})
    # Alone on standard output, as with a new key.
    if state.output.form == "table":
        state.output.text(made["secret"])
    else:
        state.output.item(made, [])
    state.output.note(
        f"Alerts are posted to {made['host']}, signed with this secret, which is not shown again. "
        "Try it: `poegw alerts webhook test`."
    )


@webhook.command()
@pass_state
def test(state: State) -> None:
    """Post a test message now."""
    state.gateway().send("POST", "/admin/alerts/test")
    state.output.note("The message was taken.")


@webhook.command()
@pass_state
def remove(state: State) -> None:
    """Post alerts nowhere."""
    removed = state.gateway().send("DELETE", _WEBHOOK)
    state.output.note("Alerts are posted nowhere now." if removed["deleted"] else "There was no webhook.")
