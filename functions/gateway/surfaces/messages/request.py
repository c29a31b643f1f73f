"""The body of a message, normalised: what it shares with a chat completion is told as one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.http.errors import invalid
from gateway.http.fields import Fields
from gateway.models.catalogue import Model
from gateway.prompt.request import MAX_STOP_CHARS, MAX_STOPS, ChatCall, read_chat_call
from gateway.surfaces.messages.thinking import Thinking, read_thinking
from gateway.surfaces.messages.tools import read_tools
from gateway.surfaces.messages.turns import MAX_MESSAGES, Turns, rename

# Read here; the rest is passed on as it is, and reported where the model has no such option.
_READ = frozenset(
    "cache_control max_tokens messages metadata model output_config service_tier stop_sequences stream system "
    "thinking tool_choice tools".split()
)
# Words that only a chat completion gives a meaning to.
_FOREIGN = frozenset(
    "function_call functions max_completion_tokens n parallel_tool_calls reasoning_effort response_format stop "
    "stream_options".split()
)
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRequest:
    """One message as asked for."""

    model: str
    """As the caller wrote it."""
    is_streamed: bool
    thinking: Thinking
    chat: Mapping[str, Any] = field(repr=False)
    """The chat completion."""
    turns: Turns = field(repr=False)
    dropped: tuple[str, ...]
    """Names of what no model here can be told."""

    def chat_call(self, model: Model | None) -> ChatCall:
        """The chat completion for a model, `None` if nobody lists it. Raises `GatewayError` (400)."""
        parameters = {**self.thinking.options(model), **(self.chat.get("parameters") or {})}
        by_budget = parameters.pop("reasoning_effort", None)
        effort = self.chat.get("reasoning_effort") or by_budget
        chat = {**self.chat, "parameters": parameters, "reasoning_effort": effort}
        with self.turns.renaming():
            call = read_chat_call({name: value for name, value in chat.items() if value not in (None, {})})
        # Only who finds a stop sequence can say which one it was.
        return replace(call, is_stopped_here=True)

    def ignored(self, ignored: Iterable[str], model: Model | None) -> tuple[str, ...]:
        """Names of what the answer does not take into account, by the caller's fields; `ignored` by the chat's."""
        names = {*self.dropped, *self.turns.dropped, *map(rename, ignored)}
        if self.thinking.is_ignored(model):
            names.add("thinking")
        return tuple(sorted(names))


def read_messages_request(values: Mapping[str, Any], *, counts_only: bool = False) -> MessagesRequest:
    """Normalise a body. `counts_only`: no answer is wanted, so that its limit may be missing.

    Raises `GatewayError` (400), naming the field.
    """
    body = Fields(values)
    model = body.required_text("model", max_length=256).strip()
    max_tokens = body.integer("max_tokens", lowest=1)
    if max_tokens is None and not counts_only:
        raise body.missing("max_tokens")
    turns = _read_turns(body)
    tools, dropped = read_tools(body)
    output = body.mapping("output_config") or Fields({})
    metadata = body.mapping("metadata") or Fields({})
    chat: dict[str, Any] = {name: value for name, value in values.items() if name not in _READ | _FOREIGN}
    chat |= tools | {
        "model": model,
        "messages": turns.messages,
        "max_tokens": max_tokens,
        "stop": _stop_sequences(body),
        "stream": body.flag("stream"),
        "reasoning_effort": output.choice("effort", _EFFORTS),
        "response_format": _response_format(output),
        "metadata": {"session_id": metadata.get("session_id")} if "session_id" in metadata.values else None,
    }
    body.choice("service_tier", ("auto", "standard_only"))
    unread = [name for name in values if name in _FOREIGN]
    unread += [f"metadata.{name}" for name in metadata.values if name != "session_id"]
    return MessagesRequest(
        model=model,
        is_streamed=body.flag("stream"),
        thinking=read_thinking(body),
        chat={name: value for name, value in chat.items() if value is not None},
        turns=turns,
        dropped=(*dropped, *unread),
    )


def _read_turns(body: Fields) -> Turns:
    items = body.objects("messages", max_items=MAX_MESSAGES)
    if items is None:
        raise body.missing("messages")
    if not items:
        raise invalid("'messages' must have at least one message.", param="messages", code="empty_array")
    turns = Turns()
    turns.add_system(body)
    for item in items:
        turns.add(item)
    return turns


def _stop_sequences(body: Fields) -> list[str]:
    stops = body.items("stop_sequences", max_items=MAX_STOPS) or []
    if not all(isinstance(stop, str) for stop in stops):
        raise body.wrong("stop_sequences", "an array of strings")
    if any(len(stop) > MAX_STOP_CHARS for stop in stops):
        raise body.wrong("stop_sequences", f"an array of strings of at most {MAX_STOP_CHARS} characters")
    return stops


def _response_format(output: Fields) -> dict[str, Any] | None:
    value = output.mapping("format")
    if value is None or value.choice("type", ("json_schema",)) is None:
        return None
    schema = value.mapping("schema")
    if schema is None:
        raise value.missing("schema")
    return {"type": "json_schema", "json_schema": {"name": "output", "schema": schema.values, "strict": True}}
