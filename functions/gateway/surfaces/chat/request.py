"""The body of a chat completion: the messages as turns, and what else is asked for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.fields import bad_value, read_filled_text
from gateway.http.schemas import Schema
from gateway.models.capabilities import PARALLEL_TOOL_CALLS
from gateway.prompt.body import SessionMetadata, TextBody, session_id, stop_field
from gateway.prompt.content_parts import content_schema, read_content, read_thinking_blocks
from gateway.prompt.request import FieldNames, GenerationRequest
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.tool_specs import arguments_field, to_arguments
from gateway.prompt.turns import MAX_MESSAGES, check_content, file_places
from gateway.surfaces.chat.tools import ToolFields, read_tools
from reverse.chat import Message, Role, Thinking, ToolCall

# Each choice is a conversation of its own with Poe, with its own price.
MAX_CHOICES = 8
NAMES = FieldNames()
# OpenAI's roles and the turn each becomes. `function` is the predecessor of `tool`.
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_MAX_NAME = 256
# As many as OpenAI allows tools in one request.
_MAX_CALLS = 128


class CalledFunction(Body):
    """A call's function."""

    name = fields.required_text(max_length=_MAX_NAME)
    arguments = arguments_field()


class CustomCall(Body):
    """A call of a custom tool, which takes one text."""

    name = fields.required_text(max_length=_MAX_NAME)
    input = fields.text()


class CallItem(Body):
    """A tool call of an earlier answer."""

    id = fields.text(max_length=_MAX_NAME)
    type = fields.anything({"type": "string"})
    extra_content = fields.mapping("What came with the call. Some providers want it back.")
    function = fields.nested(CalledFunction)
    custom = fields.nested(CustomCall)


def _content(value: Any, _body: Body, _name: str) -> Any:
    return value


def _content_schema() -> Schema:
    return content_schema("text", "refusal", "image_url", "file", "input_audio")


def _role(value: Any, body: Body, name: str) -> str:
    if read_filled_text(value, body, name) not in _ROLES:
        raise bad_value(body, name, [*_ROLES])
    return str(value)


class MessageItem(Body):
    """One message."""

    role: Field[str] = Field(_role, lambda: {"enum": [*_ROLES]})
    content: Field[Any] = Field(_content, _content_schema, default=None)
    refusal = fields.text()
    name = fields.text(max_length=_MAX_NAME)
    tool_calls = fields.objects(CallItem, max_items=_MAX_CALLS)
    tool_call_id = fields.text(max_length=_MAX_NAME)
    function_call = fields.nested(CalledFunction)
    audio = fields.anything({"type": "object"})


def read_turns(items: Sequence[MessageItem], left_out: set[str]) -> list[Message]:
    """One turn per message; names of what no account can get are added to `left_out`, each once.

    Raises `GatewayError` (400), naming the place.
    """
    turns = _with_own_ids([_read_message(item, left_out) for item in items])
    left_out |= _unsupported_parts(items)
    return turns


# Names under which clients send the reasoning of earlier answers back. Models don't take it.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")


def _unsupported_parts(items: Sequence[MessageItem]) -> set[str]:
    names: set[str] = set()
    for item in items:
        if item.audio is not None:
            names.add("messages.audio")
        if item.role == "assistant":
            # What has the provider's seal holds the rest.
            unsealed = () if _read_thinking(item) else _REASONING
            names |= {f"messages.{name}" for name in (*unsealed, "annotations") if item.values.get(name)}
        for part in item.content if isinstance(item.content, list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            # Poe has no such option: the image is sent as it is.
            if isinstance(image, dict) and image.get("detail") not in (None, "auto"):
                names.add("messages.image_url.detail")
    return names


def _read_message(item: MessageItem, left_out: set[str]) -> Message:
    role = _ROLES[item.role]
    # OpenAI allows missing content for assistant turns with tool calls; others become empty turns, which do no harm.
    content = item.refusal or "" if item.content is None else item.content
    unknown = set[str]()
    text, attachments = read_content(content, item, "content", left_out=unknown)
    left_out |= {f"messages.content.{kind}" for kind in unknown}
    calls = _read_tool_calls(item, left_out) if role == "assistant" else ()
    # A result of `functions` has only the function's name.
    call_id = (item.tool_call_id or item.name) if role == "tool" else None
    thinking = _read_thinking(item) if role == "assistant" else ()
    return Message(role, text, attachments, calls, call_id, item.name, thinking)


def _read_thinking(item: MessageItem) -> tuple[Thinking, ...]:
    return read_thinking_blocks(item.values.get("thinking_blocks"), item.values.get("reasoning_details"))


def _read_tool_calls(item: MessageItem, left_out: set[str]) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    for call in item.tool_calls:
        call_id = call.id or f"call_{len(calls)}"
        if call.type == "custom" and call.custom is not None:
            # Poe knows functions only; the text becomes the function's one argument.
            arguments = to_arguments(call.custom.input or "")
            calls.append(ToolCall(call_id, call.custom.name, arguments, call.extra_content))
        elif call.function is not None:
            calls.append(ToolCall(call_id, call.function.name, call.function.arguments, call.extra_content))
        elif call.type in (None, "function", "custom"):
            raise call.missing("custom" if call.type == "custom" else "function")
        else:
            left_out.add("messages.tool_calls")
    legacy = item.function_call
    if legacy is not None and not calls:
        # The name as id for now; `_with_own_ids` tells several calls of one name apart.
        calls.append(ToolCall(legacy.name, legacy.name, legacy.arguments))
    return tuple(calls)


def _with_own_ids(turns: Sequence[Message]) -> list[Message]:
    """Function calls have no id, so their name stands for it: every further call of a name gets one of its own.

    A result without a call's id belongs to the last call of its name. Providers refuse two calls with one id.
    """
    counts: Counter[str] = Counter()

    def own_id(name: str) -> str:
        return name if counts[name] <= 1 else f"{name}_{counts[name]}"

    read: list[Message] = []
    for turn in turns:
        if turn.tool_calls:
            calls: list[ToolCall] = []
            for call in turn.tool_calls:
                is_legacy = call.id == call.name
                # Only calls without an id of their own are numbered.
                counts[call.name] += is_legacy
                calls.append(replace(call, id=own_id(call.name)) if is_legacy else call)
            read.append(replace(turn, tool_calls=tuple(calls)))
        elif turn.tool_call_id is not None and turn.tool_call_id == turn.name:
            read.append(replace(turn, tool_call_id=own_id(turn.name)))
        else:
            read.append(turn)
    return read


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
