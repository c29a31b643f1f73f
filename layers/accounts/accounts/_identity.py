"""Identifies an account: by a random id, and by its kind and label. Pure."""

from __future__ import annotations

import secrets

MAX_ID_BYTES = 128


def new_account_id() -> str:
    """A random account id, which says nothing about its account."""
    return f"acct_{secrets.token_hex(8)}"


def check_account_id(account_id: str) -> None:
    """Raise `ValueError` for an id that can't be part of a key as it stands."""
    if not account_id or len(account_id.encode()) > MAX_ID_BYTES or not account_id.isprintable():
        raise ValueError(f"an account id is 1 to {MAX_ID_BYTES} printable bytes")


def normal_label(label: str) -> str:
    """The form in which labels are compared: e-mail addresses differ in case only by accident."""
    return " ".join(label.split()).casefold()
