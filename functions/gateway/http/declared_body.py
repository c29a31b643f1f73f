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
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, overload

from gateway.http.errors import GatewayError, invalid
from gateway.http.schemas import Schema, optional

T = TypeVar("T")

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
        # JSON names that Python can't have as attributes are given explicitly.
        self.name = self.name or attribute

    @overload
    def __get__(self, body: None, owner: type[Body]) -> Self: ...

    @overload
    def __get__(self, body: Body, owner: type[Body]) -> T: ...

    def __get__(self, body: Body | None, owner: type[Body]) -> Self | T:
        if body is None:
            return self
        # A descriptor that is not a data descriptor (no `__set__`): the stored value below hides it, so that each field
        # is checked once, and only if somebody reads it.
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
        # Base classes first, so that a subclass can declare a field anew.
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
        # These are no mistakes: models have options of their own, which are passed on by name.
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


def typed(kinds: Mapping[str, type[Body]]) -> list[Schema]:
    """The schemas of objects whose `type` says which body they have."""
    schemas: list[Schema] = []
    for kind, body in kinds.items():
        schema = describe(body)
        properties = {"type": {"const": kind}, **schema["properties"]}
        # Every kind needs its `type`, whether or not its body declares it.
        schemas.append(
            schema | {"properties": properties, "required": [*dict.fromkeys(["type", *schema.get("required", ())])]}
        )
    return schemas
