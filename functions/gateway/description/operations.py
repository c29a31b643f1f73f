"""What each endpoint takes and gives, by the endpoint's name: one row per route of `routes`, checked by a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.description.schemas import TEXT, Schema, const, enum, obj, ref
from gateway.errors import (
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
    NOT_READY,
    OVERLOADED,
    QUOTA,
    RATE_LIMIT,
    STORE,
    TIMEOUT,
    TOO_LARGE,
    TOO_LONG,
    UPSTREAM,
    Situation,
)

JSON = "application/json"
EVENTS = "text/event-stream"
# Every body is read within a limit, as JSON.
BODY = (INVALID_REQUEST, INVALID_JSON, TOO_LARGE)
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

    @property
    def all_situations(self) -> tuple[Situation, ...]:
        return self.situations if self.is_open else (INVALID_KEY, STORE, *self.situations)


def _header(description: str) -> Schema:
    return {"description": description, "schema": TEXT}


def _parameter(name: str, place: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": False, "schema": schema}


def _json(schema: Schema, **examples: Any) -> dict[str, Schema]:
    media: Schema = {"schema": schema}
    if examples:
        media["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {JSON: media}


def _events(description: str) -> dict[str, Schema]:
    """The schema is of one event, as tools that know server-sent events read it."""
    data = {"type": "string", "description": description}
    return {EVENTS: {"schema": obj("data", event=TEXT, data=data)}}


_QUESTION = {"model": "Claude-Sonnet-4.5", "messages": [{"role": "user", "content": "Hello"}]}
_TAGGED: dict[str, Schema] = {"etag": _header("Of this answer; send it back as `if-none-match`.")}
_UNCHANGED: dict[int, Schema] = {304: {"description": "The caller has it already."}}
_IF_NONE_MATCH = (_parameter("if-none-match", "header", TEXT),)

OPERATIONS: dict[str, Operation] = {
    "create_chat_completion": Operation(
        summary="Answer a conversation",
        tag="Chat",
        description="With `stream`, chunks arrive as Poe makes them; fields that could not be honoured are named in "
        "`x-gateway-ignored`.",
        body=_json(ref("ChatCompletionRequest"), question=_QUESTION, streamed=_QUESTION | {"stream": True}),
        answer=_json(ref("ChatCompletion")) | _events("A ChatCompletionChunk as JSON, at last `[DONE]`."),
        headers={"x-gateway-ignored": _header("Fields of the request that did not take part in the answer.")},
        situations=GENERATION,
    ),
    "list_models": Operation(
        summary="List models",
        tag="Models",
        description="Those that the caller's key may use.",
        parameters=_IF_NONE_MATCH,
        answer=_json(ref("ModelList")),
        more_answers=_UNCHANGED,
        headers=_TAGGED,
    ),
    "retrieve_model": Operation(
        summary="Describe a model",
        tag="Models",
        description="By its name or an alias, in any case.",
        parameters=_IF_NONE_MATCH,
        answer=_json(ref("Model")),
        more_answers=_UNCHANGED,
        headers=_TAGGED,
        situations=(MODEL_NOT_FOUND,),
    ),
    "index": Operation(
        summary="Say what this is",
        tag="Health",
        answer=_json(obj("message base_url", message=TEXT, base_url=TEXT)),
        is_open=True,
    ),
    "healthz": Operation(
        summary="Say that the process answers",
        tag="Health",
        answer=_json(obj("status", status=const("ok"))),
        is_open=True,
    ),
    "readyz": Operation(
        summary="Say whether an account could be leased",
        tag="Health",
        answer=_json(obj("status ready_accounts", status=enum("ready"), ready_accounts={"type": "integer"})),
        situations=(NOT_READY, STORE),
        is_open=True,
    ),
}
