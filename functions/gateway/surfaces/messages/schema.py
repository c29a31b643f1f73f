"""Anthropic's Messages API, with that API's own words for errors."""

from __future__ import annotations

from gateway.openapi.operation import BODY, GENERATION, IGNORED, Operation, events, json_media
from gateway.openapi.schemas import (
    ANY_OBJECT,
    COUNT,
    FLAG,
    NAME,
    POSITIVE,
    TEXT,
    Schema,
    array,
    const,
    enum,
    obj,
    optional,
    ref,
)
from gateway.prompt.request import MAX_STOP_CHARS, MAX_STOPS
from gateway.surfaces.messages.turns import MAX_MESSAGES

_BLOCKS: Schema = {"anyOf": [TEXT, array(obj("type", type=TEXT), maxItems=100)]}
_FIELDS: dict[str, Schema] = {
    "model": NAME,
    "messages": array(
        obj("role content", role=enum("user", "assistant"), content=_BLOCKS), minItems=1, maxItems=MAX_MESSAGES
    ),
    "system": {"anyOf": [TEXT, array(obj("type text", type=const("text"), text=TEXT)), {"type": "null"}]},
    "tools": optional(array(obj("name input_schema", name=NAME, description=TEXT, input_schema=ANY_OBJECT))),
    "tool_choice": optional(ANY_OBJECT),
    "thinking": optional(ANY_OBJECT),
}

SCHEMAS: dict[str, Schema] = {
    "AnthropicError": obj(
        "type error request_id",
        type=const("error"),
        error=obj(
            "type message details",
            type=TEXT,
            message=TEXT,
            details=obj("error_code", error_code=TEXT, param=TEXT),
        ),
        request_id=TEXT,
    ),
    "MessagesRequest": obj(
        "model messages max_tokens",
        max_tokens=POSITIVE,
        stream=optional(FLAG),
        stop_sequences=optional(array({**TEXT, "maxLength": MAX_STOP_CHARS}, maxItems=MAX_STOPS)),
        temperature={"type": ["number", "null"], "minimum": 0, "maximum": 1},
        metadata=optional(ANY_OBJECT),
        **_FIELDS,
    ),
    "AnthropicMessage": obj(
        "id type role model content stop_reason stop_sequence usage",
        id=TEXT,
        type=const("message"),
        role=const("assistant"),
        model=TEXT,
        content=array(obj("type", type=TEXT)),
        stop_reason=optional(TEXT),
        stop_sequence=optional(TEXT),
        usage=obj("input_tokens output_tokens", input_tokens=COUNT, output_tokens=COUNT, estimated=FLAG),
    ),
}
_QUESTION = {"model": "Claude-Sonnet-4.5", "max_tokens": 500, "messages": [{"role": "user", "content": "Hello"}]}

OPERATIONS: dict[str, Operation] = {
    "create_message": Operation(
        summary="Answer a conversation",
        tag="Messages (Anthropic)",
        body=json_media(ref("MessagesRequest"), question=_QUESTION, streamed=_QUESTION | {"stream": True}),
        answer=json_media(ref("AnthropicMessage")) | events("An event as JSON; its `type` is also the event's name."),
        headers=IGNORED,
        situations=GENERATION,
        speaks_anthropic=True,
    ),
    "count_tokens": Operation(
        summary="Estimate the tokens of a prompt",
        tag="Messages (Anthropic)",
        body=json_media(obj("model messages", **_FIELDS)),
        answer=json_media(obj("input_tokens", input_tokens=COUNT, estimated=FLAG)),
        situations=BODY,
        speaks_anthropic=True,
    ),
}
