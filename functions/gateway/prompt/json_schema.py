"""Checks a JSON value against a JSON Schema, as far as that is certain and cheap. Pure.

Schemas come from callers. A validator that generates code or runs their regular expressions would run what strangers
wrote; the large libraries cost more at a cold start than they are worth here. So this checks the keywords that describe
structure: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `prefixItems`, the size
and number limits, `anyOf`, `oneOf`, `allOf`, `not` and `$ref` within the document. What it does not know (`pattern`,
`format`, remote references, `if`, `unevaluated…`) it takes as fulfilled: it never refuses what a full validator
accepts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

# Steps that one check may take: hostile combinations of `anyOf` and `$ref` grow without bound.
_MAX_STEPS = 50_000
_MAX_DEPTH = 200
_UNSOUND_IN_NOT = frozenset(
    {"pattern", "format", "patternProperties", "propertyNames", "contains", "minContains", "maxContains", "if", "then"}
    | {"else", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"}
    | {"$dynamicRef", "$recursiveRef", "uniqueItems", "contentEncoding", "contentSchema", "multipleOf"}
)

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    ),
}


def find_violation(value: Any, schema: Any) -> str | None:
    """Where and how `value` breaks `schema`, in words for the model that wrote it; `None` if it does not.

    Gives up, and finds nothing, when the schema asks for more work than is sane.
    """
    checker = _Checker(schema)
    try:
        return checker.check(value, schema, "$", 0)
    except _TooMuchError:
        return None


class _TooMuchError(Exception):
    """The check would take too long."""


class _Checker:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0

    def check(self, value: Any, schema: Any, path: str, depth: int) -> str | None:
        self._steps += 1
        if self._steps > _MAX_STEPS or depth > _MAX_DEPTH:
            raise _TooMuchError
        if schema is False:
            return f"{path}: nothing is allowed here"
        if not isinstance(schema, Mapping):
            return None
        return (
            self._check_reference(value, schema, path, depth)
            or _check_type(value, schema, path)
            or _check_values(value, schema, path)
            or self._check_combined(value, schema, path, depth)
            or self._check_object(value, schema, path, depth)
            or self._check_array(value, schema, path, depth)
            or _check_limits(value, schema, path)
        )

    def _check_reference(self, value: Any, schema: Mapping[str, Any], path: str, depth: int) -> str | None:
        reference = schema.get("$ref")
        target = self._resolve(reference) if isinstance(reference, str) else None
        return None if target is None else self.check(value, target, path, depth + 1)

    def _resolve(self, reference: str) -> Any:
        """What a reference within the document names; `None` for any other."""
        if not reference.startswith("#"):
            return None
        place = self._root
        for part in unquote(reference[1:]).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, Mapping):
                place = place.get(name)
            elif isinstance(place, list) and name.isascii() and name.isdigit() and int(name) < len(place):
                place = place[int(name)]
            else:
                return None
        return place if reference == "#" or reference.startswith("#/") else None

    def _check_combined(self, value: Any, schema: Mapping[str, Any], path: str, depth: int) -> str | None:
        for part in _schemas(schema, "allOf"):
            if found := self.check(value, part, path, depth + 1):
                return found
        anyof = _schemas(schema, "anyOf")
        if anyof:
            failures = [self.check(value, part, path, depth + 1) for part in anyof]
            if None not in failures:
                return failures[0] if len(failures) == 1 else f"{path}: matches none of the allowed alternatives"
        oneof = _schemas(schema, "oneOf")
        if oneof and all(self.check(value, part, path, depth + 1) for part in oneof):
            return f"{path}: matches none of the allowed alternatives"
        # More than one match, and `not`, are certain only where nothing was left unchecked.
        if len(oneof) > 1 and _is_certain(oneof):
            matches = sum(self.check(value, part, path, depth + 1) is None for part in oneof)
            if matches > 1:
                return f"{path}: matches more than one of the alternatives"
        refused = schema.get("not")
        if refused is not None and _is_certain(refused) and self.check(value, refused, path, depth + 1) is None:
            return f"{path}: has a form that is not allowed"
        return None

    def _check_object(self, value: Any, schema: Mapping[str, Any], path: str, depth: int) -> str | None:
        if not isinstance(value, dict):
            return None
        required = schema.get("required")
        for name in required if isinstance(required, list) else ():
            if isinstance(name, str) and name not in value:
                return f"{path}: '{name}' is missing"
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        for name, part in properties.items():
            if name in value and (found := self.check(value[name], part, f"{path}.{name}", depth + 1)):
                return found
        return self._check_others(value, schema, properties, path, depth)

    def _check_others(
        self, value: dict[str, Any], schema: Mapping[str, Any], properties: Mapping[str, Any], path: str, depth: int
    ) -> str | None:
        """The properties that the schema does not name."""
        others = schema.get("additionalProperties", True)
        if others is True or "patternProperties" in schema:
            return None
        for name, item in value.items():
            if name in properties:
                continue
            if others is False:
                return f"{path}: '{name}' is not allowed"
            if found := self.check(item, others, f"{path}.{name}", depth + 1):
                return found
        return None

    def _check_array(self, value: Any, schema: Mapping[str, Any], path: str, depth: int) -> str | None:
        if not isinstance(value, list):
            return None
        first = _schemas(schema, "prefixItems")
        for index, (item, part) in enumerate(zip(value, first, strict=False)):
            if found := self.check(item, part, f"{path}[{index}]", depth + 1):
                return found
        items = schema.get("items")
        # An array of schemas is the older spelling of `prefixItems`; newer validators refuse it, so nothing is certain.
        if isinstance(items, Mapping | bool):
            for index, item in enumerate(value[len(first) :], len(first)):
                if found := self.check(item, items, f"{path}[{index}]", depth + 1):
                    return found
        return None


def _schemas(schema: Mapping[str, Any], name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _is_certain(schema: Any) -> bool:
    """Whether a check of `schema` leaves nothing out: then "fulfilled" means fulfilled."""
    if isinstance(schema, Mapping):
        if not _UNSOUND_IN_NOT.isdisjoint(schema) or "$ref" in schema or isinstance(schema.get("items"), list):
            return False
        return all(_is_certain(part) for part in schema.values())
    return all(_is_certain(part) for part in schema) if isinstance(schema, list) else True


def _check_type(value: Any, schema: Mapping[str, Any], path: str) -> str | None:
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(names, list) or not names or not all(name in _TYPES for name in names if isinstance(name, str)):
        return None
    if any(_TYPES[name](value) for name in names if isinstance(name, str)):
        return None
    return f"{path}: must be {' or '.join(str(name) for name in names)}"


def _check_values(value: Any, schema: Mapping[str, Any], path: str) -> str | None:
    allowed = schema.get("enum")
    if isinstance(allowed, list) and not any(_is_same(value, item) for item in allowed):
        return f"{path}: is none of the allowed values"
    if "const" in schema and not _is_same(value, schema["const"]):
        return f"{path}: is not the one allowed value"
    return None


def _is_same(value: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 is 1.0, but true is not 1."""
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_is_same(value[name], other[name]) for name in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(_is_same(a, b) for a, b in zip(value, other, strict=True))
    return bool(value == other)


def _check_limits(value: Any, schema: Mapping[str, Any], path: str) -> str | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _check_number(value, schema, path)
    size = len(value)
    kind = "Length" if isinstance(value, str) else "Items" if isinstance(value, list) else "Properties"
    lowest, highest = _number(schema, f"min{kind}"), _number(schema, f"max{kind}")
    if lowest is not None and size < lowest:
        return f"{path}: is shorter than {lowest:g}"
    if highest is not None and size > highest:
        return f"{path}: is longer than {highest:g}"
    return None


def _check_number(value: float, schema: Mapping[str, Any], path: str) -> str | None:
    if (limit := _number(schema, "minimum")) is not None and value < limit:
        return f"{path}: is less than {limit:g}"
    if (limit := _number(schema, "maximum")) is not None and value > limit:
        return f"{path}: is more than {limit:g}"
    if (limit := _number(schema, "exclusiveMinimum")) is not None and value <= limit:
        return f"{path}: must be more than {limit:g}"
    if (limit := _number(schema, "exclusiveMaximum")) is not None and value >= limit:
        return f"{path}: must be less than {limit:g}"
    return None


def _number(schema: Mapping[str, Any], name: str) -> float | None:
    value = schema.get(name)
    # Draft 4 has booleans for the exclusive limits.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    # JSON's integers have no end; those that no float holds (`isfinite` refuses them) are no limit anybody meant.
    return value if abs(value) <= sys.float_info.max else None
