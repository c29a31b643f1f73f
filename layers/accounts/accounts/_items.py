"""Converts Python values to DynamoDB's typed JSON and back. Pure; no other module knows the type letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts._aws import as_bytes

Item = dict[str, Any]
"""An item as Python values: str, int, float, bool, bytes, list, dict. An absent attribute stands for `None`."""


def to_wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item in typed JSON, without attributes that are `None`."""
    return {name: _to_wire(value) for name, value in item.items() if value is not None}


def from_wire(item: Mapping[str, Any]) -> Item:
    """The item as Python values. Numbers become `int` where they are whole."""
    return {name: _from_wire(value) for name, value in item.items()}


def _to_wire(value: Any) -> dict[str, Any]:
    # `bool` is an `int` as well, so it comes first.
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Mapping):
        return {"M": to_wire(value)}
    if isinstance(value, (list, tuple)):
        return {"L": [_to_wire(element) for element in value]}
    raise TypeError(f"{type(value).__name__} has no place in an item")


def _from_wire(typed: Mapping[str, Any]) -> Any:
    [(letter, value)] = typed.items()
    # Texts and numbers are nearly all there is.
    if letter == "S":
        return value
    if letter == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if letter == "B":
        return as_bytes(value)
    if letter == "M":
        return from_wire(value)
    if letter == "L":
        return [_from_wire(element) for element in value]
    return None if letter == "NULL" else value
