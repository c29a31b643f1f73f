"""The kinds of fields that request bodies declare: what each accepts, and its JSON Schema.

The checks of single values come first, for bodies that read what no kind of field describes: each returns the value, or
raises `GatewayError` (400) naming its field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from gateway.http.declared_body import REQUIRED, Body, Field, T, describe
from gateway.http.errors import GatewayError, invalid
from gateway.http.schemas import Schema, array, enum

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


def required(field: Field[T | None]) -> Field[T]:
    """Make a field one that must be there."""
    # Changed in place: a field belongs to the one class that declares it.
    field.default = REQUIRED
    return cast(Field[T], field)


def option(field: Field[T]) -> Field[T]:
    """Mark a field as an option of the model: `Body.options` lists it."""
    field.is_option = True
    return field


def text(*, max_length: int | None = None, description: str = "", name: str = "") -> Field[str | None]:
    """A string, which may be empty."""
    return Field(
        lambda value, body, name: read_text(value, body, name, max_length),
        lambda: _text_schema(max_length),
        default=None,
        description=description,
        name=name,
    )


def required_text(*, max_length: int | None = None, description: str = "") -> Field[str]:
    """A string that is there and not blank."""

    # JSON Schema's pattern is searched for, not matched.
    schema = {"minLength": 1, "pattern": r"\S"}
    return Field(
        lambda value, body, name: read_filled_text(value, body, name, max_length),
        lambda: _text_schema(max_length) | schema,
        description=description,
    )


def flag(description: str = "", *, default: bool = False) -> Field[bool]:
    """True or false, and nothing that only counts as such."""
    # Not `bool(value)`: "false" would be true.
    return Field(read_flag, lambda: {"type": "boolean"}, default=default, description=description)


def maybe_flag(description: str = "") -> Field[bool | None]:
    """True, false, or not said."""
    return Field(read_flag, lambda: {"type": "boolean"}, default=None, description=description)


def integer(*, lowest: int, highest: int | None = None, description: str = "") -> Field[int | None]:
    """A whole number within limits, both included."""
    return Field(
        lambda value, body, name: read_integer(value, body, name, lowest, highest),
        lambda: _integer_schema(lowest, highest),
        default=None,
        description=description,
    )


def number(*, lowest: float, highest: float, description: str = "") -> Field[float | None]:
    """A number within limits, both included."""

    def convert(value: Any, body: Body, name: str) -> float:
        # `True` is an `int` in Python and none in JSON.
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise body.wrong(name, "a number")
        if not lowest <= value <= highest:
            raise out_of_range(body, name, f"from {lowest:g} to {highest:g}")
        return value

    schema: Schema = {"type": "number", "minimum": lowest, "maximum": highest}
    return Field(convert, lambda: schema, default=None, description=description)


def choice(*allowed: str, description: str = "") -> Field[str | None]:
    """One of the given strings."""
    return Field(
        lambda value, body, name: read_choice(value, body, name, allowed),
        lambda: enum(*allowed),
        default=None,
        description=description,
    )


def mapping(description: str = "", *, schema: Schema | None = None) -> Field[dict[str, Any] | None]:
    """An object of any fields."""
    return Field(read_mapping, lambda: schema or {"type": "object"}, default=None, description=description)


def nested(kind: type[B], description: str = "") -> Field[B | None]:
    """An object with fields of its own."""
    return Field(
        lambda value, body, name: kind(read_mapping(value, body, name), body.param(name)),
        # Made when it is asked for: the description is of no use to a chat and takes time to make.
        lambda: describe(kind),
        default=None,
        description=description,
    )


def objects(kind: type[B], *, max_items: int, description: str = "") -> Field[list[B]]:
    """An array of objects; empty where it is absent."""
    return Field(
        lambda value, body, name: read_objects(value, body, name, kind, max_items),
        lambda: array(describe(kind), maxItems=max_items),
        default=[],
        description=description,
    )


def required_objects(kind: type[B], *, max_items: int, item: str = "item", description: str = "") -> Field[list[B]]:
    """An array of at least one object, which errors call `item`."""

    def convert(value: Any, body: Body, name: str) -> list[B]:
        read = read_objects(value, body, name, kind, max_items)
        if not read:
            param = body.param(name)
            raise invalid(f"'{param}' must have at least one {item}.", param=param, code="empty_array")
        return read

    return Field(convert, lambda: array(describe(kind), minItems=1, maxItems=max_items), description=description)


def strings(*, max_items: int, description: str = "") -> Field[list[str]]:
    """An array of strings; empty where it is absent."""

    def convert(value: Any, body: Body, name: str) -> list[str]:
        items = read_items(value, body, name, max_items)
        if not all(isinstance(item, str) for item in items):
            raise body.wrong(name, "an array of strings")
        return items

    return Field(convert, lambda: array({"type": "string"}, maxItems=max_items), default=[], description=description)


def anything(schema: Schema | None = None, description: str = "") -> Field[Any]:
    """Any value: whoever reads it checks it."""
    return Field(lambda value, _body, _name: value, lambda: schema or {}, default=None, description=description)


class TypedBody(Body):
    """An object whose `type` says what it is."""

    type = text()


def _text_schema(max_length: int | None) -> Schema:
    return {"type": "string"} | ({} if max_length is None else {"maxLength": max_length})


def _integer_schema(lowest: int, highest: int | None) -> Schema:
    return {"type": "integer", "minimum": lowest} | ({} if highest is None else {"maximum": highest})
