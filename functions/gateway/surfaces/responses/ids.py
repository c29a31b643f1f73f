"""Ids of responses and their items. An item's id tells the response it belongs to, so that a reference finds it."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable

_RESPONSE = re.compile(r"resp_[0-9a-f]{32}")
_ITEM = re.compile(r"[a-z]{2,3}_([0-9a-f]{32})[0-9a-f]{4,8}")


def new_response_id() -> str:
    """An id that nobody can guess."""
    return f"resp_{secrets.token_hex(16)}"


def is_response_id(text: str) -> bool:
    """Whether the text looks like an id of ours; nothing else is worth asking the store for."""
    return _RESPONSE.fullmatch(text) is not None


def item_ids(response_id: str) -> Callable[[str], str]:
    """A maker of ids for the items of one response, given their prefix (`msg`, `fc`, `fco`, `rs`)."""
    numbers = itertools.count()
    return lambda prefix: f"{prefix}_{response_id.removeprefix('resp_')}{next(numbers):04x}"


def response_of_item(item_id: str) -> str | None:
    """The response that an item of ours belongs to; `None` for ids that others made."""
    found = _ITEM.fullmatch(item_id)
    return f"resp_{found[1]}" if found else None
