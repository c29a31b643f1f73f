"""`import --mongo-export`: accounts out of the original gateway's database."""

from __future__ import annotations

from pathlib import Path

from poegw.errors import CommandError
from poegw.original import read_accounts
from poegw.state import State


def import_original(state: State, mongo_export: Path, *, is_dry: bool) -> None:
    """Bring over the accounts of the original gateway. Poe is asked about each before it is stored."""
    try:
        text = mongo_export.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"{mongo_export} can't be read as text.") from None
    accounts = read_accounts(text)
    gateway = state.gateway()
    failed = 0
    for account in accounts:
        if is_dry:
            state.output.note(f"Would add {account['label']}.")
            continue
        try:
            gateway.send("POST", "/admin/accounts", account)
        # One account's failure leaves the others to be tried; repeating adds nothing twice.
        except CommandError as error:
            failed += 1
            state.output.warn(f"{account['label']}: {error.message}")
        else:
            state.output.note(f"Added {account['label']}.")
    if failed:
        raise CommandError(f"{failed} of {len(accounts)} accounts were not added.")
    state.output.note(f"{len(accounts)} accounts.")
