"""JSON schemas of what goes over the wire, for the description only: requests are read by the modules that serve them.

A field that an SDK may send but that means nothing here is not listed; unknown fields are allowed everywhere. `null`
counts as absent, as in OpenAI's API.
"""

from __future__ import annotations

from typing import Any

from gateway.chat_request import MAX_STOPS, MAX_TOOLS
from gateway.messages import MAX_MESSAGES

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
STOP: Schema = {"anyOf": [TEXT, array(TEXT, maxItems=MAX_STOPS), {"type": "null"}]}
TEMPERATURE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 2}
TOP_P: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}

_ERROR = obj(
    "error",
    error=obj("message type param code", message=TEXT, type=TEXT, param=optional(TEXT), code=optional(TEXT)),
)
_CONTENT_PART: Schema = {
    "oneOf": [
        obj("type text", type=const("text"), text=TEXT),
        obj("type image_url", type=const("image_url"), image_url=obj("url", url=TEXT, detail=TEXT)),
        obj("type file", type=const("file"), file=obj("file_data", filename=TEXT, file_data=TEXT)),
        obj(
            "type input_audio",
            type=const("input_audio"),
            input_audio=obj("data", data=TEXT, format=enum("wav", "mp3")),
        ),
    ]
}
_FUNCTION_CALL = obj("name arguments", name=NAME, arguments=TEXT)
_TOOL_CALL = obj("id type function", id=TEXT, type=const("function"), function=_FUNCTION_CALL)
_MESSAGE = obj(
    "role",
    role=enum("system", "developer", "user", "assistant", "tool", "function"),
    content={"anyOf": [TEXT, array(ref("ContentPart")), {"type": "null"}]},
    name=optional(NAME),
    tool_calls=optional(array(ref("ToolCall"), maxItems=MAX_TOOLS)),
    tool_call_id=optional(NAME),
)
_TOOL = obj(
    "type function",
    type=const("function"),
    function=obj("name", name={**NAME, "pattern": "^[a-zA-Z0-9_-]{1,64}$"}, description=TEXT, parameters=ANY_OBJECT),
)
_RESPONSE_FORMAT: Schema = {
    "oneOf": [
        obj("type", type=const("text")),
        obj("type", type=const("json_object")),
        obj(
            "type json_schema",
            type=const("json_schema"),
            json_schema=obj("name schema", name=NAME, schema=ANY_OBJECT, strict=optional(FLAG)),
        ),
    ]
}
_USAGE = obj(
    "prompt_tokens completion_tokens total_tokens",
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    total_tokens=COUNT,
    estimated={**FLAG, "description": "Whether these are the gateway's own estimate."},
)
_FINISH = enum("stop", "length", "tool_calls", "content_filter")
_MODEL = obj(
    "id object created owned_by endpoints",
    id=TEXT,
    object=const("model"),
    created=COUNT,
    owned_by=TEXT,
    endpoints=array(TEXT),
)

SCHEMAS: dict[str, Schema] = {
    "Error": _ERROR,
    "ContentPart": _CONTENT_PART,
    "ToolCall": _TOOL_CALL,
    "Message": _MESSAGE,
    "Tool": _TOOL,
    "ResponseFormat": _RESPONSE_FORMAT,
    "Usage": _USAGE,
    "Model": _MODEL,
    "ModelList": obj("object data", object=const("list"), data=array(ref("Model"))),
    "ChatCompletionRequest": obj(
        "model messages",
        model=NAME,
        messages=array(ref("Message"), minItems=1, maxItems=MAX_MESSAGES),
        stream=optional(FLAG),
        stream_options=optional(obj(include_usage=optional(FLAG))),
        max_tokens=optional(POSITIVE),
        max_completion_tokens=optional(POSITIVE),
        stop=STOP,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        tools=optional(array(ref("Tool"), maxItems=MAX_TOOLS)),
        tool_choice={},
        parallel_tool_calls=optional(FLAG),
        response_format=optional(ref("ResponseFormat")),
        parameters=optional({**ANY_OBJECT, "description": "Options that the bot itself declares."}),
    ),
    "ChatCompletion": obj(
        "id object created model choices usage",
        id=TEXT,
        object=const("chat.completion"),
        created=COUNT,
        model=TEXT,
        choices=array(
            obj(
                "index message finish_reason",
                index=COUNT,
                finish_reason=_FINISH,
                message=obj(
                    "role content", role=const("assistant"), content=optional(TEXT), tool_calls=array(ref("ToolCall"))
                ),
            ),
            minItems=1,
        ),
        usage=ref("Usage"),
    ),
    "ChatCompletionChunk": obj(
        "id object created model choices",
        id=TEXT,
        object=const("chat.completion.chunk"),
        created=COUNT,
        model=TEXT,
        choices=array(obj("index delta", index=COUNT, delta=ANY_OBJECT, finish_reason=optional(_FINISH))),
        usage=optional(ref("Usage")),
    ),
}
