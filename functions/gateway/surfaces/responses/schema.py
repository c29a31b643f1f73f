"""OpenAI's Responses API."""

from __future__ import annotations

from gateway.http.declared_body import describe
from gateway.http.errors import INVALID_REQUEST, NOT_FOUND
from gateway.http.schemas import (
    ANY_OBJECT,
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
    enum,
    events,
    json_media,
    obj,
    optional,
    parameter,
    ref,
)
from gateway.surfaces.responses.request import CountBody, ResponseBody

_ITEM = obj("type", type=TEXT)
_USAGE = obj(
    "input_tokens input_tokens_details output_tokens output_tokens_details total_tokens",
    input_tokens=COUNT,
    input_tokens_details=obj("cached_tokens", cached_tokens=COUNT),
    output_tokens=COUNT,
    output_tokens_details=obj("reasoning_tokens", reasoning_tokens=COUNT),
    total_tokens=COUNT,
    estimated=FLAG,
    **POINTS,
)
SCHEMAS: dict[str, Schema] = {
    # From the fields that read the body, so that reader and description can't differ.
    "ResponseRequest": describe(ResponseBody),
    "Response": obj(
        "id object created_at status model output parallel_tool_calls tool_choice tools error incomplete_details usage",
        id=TEXT,
        object=const("response"),
        created_at={"type": "number"},
        status=enum("completed", "failed", "in_progress", "incomplete"),
        model=TEXT,
        output=array(_ITEM),
        parallel_tool_calls=FLAG,
        # A word or an object of several forms: anything.
        tool_choice={},
        tools=array(ANY_OBJECT),
        error={"type": ["object", "null"]},
        incomplete_details={"type": ["object", "null"]},
        usage=optional(_USAGE),
        store=FLAG,
    ),
    "InputItems": obj(
        "object data first_id last_id has_more",
        object=const("list"),
        data=array(ANY_OBJECT),
        first_id=TEXT,
        last_id=TEXT,
        has_more=FLAG,
    ),
}
_QUESTION = {"model": "GPT-5", "input": "Hello"}

OPERATIONS: dict[str, Operation] = {
    "create_response": Operation(
        summary="Answer an input",
        tag="Responses",
        description="With `stream`, events are numbered and end with `response.completed`, `response.incomplete` or "
        "`response.failed`.",
        body=json_media(ref("ResponseRequest"), question=_QUESTION, streamed=_QUESTION | {"stream": True}),
        answer=json_media(ref("Response")) | events("An event as JSON; its `type` is also the event's name."),
        headers=IGNORED,
        situations=(*GENERATION, NOT_FOUND),
    ),
    # Its body may lack the model, which only an answer needs.
    "count_input_tokens": Operation(
        summary="Estimate the tokens of an input",
        tag="Responses",
        body=json_media(describe(CountBody)),
        answer=json_media(
            obj(
                "object input_tokens",
                object=const("response.input_tokens"),
                input_tokens=COUNT,
                estimated={**FLAG, "description": "Always: no tokenizer is known for every model."},
            )
        ),
        situations=(*BODY, NOT_FOUND),
    ),
    "retrieve_response": Operation(
        summary="Show a stored response",
        tag="Responses",
        parameters=(parameter("stream", "query", enum("false")),),
        answer=json_media(ref("Response")),
        situations=(INVALID_REQUEST, NOT_FOUND),
    ),
    "delete_response": Operation(
        summary="Forget a stored response",
        tag="Responses",
        answer=json_media(obj("id object deleted", id=TEXT, object=const("response.deleted"), deleted={"const": True})),
        situations=(NOT_FOUND,),
    ),
    # Described although it always refuses: the SDKs have a method for it.
    "cancel_response": Operation(
        summary="Refuse to cancel",
        tag="Responses",
        description="Nothing runs here after its request, so that there is nothing to cancel: 400, or 404.",
        answer=json_media(ref("Response")),
        situations=(INVALID_REQUEST, NOT_FOUND),
    ),
    "list_input_items": Operation(
        summary="List what a response was made from",
        tag="Responses",
        parameters=(
            parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 100}),
            parameter("order", "query", enum("asc", "desc")),
            parameter("after", "query", TEXT),
        ),
        answer=json_media(ref("InputItems")),
        situations=(INVALID_REQUEST, NOT_FOUND),
    ),
}
