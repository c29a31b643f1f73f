"""Request bodies as declared fields: what reads a body also describes it.

    class SpeechBody(Body):
        model = required_text(max_length=256)
        speed = number(lowest=0.25, highest=4, description="Playback speed.")

    body = SpeechBody(values)
    body.speed            # `float | None`, checked when it is first read
    describe(SpeechBody)  # the JSON Schema

`null` counts as absent, as in OpenAI's API. A value that is not as declared raises `GatewayError` (400), which names
the field by its path. Own code instead of a library: docs/decisions.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, cast, overload

from gateway.http.errors import GatewayError, invalid
from gateway.http.schemas import Schema, array, enum, optional

T = TypeVar("T")
B = TypeVar("B", bound="Body")
Convert = Callable[[Any, "Body", str], T]
"""Checks and converts a value, given the body and the field's name for errors. Raises `GatewayError` (400)."""
REQUIRED: Final[Any] = object()


class Field(Generic[T]):
    """One field of a `Body`; read as an attribute of its instances.

    `default` is the value of an absent field; without one the field is required. `schema` is called for the description
    only.
    """

    def __init__(
        self,
        convert: Convert[T],
        schema: Callable[[], Schema],
        *,
        default: T = REQUIRED,
        description: str = "",
        name: str = "",
    ) -> None:
        self.name = name
        self.is_option = False
        self._convert = convert
        self._schema = schema
        self.default = default
        self._description = description

    @property
    def is_required(self) -> bool:
        """Whether the field must be there."""
        return self.default is REQUIRED

    def __set_name__(self, owner: type[Body], attribute: str) -> None:
        self._attribute = attribute
        self.name = self.name or attribute

    @overload
    def __get__(self, body: None, owner: type[Body]) -> Self: ...

    @overload
    def __get__(self, body: Body, owner: type[Body]) -> T: ...

    def __get__(self, body: Body | None, owner: type[Body]) -> Self | T:
        if body is None:
            return self
        value = body.values.get(self.name)
        if value is None:
            if self.default is REQUIRED:
                raise body.missing(self.name)
            return self.default
        # From now on the attribute itself is found first.
        read = body.__dict__[self._attribute] = self._convert(value, body, self.name)
        return read

    def describe(self) -> Schema:
        """The field's JSON Schema."""
        schema = self._schema() if self.is_required else optional(self._schema())
        return schema | {"description": self._description} if self._description else schema


class Body:
    """A JSON object with declared fields. `path` is where it stands in the request's body, for errors."""

    declared: ClassVar[Mapping[str, Field[Any]]] = {}
    """By the name in JSON, those of base classes included."""

    def __init_subclass__(cls) -> None:
        fields = (value for base in reversed(cls.__mro__) for value in vars(base).values() if isinstance(value, Field))
        cls.declared = {field.name: field for field in fields}

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path

    def param(self, name: str) -> str:
        """The path of a field, which errors call `param`."""
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, expected: str) -> GatewayError:
        """The error for a field that is not what it must be."""
        return invalid(f"'{self.param(name)}' must be {expected}.", param=self.param(name), code="invalid_type")

    def missing(self, name: str) -> GatewayError:
        """The error for a field that must be there."""
        message = f"Missing required parameter: '{self.param(name)}'."
        return invalid(message, param=self.param(name), code="missing_required_parameter")

    def undeclared(self) -> dict[str, Any]:
        """The fields that are not declared, `null` left out."""
        return {name: value for name, value in self.values.items() if value is not None and name not in self.declared}

    def options(self) -> dict[str, Any]:
        """The checked values of the options that are there."""
        return {
            name: value
            for name, field in self.declared.items()
            if field.is_option and (value := field.__get__(self, type(self))) is not None
        }


def describe(body: type[Body], *, without: Sequence[str] = ()) -> Schema:
    """The JSON Schema of a body; unknown fields are allowed everywhere."""
    fields = {name: field for name, field in body.declared.items() if name not in without}
    schema: Schema = {"type": "object", "properties": {name: field.describe() for name, field in fields.items()}}
    required = [name for name, field in fields.items() if field.is_required]
    return schema | {"required": required} if required else schema


def required(field: Field[T | None]) -> Field[T]:
    """Make a field one that must be there."""
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
    return Field(_flag, lambda: {"type": "boolean"}, default=default, description=description)


def maybe_flag(description: str = "") -> Field[bool | None]:
    """True, false, or not said."""
    return Field(_flag, lambda: {"type": "boolean"}, default=None, description=description)


def integer(*, lowest: int, highest: int | None = None, description: str = "") -> Field[int | None]:
    """A whole number within limits, both included."""
    return Field(
        lambda value, body, name: _integer(value, body, name, lowest, highest),
        lambda: _integer_schema(lowest, highest),
        default=None,
        description=description,
    )


def number(*, lowest: float, highest: float, description: str = "") -> Field[float | None]:
    """A number within limits, both included."""

    def convert(value: Any, body: Body, name: str) -> float:
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
        lambda value, body, name: _choice(value, body, name, allowed),
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
    if max_items is not None and len(value) > max_items:
        raise body.wrong(name, f"an array of at most {max_items} items")
    return value


def read_objects(value: Any, body: Body, name: str, kind: type[B], max_items: int | None = None) -> list[B]:
    """The objects of an array. Raises `GatewayError` (400)."""
    read: list[B] = []
    path = body.param(name)
    for index, item in enumerate(read_items(value, body, name, max_items)):
        if not isinstance(item, dict):
            raise body.wrong(f"{name}[{index}]", "an object")
        read.append(kind(item, f"{path}[{index}]"))
    return read


class TypedBody(Body):
    """An object whose `type` says what it is."""

    type = text()


def required_type(body: Body) -> str:
    """The `type` of an object that must say what it is. Raises `GatewayError` (400)."""
    kind = body.values.get("type")
    if kind is None:
        raise body.missing("type")
    return read_filled_text(kind, body, "type")


def typed(kinds: Mapping[str, type[Body]]) -> list[Schema]:
    """The schemas of objects whose `type` says which body they have."""
    schemas: list[Schema] = []
    for kind, body in kinds.items():
        schema = describe(body)
        properties = {"type": {"const": kind}, **schema["properties"]}
        schemas.append(
            schema | {"properties": properties, "required": [*dict.fromkeys(["type", *schema.get("required", ())])]}
        )
    return schemas


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
    if max_length is not None and len(value) > max_length:
        raise body.wrong(name, f"at most {max_length} characters long")
    return value


def _text_schema(max_length: int | None) -> Schema:
    return {"type": "string"} | ({} if max_length is None else {"maxLength": max_length})


def _integer(value: Any, body: Body, name: str, lowest: int, highest: int | None) -> int:
    # 5.0 is an integer in JSON; True is none although Python says so.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise body.wrong(name, "an integer")
    if value < lowest or (highest is not None and value > highest):
        raise out_of_range(body, name, f"at least {lowest}" if highest is None else f"from {lowest} to {highest}")
    return value


def _integer_schema(lowest: int, highest: int | None) -> Schema:
    return {"type": "integer", "minimum": lowest} | ({} if highest is None else {"maximum": highest})


def _flag(value: Any, body: Body, name: str) -> bool:
    if not isinstance(value, bool):
        raise body.wrong(name, "true or false")
    return value


def _choice(value: Any, body: Body, name: str, allowed: Sequence[str]) -> str:
    read = read_text(value, body, name)
    if read not in allowed:
        raise bad_value(body, name, allowed)
    return read


def read_mapping(value: Any, body: Body, name: str) -> dict[str, Any]:
    """An object of any fields. Raises `GatewayError` (400)."""
    if not isinstance(value, dict):
        raise body.wrong(name, "an object")
    return value
