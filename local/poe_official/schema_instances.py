"""The smallest instance of a JSON Schema: what a bot answers when it must keep to one. Pure, deterministic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAX_DEPTH = 12


def instance_of(schema: Any, definitions: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """A value that satisfies `schema`: the keywords that structured output allows, `$ref` into `$defs` included."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    known = {**(definitions or {}), **schema.get("$defs", {})}
    if "$ref" in schema:
        return instance_of(known.get(str(schema["$ref"]).rsplit("/", 1)[-1]), known, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for combination in ("anyOf", "oneOf", "allOf"):
        if schema.get(combination):
            return instance_of(schema[combination][0], known, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema, known, depth)


def _of_type(kind: str, schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> Any:
    match kind:
        case "object":
            properties = schema.get("properties", {})
            wanted = properties if depth < 4 else {name: properties[name] for name in schema.get("required", [])}
            return {name: instance_of(value, known, depth + 1) for name, value in wanted.items()}
        case "array":
            return [instance_of(schema.get("items", {}), known, depth + 1)] * max(1, int(schema.get("minItems", 1)))
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            return min(least, schema.get("maximum", least))
        case "boolean":
            return True
        case "null":
            return None
    formats = {"date": "2026-11-22", "date-time": "2026-11-22T12:00:00Z", "email": "someone@example.com"}
    return formats.get(str(schema.get("format")), "text".ljust(int(schema.get("minLength", 0)), "x"))
