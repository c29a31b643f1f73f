"""Anthropic's Messages API, with that API's own words for errors."""

from __future__ import annotations

from gateway.http.declared_body import describe
from gateway.http.schemas import (
    BODY,
    COUNT,
    FLAG,
    GENERATION,
    IGNORED,
    POINTS,
    TEXT,
    Operation,
    Schema,
    array,
    const,
    events,
    json_media,
    obj,
    optional,
    ref,
)
from gateway.surfaces.messages.request import MessageBody, PromptBody

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
    # From the fields that read the body, so that reader and description can't differ.
    "MessagesRequest": describe(MessageBody),
    "AnthropicMessage": obj(
        "id type role model content stop_reason stop_sequence usage",
        id=TEXT,
        type=const("message"),
        role=const("assistant"),
        model=TEXT,
        content=array(obj("type", type=TEXT)),
        stop_reason=optional(TEXT),
        stop_sequence=optional(TEXT),
        usage=obj("input_tokens output_tokens", input_tokens=COUNT, output_tokens=COUNT, estimated=FLAG, **POINTS),
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
        body=json_media(describe(PromptBody)),
        answer=json_media(obj("input_tokens", input_tokens=COUNT, estimated=FLAG)),
        situations=BODY,
        speaks_anthropic=True,
    ),
}
