"""Global ids of the GraphQL side: base64 of `Type:number` (docs/reference/poe-web.md#ids-and-times)."""

from __future__ import annotations

import base64
import binascii


def relay_id(kind: str, number: int) -> str:
    """`relay_id("Chat", 1000)` is `Q2hhdDoxMDAw`."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def number_of(kind: str, text: str) -> int | None:
    """The number in a global id of this kind, or None if `text` is not one."""
    try:
        found, _, number = base64.b64decode(text, validate=True).decode().partition(":")
        return int(number) if found == kind else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
