"""Decodes the JSON of every frame and every chunk of an answer.

The only module that imports orjson, which reads the frames of a stream three to seven times as fast as Python's own
decoder. What it refuses and Python's own accepts (half of a surrogate pair, `NaN`) is read by that one.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

# Many times deeper than anything that Poe sends. What is deeper is read by one version of Python and not by another,
# and by none once it has to be written again.
_MAX_DEPTH = 200
# Each level takes two characters: what is as short as this is not nested too deeply.
_SHORT = 2 * _MAX_DEPTH


def decode_json(text: str | bytes) -> Any:
    """The value that `text` describes. Raises `ValueError`, with words of the text in it; for deep nesting, too."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _decode_otherwise(text)
    if len(text) > _SHORT and _openings(text) > _MAX_DEPTH and _is_too_deep(value):
        raise ValueError("the JSON is nested too deeply")
    return value


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The object that `text` describes; `None` when it is anything else, deeply nested included."""
    try:
        # Written out for the short texts of a stream: this runs for every one.
        value = orjson.loads(text) if len(text) <= _SHORT else decode_json(text)
    except orjson.JSONDecodeError:
        try:
            value = _decode_otherwise(text)
        except ValueError:
            return None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _decode_otherwise(text: str | bytes) -> Any:
    """What orjson refuses. Raises `ValueError`."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _openings(text: str | bytes) -> int:
    if isinstance(text, str):
        return text.count("{") + text.count("[")
    return text.count(b"{") + text.count(b"[")


def _is_too_deep(value: Any) -> bool:
    """Whether objects and arrays are nested more than `_MAX_DEPTH` levels; level by level, without recursion."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += [part for part in item.values() if isinstance(part, dict | list)]
            elif isinstance(item, list):
                below += [part for part in item if isinstance(part, dict | list)]
        if not below:
            return False
        level = below
    return True
