"""The body of a chat completion. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body
from gateway.models.parameters import PARALLEL_TOOL_CALLS
from gateway.prompt.body import SessionMetadata, TextBody, session_id, stop_field
from gateway.prompt.request import FieldNames, GenerationRequest
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.turns import MAX_MESSAGES, check_content, file_places
from gateway.surfaces.chat.messages import MessageItem, read_turns
from gateway.surfaces.chat.tools import ToolFields, read_tools

# Each choice is a conversation of its own with Poe, with its own price.
MAX_CHOICES = 8
NAMES = FieldNames()


class StreamOptions(Body):
    """`stream_options`."""

    include_usage = fields.flag("End the stream with a chunk that has the usage.")
    include_obfuscation = fields.anything({"type": "boolean"}, "Not offered.")


class JSONSchemaFormat(Body):
    """`response_format.json_schema`."""

    name = fields.anything({"type": "string"})
    schema = fields.mapping()
    strict = fields.anything({"type": "boolean"})


class FormatItem(Body):
    """`response_format`."""

    type = fields.choice("text", "json_object", "json_schema")
    json_schema = fields.nested(JSONSchemaFormat)


class ChatBody(ToolFields, TextBody):
    """`POST /v1/chat/completions`."""

    messages = fields.required_objects(MessageItem, max_items=MAX_MESSAGES, item="message")
    n = fields.integer(lowest=1, highest=MAX_CHOICES, description="How many answers; each is paid for.")
    max_completion_tokens = fields.integer(lowest=1)
    max_tokens = fields.integer(lowest=1, description="Predecessor of `max_completion_tokens`.")
    stop = stop_field()
    stream_options = fields.nested(StreamOptions)
    response_format = fields.nested(FormatItem)
    reasoning_effort = fields.option(fields.text(max_length=32, description="As far as the model takes it."))
    metadata = fields.nested(SessionMetadata)
    suggested_replies = fields.flag("Ask for the follow-up questions that Poe suggests, where the account can.")


def read_chat_request(values: Mapping[str, Any]) -> GenerationRequest:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = ChatBody(values)
    model = body.model.strip()
    specs = read_tools(body)
    stream_options = body.stream_options
    # Without tools it means nothing, and providers refuse it.
    parallel = body.parallel_tool_calls if specs.tools else None
    left_out = set[str]()
    turns = read_turns(body.messages, left_out)
    # Before the model is looked up: what is wrong with a body does not depend on it.
    check_content(turns, "messages")
    return GenerationRequest(
        model=model,
        turns=tuple(turns),
        # Each message is one turn here, so that a file's place is that of its message.
        places=file_places(turns, lambda index: body.messages[index].param("content")),
        is_streamed=body.stream,
        wants_usage=stream_options is not None and stream_options.include_usage,
        choices=body.n or 1,
        # The newer field wins where a client sends both to be safe.
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=body.stop,
        options=body.read_options(
            NAMES, more={PARALLEL_TOOL_CALLS: parallel}, dropped=[*_dropped(body), *sorted(left_out)]
        ),
        specs=specs,
        response_format=_response_format(body.response_format),
        wants_suggested_replies=body.wants_replies(asked=body.suggested_replies),
        session_id=session_id(body.metadata),
        cache_key=body.cache_key,
        may_truncate=body.may_truncate,
        names=NAMES,
    )


def _dropped(body: ChatBody) -> list[str]:
    # OpenAI stores metadata with a stored completion; nothing is stored here.
    names = [f"metadata.{name}" for name in (body.metadata.undeclared() if body.metadata else ())]
    if body.stream_options is not None and body.stream_options.include_obfuscation:
        names.append("stream_options.include_obfuscation")
    return names


def _response_format(item: FormatItem | None) -> ResponseFormat | None:
    """`None` for plain text."""
    if item is None or item.type in (None, "text"):
        return None
    # Any object: nothing but its form is checked.
    if item.type == "json_object":
        return ResponseFormat(item.values)
    if item.json_schema is None:
        raise item.missing("json_schema")
    return ResponseFormat(item.values, item.json_schema.schema)
