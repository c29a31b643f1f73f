"""Typed reading of JSON that may hold anything: what is missing or of another type reads as `None` or empty."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

JSONObject = Mapping[str, Any]

_NOTHING: JSONObject = {}


def object_at(values: JSONObject, name: str) -> JSONObject:
    """The object under `name`, or an empty one."""
    value = values.get(name)
    return value if isinstance(value, dict) else _NOTHING


def objects_at(values: JSONObject, name: str) -> list[JSONObject]:
    """The objects in the list under `name`; whatever else is in the list is left out."""
    value = values.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_at(values: JSONObject, name: str) -> str | None:
    """The string under `name`."""
    value = values.get(name)
    return value if isinstance(value, str) else None


def arguments_at(values: JSONObject, name: str) -> str:
    """Arguments of a tool call as JSON text: what is there as text, or a value that some upstreams send instead.

    An empty list is what some of them make of an empty object.
    """
    value = values.get(name)
    if isinstance(value, str):
        return value
    if value is None or value == []:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def texts_at(values: JSONObject, name: str) -> tuple[str, ...]:
    """The strings in the list under `name`."""
    value = values.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def flag_at(values: JSONObject, name: str) -> bool | None:
    """The boolean under `name`."""
    value = values.get(name)
    return value if isinstance(value, bool) else None


def number_at(values: JSONObject, name: str) -> int | None:
    """The whole number under `name`; a fraction is cut off, a number in a string is read."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


# Epoch times arrive in seconds, milliseconds and microseconds, sometimes under the same name
# (docs/reference/poe-official.md#model-list, docs/reference/poe-official.md#balance-and-points). The three ranges
# are decades apart for every date between 1973 and 5138.
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14


def time_at(values: JSONObject, name: str) -> float | None:
    """The epoch time under `name` in seconds, whatever its unit was; `None` for zero, which stands for never."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return None
    if value >= _MICROSECONDS_FROM:
        return value / 1e6
    return value / 1e3 if value >= _MILLISECONDS_FROM else float(value)
