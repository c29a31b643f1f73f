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


def decode_json(text: str | bytes) -> Any:
    """The value that `text` describes. Raises `ValueError`, with words of the text in it; for deep nesting, too."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(text)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None
    # Each level takes two characters, so that nothing is counted in the short texts of a stream.
    if len(text) > 2 * _MAX_DEPTH and _openings(text) > _MAX_DEPTH and _is_too_deep(value):
        raise ValueError("the JSON is nested too deeply")
    return value


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
