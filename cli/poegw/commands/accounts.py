"""`accounts`: the Poe accounts that the gateway uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

import click

from poegw.api import ApiError, Gateway, segment
from poegw.clock import age
from poegw.cookies import CookieError, read_cookies
from poegw.errors import CommandError, Exit
from poegw.lookup import find_one
from poegw.output import Column
from poegw.prompts import confirm, read_secret
from poegw.quantities import number
from poegw.state import State, pass_state


def status_in_words(row: Mapping[str, Any]) -> str:
    """The status, with what an account waits for and until when."""
    status, error = row["status"], row.get("last_error")
    # Of a disabled account the time means nothing: it waits for its owner.
    until = f" until {row['cooldown_until']}" if row.get("cooldown_until") and status != "disabled" else ""
    match status:
        case "active":
            return "active"
        case "depleted":
            return f"waits for points{until}"
        case "cooldown":
            return f"waits{until}" + (f" ({error})" if error else "")
        case "invalid":
            return "credentials missing" if error == "credentials_missing" else "credentials refused"
    return str(status)


COLUMNS = (
    Column("Id", lambda row: row["id"]),
    Column("Kind", lambda row: row["kind"]),
    Column("Label", lambda row: row["label"]),
    Column("Status", status_in_words),
    Column("Points", lambda row: number(row["message_point_balance"]), is_number=True),
    Column("As of", lambda row: age(row["last_refresh_at"])),
    Column("Next grant", lambda row: age(row["next_grant_at"]) if row["next_grant_at"] else "unknown"),
    Column("Last used", lambda row: age(row["last_used_at"])),
)


@click.group()
def accounts_command() -> None:
    """Add, list, test and change Poe accounts."""


@accounts_command.command("list")
@pass_state
def list_accounts(state: State) -> None:
    """List the accounts with their status and points."""
    rows = state.gateway().pages("/admin/accounts")
    state.output.rows(rows, COLUMNS, empty="There is no account. Add one with `poegw accounts add official`.")


@accounts_command.command()
@click.argument("account")
@pass_state
def show(state: State, account: str) -> None:
    """Show one account, named by its id or label."""
    _show(state, find(state.gateway(), account))


@accounts_command.group()
def add() -> None:
    """Add an account. Its credentials are tried at Poe before they are stored."""


@add.command()
@click.option(
    "--label",
    help="What to call the account.  [default: official; with --login another name where that is taken]",
    metavar="TEXT",
)
@click.option("--key-stdin", is_flag=True, help="Read the API key from standard input.")
@click.option("--login", "signs_in", is_flag=True, help="Sign in at Poe in the browser, instead of giving a key.")
@click.option("--no-browser", is_flag=True, help="With --login: print the address, and paste the one it leads to.")
@click.option("--max-concurrency", type=click.IntRange(1, 16), help="Most requests at once.  [default: 2]")
@click.option("--unchecked", is_flag=True, help="Store the key without trying it at Poe.")
@pass_state
def official(
    state: State,
    *,
    label: str | None,
    key_stdin: bool,
    signs_in: bool,
    no_browser: bool,
    max_concurrency: int | None,
    unchecked: bool,
) -> None:
    """Add an account of Poe's documented API, by an API key from poe.com/api/keys."""
    gateway = state.gateway()
    if signs_in:
        from poegw.sign_in import sign_in

        _show(state, sign_in(gateway, state.output, label=label, opens_browser=not no_browser))
        return
    key = read_secret("Poe API key", from_stdin=key_stdin, option="--key-stdin")
    _add(
        state,
        gateway,
        # With a fixed label, so that a new key takes the place of the old one.
        {"kind": "official", "label": label or "official", "credentials": {"api_key": key}},
        max_concurrency,
        unchecked,
    )


@add.command()
@click.option("--label", help="What to call the account.  [default: web]", metavar="TEXT")
@click.option("--cookie-file", type=click.File("r"), help="File with the cookies; - for standard input.")
@click.option("--max-concurrency", type=click.IntRange(1, 16), help="Most requests at once.  [default: 2]")
@click.option("--unchecked", is_flag=True, help="Store the cookies without trying them at Poe.")
@pass_state
def web(
    state: State,
    label: str | None,
    cookie_file: TextIO | None,
    max_concurrency: int | None,
    unchecked: bool,
) -> None:
    """Add an account by the cookies of your own browser: a Cookie header, a cookies.txt, or a JSON export.

    The web route is unofficial and can break; Poe's terms apply. docs/get-started.md shows where the cookies are.
    """
    gateway = state.gateway()
    text = (
        read_secret("Cookies of poe.com", from_stdin=False, option="--cookie-file -")
        if cookie_file is None
        else cookie_file.read()
    )
    try:
        credentials = read_cookies(text)
    except CookieError as error:
        raise CommandError(
            str(error), hint="A Cookie header, a cookies.txt and a JSON export are understood.", status=Exit.USAGE
        ) from None
    # Names only: what was pasted is never repeated.
    state.output.note(f"Found: {', '.join(sorted(credentials))}.")
    _add(
        state,
        gateway,
        {"kind": "web", "label": label or "web", "credentials": credentials},
        max_concurrency,
        unchecked,
    )


@accounts_command.command()
@click.argument("account")
@click.option("--chat", metavar="MODEL", help="Also ask this model for one word. That costs points.")
@pass_state
def test(state: State, account: str, chat: str | None) -> None:
    """Try an account at Poe: read its balance, which costs nothing."""
    gateway = state.gateway()
    found = find(gateway, account)
    if chat:
        confirm(f"Asking {chat} costs points. Go on?", is_sure=state.is_sure)
    try:
        result = gateway.send("POST", f"/admin/accounts/{segment(found['id'])}/test", {"model": chat} if chat else {})
    except ApiError as error:
        error.hint = (
            error.hint or "`poegw accounts show` has the last failure; new credentials go in by `accounts add`."
        )
        raise
    state.output.item(result, [(name.replace("_", " "), _cell(value)) for name, value in result.items()])


@accounts_command.command()
@click.argument("account")
@pass_state
def refresh(state: State, account: str) -> None:
    """Read an account's points at Poe now."""
    _act(state, account, "refresh-points")


@accounts_command.command()
@click.argument("account")
@pass_state
def enable(state: State, account: str) -> None:
    """Let the gateway use an account again."""
    _act(state, account, "enable")


@accounts_command.command()
@click.argument("account")
@pass_state
def disable(state: State, account: str) -> None:
    """Keep the gateway from using an account."""
    _act(state, account, "disable")


@accounts_command.command("set")
@click.argument("account")
@click.option("--label", metavar="TEXT", help="What to call the account.")
@click.option("--max-concurrency", type=click.IntRange(1, 16), help="Most requests at once.")
@pass_state
def change(state: State, account: str, label: str | None, max_concurrency: int | None) -> None:
    """Change an account's label or how many requests may use it at once."""
    body = {"label": label, "max_concurrency": max_concurrency}
    given = {name: value for name, value in body.items() if value is not None}
    if not given:
        raise CommandError("There is nothing to change.", hint="Give --label or --max-concurrency.", status=Exit.USAGE)
    gateway = state.gateway()
    _show(state, gateway.send("PATCH", f"/admin/accounts/{segment(find(gateway, account)['id'])}", given))


@accounts_command.command()
@click.argument("account")
@pass_state
def remove(state: State, account: str) -> None:
    """Delete an account with its credentials from the gateway. Nothing changes at Poe."""
    gateway = state.gateway()
    found = find(gateway, account)
    confirm(f"Delete {found['label']} ({found['id']}) from {gateway.url}?", is_sure=state.is_sure)
    gateway.send("DELETE", f"/admin/accounts/{segment(found['id'])}")
    state.output.note(f"Deleted {found['id']}.")


def find(gateway: Gateway, name: str) -> dict[str, Any]:
    """The account with this id or label. Raises `CommandError` if there is none, or more than one."""
    # An id is one request, a label a look through all accounts.
    if name.startswith("acct_"):
        account: dict[str, Any] = gateway.get(f"/admin/accounts/{segment(name)}")
        return account
    found = [row for row in gateway.pages("/admin/accounts") if row["label"].lower() == name.lower()]
    return find_one(found, name, noun="account")


def _add(state: State, gateway: Gateway, body: dict[str, Any], max_concurrency: int | None, is_unchecked: bool) -> None:
    if max_concurrency is not None:
        body["max_concurrency"] = max_concurrency
    if is_unchecked:
        body["check"] = False
    _show(state, gateway.send("POST", "/admin/accounts", body))


def _act(state: State, account: str, action: str) -> None:
    gateway = state.gateway()
    _show(state, gateway.send("POST", f"/admin/accounts/{segment(find(gateway, account)['id'])}/{action}"))


def _show(state: State, account: Mapping[str, Any]) -> None:
    lines = [(column.title, column.show(account)) for column in COLUMNS]
    lines.append(("Requests at once", str(account["max_concurrency"])))
    if account.get("last_error"):
        lines.append(("Last failure", str(account["last_error"])))
    state.output.item(account, lines)


def _cell(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else str(value)
