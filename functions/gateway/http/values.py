"""Checks of the values in a request body: each returns the value, or raises `GatewayError` (400) naming its field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from gateway.http.declared_body import Body
from gateway.http.errors import GatewayError, invalid

B = TypeVar("B", bound=Body)


def out_of_range(body: Body, name: str, limits: str) -> GatewayError:
    """The error for a number outside of its limits."""
    return invalid(f"'{body.param(name)}' must be {limits}.", param=body.param(name), code="out_of_range")


def bad_value(body: Body, name: str, allowed: Sequence[str]) -> GatewayError:
    """The error for a string that is not one of those allowed."""
    param = body.param(name)
    return invalid(f"'{param}' must be one of: {', '.join(allowed)}.", param=param, code="invalid_value")


def read_items(value: Any, body: Body, name: str, max_items: int | None = None) -> list[Any]:
    """The items of an array, whatever they are. Raises `GatewayError` (400)."""
    if not isinstance(value, list):
        raise body.wrong(name, "an array")
    # Before any item is looked at: the bound is on the work.
    if max_items is not None and len(value) > max_items:
        raise body.wrong(name, f"an array of at most {max_items} items")
    return value


def read_objects(value: Any, body: Body, name: str, kind: type[B], max_items: int | None = None) -> list[B]:
    """The objects of an array. Raises `GatewayError` (400)."""
    read: list[B] = []
    path = body.param(name)
    for index, item in enumerate(read_items(value, body, name, max_items)):
        # The position is in the error's `param`, as OpenAI has it: `messages[3]`.
        if not isinstance(item, dict):
            raise body.wrong(f"{name}[{index}]", "an object")
        read.append(kind(item, f"{path}[{index}]"))
    return read


def required_type(body: Body) -> str:
    """The `type` of an object that must say what it is. Raises `GatewayError` (400)."""
    kind = body.values.get("type")
    if kind is None:
        raise body.missing("type")
    return read_filled_text(kind, body, "type")


def read_filled_text(value: Any, body: Body, name: str, max_length: int | None = None) -> str:
    """A string that is not blank. Raises `GatewayError` (400)."""
    read = read_text(value, body, name, max_length)
    if not read.strip():
        raise body.wrong(name, "a string that is not empty")
    return read


def read_text(value: Any, body: Body, name: str, max_length: int | None = None) -> str:
    """A string. Raises `GatewayError` (400)."""
    if not isinstance(value, str):
        raise body.wrong(name, "a string")
    # A limit of characters, not bytes: JSON Schema counts the same.
    if max_length is not None and len(value) > max_length:
        raise body.wrong(name, f"at most {max_length} characters long")
    return value


def read_integer(value: Any, body: Body, name: str, lowest: int, highest: int | None) -> int:
    # 5.0 is an integer in JSON; True is none although Python says so.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise body.wrong(name, "an integer")
    if value < lowest or (highest is not None and value > highest):
        raise out_of_range(body, name, f"at least {lowest}" if highest is None else f"from {lowest} to {highest}")
    return value


def read_flag(value: Any, body: Body, name: str) -> bool:
    # 0, 1 and "true" are refused like OpenAI does, instead of guessing what was meant.
    if not isinstance(value, bool):
        raise body.wrong(name, "true or false")
    return value


def read_choice(value: Any, body: Body, name: str, allowed: Sequence[str]) -> str:
    read = read_text(value, body, name)
    if read not in allowed:
        raise bad_value(body, name, allowed)
    return read


def read_mapping(value: Any, body: Body, name: str) -> dict[str, Any]:
    """An object of any fields. Raises `GatewayError` (400)."""
    if not isinstance(value, dict):
        raise body.wrong(name, "an object")
    return value
