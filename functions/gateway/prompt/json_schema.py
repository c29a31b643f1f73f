"""Checks a JSON value against a JSON Schema, as far as that is certain and cheap. Pure.

Schemas come from callers. A validator that generates code or runs their regular expressions would run what strangers
wrote, and a regular expression can take time that is exponential in the text; the large libraries cost more at a cold
start than they are worth here. So this checks the keywords that describe structure: `type`, `enum`, `const`,
`properties`, `required`, `additionalProperties`, `items`, `prefixItems`, `uniqueItems`, the size and number limits,
`anyOf`, `oneOf`, `allOf`, `not` and `$ref` within the document. What it does not know (`pattern`, `format`, remote
references, `if`, `unevaluated…`) it takes as fulfilled: it never refuses what a full validator accepts.

Every comparison counts against a `Budget`. A check that would exceed it gives up and finds nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from gateway.prompt.schema_budget import Budget, TooMuchWorkError, identity
from lazy_dataclasses import dataclass

# A value as deep as a body may be, through a reference at each level.
_MAX_DEPTH = 210
_LONGEST_NAME = 100
_LONGEST_PATH = 400
_LONGEST_INDEX = 9
_UNSOUND_IN_NOT = frozenset(
    {"pattern", "format", "patternProperties", "propertyNames", "contains", "minContains", "maxContains", "if", "then"}
    | {"else", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"}
    | {"$dynamicRef", "$recursiveRef", "contentEncoding", "contentSchema", "multipleOf"}
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


def find_violation(value: Any, schema: Any, budget: Budget | None = None) -> str | None:
    """Where and how `value` breaks `schema`, in words for the model that wrote it; `None` if it does not.

    Checks that share a `budget` are bounded together. When it is used up, nothing more is found.
    """
    budget = budget or Budget()
    try:
        budget.start()
        found = _Checker(schema, budget).check(value, schema, _Path())
    # Not checked is not wrong: an answer that was paid for is not thrown away because its schema is too much work.
    except (TooMuchWorkError, RecursionError):
        return None
    finally:
        budget.stop()
    return None if found is None else str(found)


@dataclass(frozen=True, slots=True)
class _Path:
    """Where a value stands; written out only when something is wrong there."""

    parent: _Path | None = None
    part: str | int = ""
    depth: int = 0

    def to(self, part: str | int) -> _Path:
        return _Path(self, part, self.depth + 1)

    def deeper(self) -> _Path:
        """The same place, looked at by another schema."""
        return _Path(self.parent, self.part, self.depth + 1)

    def __str__(self) -> str:
        parts: list[str] = []
        place = self
        while place.parent is not None:
            parts.append(f"[{place.part}]" if isinstance(place.part, int) else f".{_shown(place.part)}")
            place = place.parent
        path = "".join(reversed(parts))
        return f"${path}" if len(path) <= _LONGEST_PATH else f"$…{path[-_LONGEST_PATH:]}"


@dataclass(frozen=True, slots=True)
class _Violation:
    path: _Path
    problem: str
    name: str | None = None
    """What the problem is about; stands in front of it."""

    def __str__(self) -> str:
        named = "" if self.name is None else f"'{_shown(self.name)}' "
        return f"{self.path}: {named}{self.problem}"


def _shown(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


class _Checker:
    def __init__(self, root: Any, budget: Budget) -> None:
        self._root = root
        self._budget = budget
        # By the reference, and by the identity of parts of the schema, which lives as long as this.
        self._targets: dict[str, Any] = {}
        self._allowed: dict[int, frozenset[str]] = {}
        self._certain: dict[int, bool] = {}

    def check(self, value: Any, schema: Any, path: _Path) -> _Violation | None:
        self._budget.spend()
        # A reference to itself would go round for ever.
        if path.depth > _MAX_DEPTH:
            raise TooMuchWorkError
        if schema is False:
            return _Violation(path, "nothing is allowed here")
        if not isinstance(schema, Mapping):
            return None
        return (
            # The first violation is enough: the model is told one thing to correct.
            self._check_reference(value, schema, path)
            or self._check_type(value, schema, path)
            or self._check_values(value, schema, path)
            or self._check_combined(value, schema, path)
            or self._check_object(value, schema, path)
            or self._check_array(value, schema, path)
            or _check_limits(value, schema, path)
        )

    def _check_reference(self, value: Any, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return None
        if reference not in self._targets:
            self._targets[reference] = self._resolve(reference)
        target = self._targets[reference]
        return None if target is None else self.check(value, target, path.deeper())

    def _resolve(self, reference: str) -> Any:
        """What a reference within the document names; `None` for any other."""
        # Nothing is fetched: the address would be the caller's choice.
        if reference != "#" and not reference.startswith("#/"):
            return None
        self._budget.spend(len(reference))
        place = self._root
        for part in unquote(reference[1:]).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, Mapping):
                place = place.get(name)
            elif isinstance(place, list) and _is_index(name) and int(name) < len(place):
                place = place[int(name)]
            else:
                return None
        return place

    def _check_type(self, value: Any, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
        wanted = schema.get("type")
        names = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(names, list) or not names:
            return None
        self._budget.spend(len(names))
        known = [name for name in names if isinstance(name, str)]
        # An unknown type may be one of a newer draft.
        if not all(name in _TYPES for name in known) or any(_TYPES[name](value) for name in known):
            return None
        return _Violation(path, f"must be {' or '.join(dict.fromkeys(known))}")

    def _check_values(self, value: Any, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
        allowed = schema.get("enum")
        if isinstance(allowed, list) and self._identity(value) not in self._identities(allowed):
            return _Violation(path, "is none of the allowed values")
        if "const" in schema and self._identity(value) != self._identity(schema["const"]):
            return _Violation(path, "is not the one allowed value")
        return None

    def _identity(self, value: Any) -> str:
        return identity(value, self._budget)

    def _identities(self, allowed: list[Any]) -> frozenset[str]:
        # Computed once: a long `enum` below an array would otherwise be gone through for each item.
        known = self._allowed.get(id(allowed))
        if known is None:
            known = self._allowed[id(allowed)] = frozenset(self._identity(item) for item in allowed)
        return known

    def _check_combined(self, value: Any, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
        inner = path.deeper()
        for part in _schemas(schema, "allOf"):
            if found := self.check(value, part, inner):
                return found
        if (anyof := _schemas(schema, "anyOf")) and (found := self._check_any(value, anyof, inner)):
            return found
        if (oneof := _schemas(schema, "oneOf")) and (found := self._check_one(value, oneof, inner)):
            return found
        refused = schema.get("not")
        if refused is not None and self._is_certain(refused) and self.check(value, refused, inner) is None:
            return _Violation(path, "has a form that is not allowed")
        return None

    def _check_any(self, value: Any, parts: list[Any], path: _Path) -> _Violation | None:
        failure: _Violation | None = None
        for part in parts:
            failure = self.check(value, part, path)
            if failure is None:
                return None
        return failure if len(parts) == 1 else _Violation(path, "matches none of the allowed alternatives")

    def _check_one(self, value: Any, parts: list[Any], path: _Path) -> _Violation | None:
        # More than one match, and `not`, are certain only where nothing was left unchecked.
        enough = 2 if self._is_certain(parts) else 1
        matches = 0
        for part in parts:
            matches += self.check(value, part, path) is None
            if matches == enough:
                break
        if matches == 0:
            return _Violation(path, "matches none of the allowed alternatives")
        return _Violation(path, "matches more than one of the alternatives") if matches > 1 else None

    def _is_certain(self, schema: Any) -> bool:
        """Whether a check of `schema` leaves nothing out: then "fulfilled" means fulfilled."""
        known = self._certain.get(id(schema))
        if known is None:
            known = self._certain[id(schema)] = self._looks_certain(schema)
        return known

    def _looks_certain(self, schema: Any) -> bool:
        pending = [schema]
        while pending:
            part = pending.pop()
            self._budget.spend()
            if isinstance(part, Mapping):
                if not _UNSOUND_IN_NOT.isdisjoint(part) or "$ref" in part or isinstance(part.get("items"), list):
                    return False
                pending += part.values()
            elif isinstance(part, list):
                pending += part
        return True

    def _check_object(self, value: Any, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
        if not isinstance(value, dict):
            return None
        required = schema.get("required")
        for name in self._counted(required if isinstance(required, list) else ()):
            if isinstance(name, str) and name not in value:
                return _Violation(path, "is missing", name)
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        for name in self._counted(properties):
            if name in value and (found := self.check(value[name], properties[name], path.to(name))):
                return found
        return self._check_others(value, schema, properties, path)

    def _check_others(
        self, value: dict[str, Any], schema: Mapping[str, Any], properties: Mapping[str, Any], path: _Path
    ) -> _Violation | None:
        """The properties that the schema does not name."""
        others = schema.get("additionalProperties", True)
        # Which names a pattern covers is not looked at, so none can be called superfluous.
        if others is True or "patternProperties" in schema:
            return None
        for name in self._counted(value):
            if name in properties:
                continue
            if others is False:
                return _Violation(path, "is not allowed", name)
            if found := self.check(value[name], others, path.to(name)):
                return found
        return None

    def _counted(self, names: Iterable[Any]) -> Iterable[Any]:
        for name in names:
            self._budget.spend()
            yield name

    def _check_array(self, value: Any, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
        if not isinstance(value, list):
            return None
        first = _schemas(schema, "prefixItems")
        for index, (item, part) in enumerate(zip(value, first, strict=False)):
            if found := self.check(item, part, path.to(index)):
                return found
        items = schema.get("items")
        # An array of schemas is the older spelling of `prefixItems`; newer validators refuse it, so nothing is certain.
        if isinstance(items, Mapping | bool):
            for index in range(len(first), len(value)):
                if found := self.check(value[index], items, path.to(index)):
                    return found
        return self._check_unique(value, path) if schema.get("uniqueItems") is True else None

    def _check_unique(self, items: list[Any], path: _Path) -> _Violation | None:
        seen: set[str] = set()
        for item in items:
            known = self._identity(item)
            # Numbers beyond what a float holds are all read as infinity: nobody knows whether they were equal.
            if known in seen and (isinstance(item, str) or "inf" not in known):
                return _Violation(path, "has items that are equal")
            seen.add(known)
        return None


def _schemas(schema: Mapping[str, Any], name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= _LONGEST_INDEX


def _check_limits(value: Any, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
    # `True` would be compared as 1 with number limits.
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _check_number(value, schema, path)
    size = len(value)
    # Characters, as JSON Schema counts them, not bytes or UTF-16 units.
    kind = "Length" if isinstance(value, str) else "Items" if isinstance(value, list) else "Properties"
    lowest, highest = _number(schema, f"min{kind}"), _number(schema, f"max{kind}")
    if lowest is not None and size < lowest:
        return _Violation(path, f"is shorter than {lowest:g}")
    if highest is not None and size > highest:
        return _Violation(path, f"is longer than {highest:g}")
    return None


def _check_number(value: float, schema: Mapping[str, Any], path: _Path) -> _Violation | None:
    if (limit := _number(schema, "minimum")) is not None and value < limit:
        return _Violation(path, f"is less than {limit:g}")
    if (limit := _number(schema, "maximum")) is not None and value > limit:
        return _Violation(path, f"is more than {limit:g}")
    if (limit := _number(schema, "exclusiveMinimum")) is not None and value <= limit:
        return _Violation(path, f"must be more than {limit:g}")
    if (limit := _number(schema, "exclusiveMaximum")) is not None and value >= limit:
        return _Violation(path, f"must be less than {limit:g}")
    return None


def _number(schema: Mapping[str, Any], name: str) -> float | None:
    value = schema.get(name)
    # Draft 4 has booleans for the exclusive limits.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    # JSON's integers have no end; those that no float holds (`isfinite` refuses them) are no limit anybody meant.
    return value if abs(value) <= sys.float_info.max else None
