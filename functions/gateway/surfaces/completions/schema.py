"""OpenAI's older completions."""

from __future__ import annotations

from gateway.http.declared_body import describe
from gateway.http.schemas import (
    COUNT,
    GENERATION,
    IGNORED,
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
from gateway.surfaces.completions.request import CompletionBody

SCHEMAS: dict[str, Schema] = {
    # From the fields that read the body, so that reader and description can't differ.
    "CompletionRequest": describe(CompletionBody),
    "Completion": obj(
        "id object created model choices usage",
        id=TEXT,
        object=const("text_completion"),
        created=COUNT,
        model=TEXT,
        choices=array(obj("index text finish_reason", index=COUNT, text=TEXT, finish_reason=optional(TEXT))),
        usage=ref("Usage"),
    ),
}

OPERATIONS: dict[str, Operation] = {
    "create_completion": Operation(
        summary="Answer prompts (older endpoint)",
        tag="Completions",
        description="A chat model answers a prompt; it does not go on where the prompt ends.",
        body=json_media(ref("CompletionRequest"), question={"model": "GPT-5", "prompt": "Hello"}),
        answer=json_media(ref("Completion")) | events("A chunk as JSON, at last `[DONE]`."),
        headers=IGNORED,
        situations=GENERATION,
    ),
}
