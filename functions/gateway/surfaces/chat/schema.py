"""Conversations, models, health."""

from __future__ import annotations

from gateway.http.declared_body import describe
from gateway.http.errors import MODEL_NOT_FOUND, NOT_READY, STORE
from gateway.http.schemas import (
    ANY_OBJECT,
    COUNT,
    FLAG,
    GENERATION,
    IGNORED,
    NAME,
    POINTS,
    TEXT,
    Operation,
    Schema,
    array,
    const,
    enum,
    events,
    header,
    json_media,
    obj,
    optional,
    parameter,
    ref,
)
from gateway.surfaces.chat.request import ChatBody
from reverse.events import FinishReason

_FUNCTION_CALL = obj("name arguments", name=NAME, arguments=TEXT)
_TOOL_CALL = obj(
    "id type function",
    id=TEXT,
    type=const("function"),
    function=_FUNCTION_CALL,
    extra_content={"type": "object", "description": "What the provider wants back with the call; send it as it came."},
)
_USAGE = obj(
    "prompt_tokens completion_tokens total_tokens",
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    total_tokens=COUNT,
    estimated={**FLAG, "description": "Whether these are the gateway's own estimate."},
    **POINTS,
)
# The gateway's own reason, which callers get as `length`.
_FINISH = enum(*(reason.value for reason in FinishReason if reason is not FinishReason.CANCELLED))
_NAMES = optional(array(TEXT))
# What nobody said is `null`.
_MODEL = obj(
    "id object created owned_by endpoints",
    id=TEXT,
    object=const("model"),
    created=COUNT,
    owned_by=TEXT,
    endpoints={**array(TEXT), "description": "Where this gateway offers it."},
    tokens={**optional(COUNT), "description": "The same as `context_length`."},
    context_length=optional(COUNT),
    max_output_tokens=optional(COUNT),
    input_modalities=_NAMES,
    output_modalities=_NAMES,
    features=_NAMES,
    reasoning=optional(ANY_OBJECT),
    pricing=optional(ANY_OBJECT),
    points_per_message={**optional({"type": "number"}), "description": "What Poe lists as the price of a message."},
    parameters={**optional(array(ANY_OBJECT)), "description": "The options that the bot declares."},
    aliases=array(TEXT),
    kinds={**_NAMES, "description": "Kinds of account that list it."},
    description=optional(TEXT),
)

SCHEMAS: dict[str, Schema] = {
    "ToolCall": _TOOL_CALL,
    "Usage": _USAGE,
    "Model": _MODEL,
    "ModelList": obj("object data", object=const("list"), data=array(ref("Model"))),
    # From the fields that read the body, so that reader and description can't differ.
    "ChatCompletionRequest": describe(ChatBody),
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

_QUESTION = {"model": "Claude-Sonnet-4.5", "messages": [{"role": "user", "content": "Hello"}]}
# The list is long and seldom changes: clients that keep it need not load it again.
_TAGGED: dict[str, Schema] = {"etag": header("Of this answer; send it back as `if-none-match`.")}
_UNCHANGED: dict[int, Schema] = {304: {"description": "The caller has it already."}}
_IF_NONE_MATCH = (parameter("if-none-match", "header", TEXT),)

OPERATIONS: dict[str, Operation] = {
    "create_chat_completion": Operation(
        summary="Answer a conversation",
        tag="Chat",
        description="With `stream`, chunks arrive as Poe makes them; fields that could not be honoured are named in "
        "`x-gateway-ignored`.",
        body=json_media(ref("ChatCompletionRequest"), question=_QUESTION, streamed=_QUESTION | {"stream": True}),
        answer=json_media(ref("ChatCompletion")) | events("A ChatCompletionChunk as JSON, at last `[DONE]`."),
        headers=IGNORED,
        situations=GENERATION,
    ),
    "list_models": Operation(
        summary="List models",
        tag="Models",
        description="Those that the caller's key may use. Callers that send `anthropic-version` get pages in that "
        "API's shape, with `limit`, `after_id` and `before_id`.",
        parameters=_IF_NONE_MATCH,
        answer=json_media(ref("ModelList")),
        more_answers=_UNCHANGED,
        headers=_TAGGED,
    ),
    "retrieve_model": Operation(
        summary="Describe a model",
        tag="Models",
        description="By its name or an alias, in any case. Callers that send `anthropic-version` get that API's shape.",
        parameters=_IF_NONE_MATCH,
        answer=json_media(ref("Model")),
        more_answers=_UNCHANGED,
        headers=_TAGGED,
        situations=(MODEL_NOT_FOUND,),
    ),
    "index": Operation(
        summary="Say what this is",
        tag="Health",
        answer=json_media(obj("message base_url", message=TEXT, base_url=TEXT)),
        is_open=True,
    ),
    "version": Operation(
        summary="Say which version this is, and which version its table has",
        tag="Health",
        answer=json_media(obj("version schema", version=TEXT, schema=COUNT)),
        is_open=True,
    ),
    # Without a key: load balancers and monitors have none.
    "healthz": Operation(
        summary="Say that the process answers",
        tag="Health",
        answer=json_media(obj("status", status=const("ok"))),
        is_open=True,
    ),
    "show_own_usage": Operation(
        summary="Show what the key that asks may use, and has used",
        tag="Usage",
        description="Works when the budget is used up, too, and counts as no request.",
        answer=json_media(
            obj(
                "object name models limits",
                object=const("usage"),
                name=TEXT,
                models=array(TEXT),
                expires_at=optional(TEXT),
                limits=array(
                    obj(
                        "unit window used",
                        unit=enum("points", "tokens", "requests", "streams"),
                        window=enum("day", "month", "minute", "now"),
                        limit=optional(COUNT),
                        used=COUNT,
                        left=optional(COUNT),
                        resets_at=optional(TEXT),
                    )
                ),
            )
        ),
    ),
    "readyz": Operation(
        summary="Say whether an account could be leased",
        tag="Health",
        answer=json_media(obj("status", status=enum("ready"))),
        situations=(NOT_READY, STORE),
        is_open=True,
    ),
}
