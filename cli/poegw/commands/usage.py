"""`usage`, `requests` and `points`: what was used, by whom, and what is left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

import click

from poegw.api import Gateway, segment
from poegw.clock import age, now
from poegw.errors import NEARLY_NO_POINTS, CommandError, Exit
from poegw.output import Column
from poegw.quantities import number, parse_moment
from poegw.state import State, pass_state

GROUPS = ("model", "key", "account", "day", "hour")
FOLLOW_SECONDS = 2.0
# The original's threshold for "nearly no points".
FEW_POINTS = 20


class Moment(click.ParamType[str]):
    """A span before now, a date, or an ISO time."""

    name = "WHEN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return parse_moment(value, now()).astimezone(UTC).isoformat(timespec="seconds")
        except ValueError as error:
            self.fail(f"It must be {error}.", param, ctx)


def _named(group: str) -> Column:
    name = f"{group}_name"
    return Column(group.capitalize(), lambda row: str(row.get(name) or row.get(group) or "unknown"))


_SUMS = (
    Column("Sends", lambda row: number(row["sends"]), is_number=True),
    Column("Errors", lambda row: number(row["errors"]), is_number=True),
    Column("Tokens in", lambda row: number(row["prompt_tokens"]), is_number=True),
    Column("Tokens out", lambda row: number(row["completion_tokens"]), is_number=True),
    Column("Points settled", lambda row: number(row["points_settled"]), is_number=True),
    Column("Points estimated", lambda row: number(row["points_estimated"]), is_number=True),
    Column("Of unknown cost", lambda row: number(row["sends_unknown"]), is_number=True),
)


@click.command()
@click.option(
    "--by", "groups", default="day", show_default=True, help=f"How to group: {', '.join(GROUPS)}, or several."
)
@click.option("--since", type=Moment(), default="7d", show_default=True)
@click.option("--until", type=Moment(), help="[default: now]")
@click.option("--key", help="Only this key, by its id.")
@click.option("--model", help="Only this model.")
@click.option("--account", help="Only this account, by its id.")
@pass_state
def usage_command(
    state: State, *, groups: str, since: str, until: str | None, key: str | None, model: str | None, account: str | None
) -> None:
    """Show what was used. Points are settled once Poe's own history has them; until then they are estimates."""
    chosen = [group.strip() for group in groups.split(",") if group.strip()]
    # Here, with what there is, and not by the gateway's refusal.
    if unknown := [group for group in chosen if group not in GROUPS]:
        raise CommandError(
            f"There is no grouping by {unknown[0]!r}.", hint=f"There are: {', '.join(GROUPS)}.", status=Exit.USAGE
        )
    query = {"from": since, "to": until, "by": ",".join(chosen), "key": key, "model": model, "account": account}
    reply = state.gateway().get("/admin/usage", **query)
    state.output.rows(reply["data"], (*map(_named, chosen), *_SUMS), empty="Nothing was used.")
    if state.output.form == "table" and reply["data"]:
        totals = reply["totals"]
        state.output.note(
            f"Together: sends {number(totals['sends'])}, of unknown cost {number(totals['sends_unknown'])}; "
            f"points settled {number(totals['points_settled'])}, estimated {number(totals['points_estimated'])}."
        )


_REQUESTS = (
    Column("Time", lambda row: row["at"]),
    Column("Id", lambda row: row["request_id"]),
    Column("Key", lambda row: str(row.get("key_name") or row["key"])),
    Column("Model", lambda row: row["model"] or ""),
    Column("Status", lambda row: str(row["status"]), is_number=True),
    Column("Code", lambda row: row["code"] or ""),
    Column("First token", lambda row: _seconds(row["first_token_seconds"]), is_number=True),
    Column("Total", lambda row: _seconds(row["total_seconds"]), is_number=True),
    Column("Points", lambda row: number(row["points"]) + ("~" if row["is_estimated"] else ""), is_number=True),
)


@click.group(invoke_without_command=True)
@click.option("--follow", is_flag=True, help="Go on, with new requests as they end.")
@click.option("--since", type=Moment(), default="1d", show_default=True)
@click.option("--status", "outcome", help="Only these: error, ok, a status, or a code.")
@click.option("--key", help="Only this key, by its id.")
@click.option("--model", help="Only this model.")
@click.option("--account", help="Only this account, by its id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.pass_context
@pass_state
def requests_command(
    state: State,
    context: click.Context,
    *,
    follow: bool,
    since: str,
    outcome: str | None,
    key: str | None,
    model: str | None,
    account: str | None,
    limit: int,
) -> None:
    """List requests, the newest first: who, what, how it ended, how long it took, what it cost. Never prompts."""
    if context.invoked_subcommand is not None:
        return
    gateway = state.gateway()
    query = {"from": since, "status": outcome, "key": key, "model": model, "account": account}
    if not follow:
        rows = gateway.pages("/admin/requests", limit=limit, **query)
        state.output.rows(rows, _REQUESTS, empty="There was no request.")
        return
    for row in _followed(gateway, query):
        if state.output.form == "table":
            # Tabs and no table: nobody knows how wide the rows to come are.
            state.output.text("\t".join(column.show(row) for column in _REQUESTS))
        else:
            state.output.rows([row], _REQUESTS)


@requests_command.command("show")
@click.argument("request_id")
@pass_state
def show(state: State, request_id: str) -> None:
    """Show one request with its tries."""
    reply = state.gateway().get(f"/admin/requests/{segment(request_id)}")
    lines = [(column.title, column.show(reply)) for column in _REQUESTS]
    for entry in reply["tries"]:
        # What Poe charged, once that is known.
        points = entry["settled"] if entry["settled"] is not None else entry["estimate"]
        told = f"{entry['outcome']} on {entry['account']}, {number(points)} points"
        told += "" if entry["settled"] is not None else " (estimated)" if points is not None else ""
        lines.append((f"Try {entry['attempt']}", told))
    state.output.item(reply, lines)


@click.command()
@click.option("--reconcile", is_flag=True, help="Compare with what Poe says it charged, by account and day.")
@click.pass_context
@pass_state
def points_command(state: State, context: click.Context, reconcile: bool) -> None:
    """Show the points that are left. Ends with 2 if there are nearly none, as the original's script did."""
    gateway = state.gateway()
    reply = gateway.get("/admin/points", reconcile="1" if reconcile else None)
    if reconcile:
        state.output.rows(reply["reconciled"], _RECONCILED, empty="There is nothing to compare yet.")
        return
    state.output.rows(reply["data"], _POINTS, empty="There is no account.")
    known = [row["balance"] for row in reply["data"] if row["balance"] is not None]
    # Unknown is not empty: nobody is warned of what was never read.
    if known and sum(known) <= FEW_POINTS:
        state.output.warn(f"Nearly no points are left: {sum(known)}.")
        context.exit(NEARLY_NO_POINTS)


_POINTS = (
    Column("Account", lambda row: str(row["label"])),
    Column("Points", lambda row: number(row["balance"]), is_number=True),
    Column("As of", lambda row: age(row["as_of"])),
    Column("Next grant", lambda row: age(row["next_grant_at"]) if row["next_grant_at"] else "unknown"),
    Column("Used today", lambda row: number(row["used_today"]), is_number=True),
    Column("Lasts until", lambda row: row["runs_out_at"] or "unknown"),
)
_RECONCILED = (
    Column("Day", lambda row: row["day"]),
    Column("Account", lambda row: str(row.get("label") or row["account"])),
    Column("Booked here", lambda row: number(row["booked"]), is_number=True),
    Column("Charged by Poe", lambda row: number(row["charged"]), is_number=True),
    Column("Spent elsewhere", lambda row: number(row["elsewhere"]), is_number=True),
)


def _followed(gateway: Gateway, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Requests as they end, the oldest first; each once, also those of the same second."""
    seen: dict[str, None] = {}
    since = now().isoformat(timespec="seconds")
    while True:
        rows = list(gateway.pages("/admin/requests", limit=200, **{**query, "from": since}))
        for row in reversed(rows):
            if row["request_id"] not in seen:
                seen[row["request_id"]] = None
                yield row
        if rows:
            # From that second on again: more requests may have ended in it.
            since = max(row["at"] for row in rows)
        # A follower may run for days.
        for request_id in list(seen)[:-1000]:
            del seen[request_id]
        time.sleep(FOLLOW_SECONDS)  # noqa: TID251 - a person watches; there is nothing to wait for but time


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f} s"
