"""Persisted queries and subscriptions by hash, and the old codenames of bots.

The data is in `catalogue.json`, with the day it was recorded (docs/reference/poe-web.md#hash-rotation,
docs/reference/poe-web.md#bot-names, docs/reference/poe-web.md#subscriptions). Where two generations of web clients
use different hashes, both are listed, the older first, and both are accepted.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TypedDict, cast


class _Catalogue(TypedDict):
    recorded: str
    operations: dict[str, list[str]]
    subscriptions: dict[str, list[str]]
    codenames: dict[str, str]


_DATA = cast(_Catalogue, json.loads(resources.files(__package__).joinpath("catalogue.json").read_text("utf-8")))

OPERATIONS: dict[str, list[str]] = _DATA["operations"]
SUBSCRIPTIONS: dict[str, list[str]] = _DATA["subscriptions"]
CODENAMES: dict[str, str] = _DATA["codenames"]
"""Display name to codename, as published clients of 2025 send it in mutations."""


def lower_first(name: str) -> str:
    """The spelling that browsers use since 2024: the first letter in lower case."""
    return name[:1].lower() + name[1:]


_BY_LOWER_FIRST = {lower_first(name): name for name in OPERATIONS}


def operation_for(query_name: str, query_hash: str) -> str | None:
    """The operation's name as in `OPERATIONS`, or None if the name or the hash is not known."""
    name = _BY_LOWER_FIRST.get(lower_first(query_name))
    return name if name is not None and query_hash in OPERATIONS[name] else None
