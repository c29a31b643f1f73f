"""What the OpenAPI document is made of: JSON schemas of what goes over the wire, and an `Operation` for each endpoint.

Bodies of requests are described by their declared fields (`fields`); answers are described here, by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from gateway.http.errors import (
    BUSY,
    CHALLENGE,
    CONTENT_FILTER,
    INVALID_JSON,
    INVALID_KEY,
    INVALID_REQUEST,
    MODEL_NOT_ALLOWED,
    MODEL_NOT_FOUND,
    NO_ACCOUNTS,
    NO_POINTS,
    OVERLOADED,
    QUOTA,
    RATE_LIMIT,
    STORE,
    TIMEOUT,
    TOO_LARGE,
    TOO_LONG,
    UNSUPPORTED_ENCODING,
    UPSTREAM,
    WAITING,
    Situation,
)
from lazy_dataclasses import dataclass

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
    # A `null` beside these would contradict them; a plain type simply gains a second one.
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
# Extensions of every `usage`.
POINTS: dict[str, Schema] = {
    "points": {**optional(COUNT), "description": "What the answer cost; null where that is not known yet."},
    "points_estimated": {**FLAG, "description": "Whether the points are an estimate, not yet Poe's own figure."},
}
TOP_P: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}

ERROR = obj(
    "error",
    error=obj("message type param code", message=TEXT, type=TEXT, param=optional(TEXT), code=optional(TEXT)),
)


JSON = "application/json"
EVENTS = "text/event-stream"
# Every body is read within a limit, as JSON.
BODY = (INVALID_REQUEST, INVALID_JSON, TOO_LARGE, UNSUPPORTED_ENCODING)
# Whatever asks a bot can meet these.
GENERATION = (
    *BODY,
    TOO_LONG,
    CONTENT_FILTER,
    MODEL_NOT_ALLOWED,
    MODEL_NOT_FOUND,
    RATE_LIMIT,
    QUOTA,
    NO_POINTS,
    BUSY,
    WAITING,
    UPSTREAM,
    OVERLOADED,
    CHALLENGE,
    NO_ACCOUNTS,
    TIMEOUT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint. Media types map to OpenAI media type objects."""

    summary: str
    tag: str
    description: str = ""
    parameters: tuple[Schema, ...] = ()
    """Besides those of the path."""
    body: Mapping[str, Schema] = field(default_factory=dict)
    answer: Mapping[str, Schema] = field(default_factory=dict)
    answer_text: str = "As asked."
    status: int = 200
    more_answers: Mapping[int, Schema] = field(default_factory=dict)
    """Successful ones with another status."""
    headers: Mapping[str, Schema] = field(default_factory=dict)
    situations: tuple[Situation, ...] = ()
    """Of the error table, besides those of authentication."""
    is_open: bool = False
    """Whether it needs no key."""
    speaks_anthropic: bool = False
    """Whether its errors are in that API's words."""

    @property
    def all_situations(self) -> tuple[Situation, ...]:
        # Every address that needs a key can refuse it, and needs the table for that.
        return self.situations if self.is_open else (INVALID_KEY, STORE, *self.situations)


def header(description: str) -> Schema:
    """Of a response."""
    return {"description": description, "schema": TEXT}


def parameter(name: str, place: str, schema: Schema) -> Schema:
    """One that may be left out."""
    return {"name": name, "in": place, "required": False, "schema": schema}


def json_media(schema: Schema, **examples: Any) -> dict[str, Schema]:
    """A body or an answer in JSON."""
    media: Schema = {"schema": schema}
    if examples:
        media["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {JSON: media}


def events(description: str) -> dict[str, Schema]:
    """The schema is of one event, as tools that know server-sent events read it."""
    data = {"type": "string", "description": description}
    return {EVENTS: {"schema": obj("data", event=TEXT, data=data)}}


IGNORED = {"x-gateway-ignored": header("Fields of the request that did not take part in the answer.")}
