"""Reads accounts out of the original gateway's database. Pure.

Its `accounts` collection, exported by `mongoexport` as one document per line or as an array (`--jsonArray`).
"""

from __future__ import annotations

import json
from typing import Any

from poegw.errors import CommandError, Exit

CREDENTIALS = {
    "poe_p_b": "p_b",
    "p_b": "p_b",
    "p_lat": "p_lat",
    "poe_p_lat": "p_lat",
    "poe_cf_clearance": "cf_clearance",
    "cf_clearance": "cf_clearance",
    "poe_cf_bm": "cf_bm",
    "formkey": "form_key",
    "poe_revision": "revision",
}
"""The collection's fields, and the gateway's names for them."""


def read_accounts(text: str) -> list[dict[str, Any]]:
    """Bodies for `POST /admin/accounts`, in the order of the export. Raises `CommandError`, quoting no value."""
    bodies = []
    for number, document in enumerate(_documents(text), start=1):
        label = document.get("email")
        if not isinstance(label, str) or not label.strip():
            raise CommandError(f"Document {number} has no e-mail address.", status=Exit.USAGE)
        credentials = {
            ours: document[theirs]
            # An export may have either spelling; of both the later in the table counts.
            for theirs, ours in CREDENTIALS.items()
            if isinstance(document.get(theirs), str) and document[theirs]
        }
        if "p_b" not in credentials:
            raise CommandError(f"Document {number} has no p-b cookie.", status=Exit.USAGE)
        bodies.append({"kind": "web", "label": label.strip(), "credentials": credentials})
    return bodies


def _documents(text: str) -> list[dict[str, Any]]:
    try:
        parsed = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except (ValueError, RecursionError):
        raise CommandError("This is no JSON export of a collection.", status=Exit.USAGE) from None
    if not all(isinstance(document, dict) for document in parsed):
        raise CommandError("This is no JSON export of a collection.", status=Exit.USAGE)
    return parsed
