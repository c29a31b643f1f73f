"""JSON schemas of what goes over the wire, for the description only: requests are read by the modules that serve them.

A field that an SDK may send but that means nothing here is not listed; unknown fields are allowed everywhere. `null`
counts as absent, as in OpenAI's API.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """A reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def obj(required: str = "", /, **properties: Schema) -> Schema:
    """An object; `required` are names with spaces between them."""
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": required.split()} if required else schema


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def const(value: str) -> Schema:
    return {"const": value}


def enum(*values: str) -> Schema:
    return {"enum": list(values)}


def optional(schema: Schema) -> Schema:
    """Or `null`."""
    if not schema:
        return schema
    if "$ref" in schema or "enum" in schema or "const" in schema or "anyOf" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"\S"}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "integer", "minimum": 1}
FLAG: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}
TEMPERATURE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 2}
TOP_P: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}

ERROR = obj(
    "error",
    error=obj("message type param code", message=TEXT, type=TEXT, param=optional(TEXT), code=optional(TEXT)),
)
