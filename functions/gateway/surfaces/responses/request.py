"""The body of a response, normalised: what it shares with a chat completion is told as one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.http.errors import invalid
from gateway.http.fields import Fields
from gateway.prompt.request import ChatCall, read_chat_call
from gateway.surfaces.responses.input_items import Item, read_input
from gateway.surfaces.responses.tools import chat_tools, read_tools
from gateway.surfaces.responses.turns import Turns, write_turns

# What a chat completion does not know, knows by another name, or must not see. The rest is passed on as it is.
_OWN = frozenset(
    "background context_management conversation include input instructions max_output_tokens max_tokens "
    "max_completion_tokens max_tool_calls messages n previous_response_id prompt reasoning response_format store "
    "metadata stream_options text tool_choice tools".split()
)
# Words that only a chat completion gives a meaning to.
_FOREIGN = ("max_completion_tokens", "max_tokens", "messages", "n", "response_format")
# What of `include` is there without being asked for. The rest is about probabilities, reasoning in a sealed form, and
# tools that are not offered.
_INCLUDED = frozenset({"message.input_image.image_url"})
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_MAX_METADATA = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """One response as asked for."""

    items: Sequence[Item] = field(repr=False)
    """Its own input; may contain references."""
    instructions: str | None = field(repr=False)
    previous_response_id: str | None
    store: bool | None
    """`None` where the caller did not say."""
    chat: Mapping[str, Any] = field(repr=False)
    """The chat completion without its messages."""
    shown: Mapping[str, Any] = field(repr=False)
    """The fields of the response that repeat the request's."""
    dropped: tuple[str, ...]
    """Names of fields that change nothing with any account."""
    origins: Mapping[str, tuple[str, str]]
    """Namespace and name of the functions that have one, by the name that the model is told."""

    def turns(self, conversation: Sequence[Item], items: Sequence[Item]) -> Turns:
        """The messages for what was said before and the request's items, references resolved."""
        return write_turns(self.instructions, conversation, items)

    def chat_call(self, turns: Turns) -> ChatCall:
        """The chat completion. Raises `GatewayError` (400); use it under `turns.renaming()`."""
        return read_chat_call({**self.chat, "messages": turns.messages})


def read_response_request(values: Mapping[str, Any], new_id: Callable[[str], str]) -> ResponseRequest:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = Fields(values)
    _refuse_unsupported(body)
    model = body.required_text("model", max_length=256).strip()
    instructions = body.text("instructions")
    tools, tool_choice = read_tools(body), body.get("tool_choice")
    text_format = _text_format(body)
    reasoning = body.mapping("reasoning") or Fields({})
    text = body.mapping("text") or Fields({})
    effort = reasoning.choice("effort", _EFFORTS)
    verbosity = text.choice("verbosity", ("low", "medium", "high"))
    previous = body.text("previous_response_id")
    metadata = _metadata(body)
    chat: dict[str, Any] = {name: value for name, value in values.items() if name not in _OWN}
    chat |= {
        name: value
        for name, value in {
            "model": model,
            "max_completion_tokens": body.integer("max_output_tokens", lowest=1),
            "reasoning_effort": effort,
            "verbosity": verbosity,
            "response_format": _response_format(text_format),
            # The rest of the metadata is kept here, with the response.
            "metadata": {"session_id": metadata["session_id"]} if "session_id" in metadata else None,
            **chat_tools(body, tools),
        }.items()
        if value is not None
    }
    return ResponseRequest(
        items=read_input(body, new_id),
        instructions=instructions,
        previous_response_id=previous,
        store=None if body.get("store") is None else body.flag("store"),
        chat=chat,
        shown={
            "instructions": instructions,
            "max_output_tokens": chat.get("max_completion_tokens"),
            "max_tool_calls": body.integer("max_tool_calls", lowest=1),
            "model": model,
            "parallel_tool_calls": body.flag("parallel_tool_calls", default=True),
            "previous_response_id": previous,
            "prompt_cache_key": body.text("prompt_cache_key"),
            "reasoning": {"effort": effort, "summary": reasoning.choice("summary", ("auto", "concise", "detailed"))},
            "safety_identifier": body.text("safety_identifier"),
            "temperature": body.number("temperature", lowest=0, highest=2),
            "text": {"format": text_format} | ({"verbosity": verbosity} if verbosity else {}),
            "tool_choice": "auto" if tool_choice is None else tool_choice,
            "tools": list(tools.shown),
            "top_p": body.number("top_p", lowest=0, highest=1),
            "truncation": body.choice("truncation", ("auto", "disabled")) or "disabled",
            "user": body.text("user"),
            "metadata": metadata,
        },
        dropped=(*_dropped(body), *tools.dropped),
        origins=tools.origins,
    )


def _dropped(body: Fields) -> tuple[str, ...]:
    names = [name for name in _FOREIGN if body.get(name) is not None]
    included = body.items("include") or []
    if not all(isinstance(item, str) for item in included):
        raise body.wrong("include", "an array of strings")
    return (*names, *(["include"] if set(included) - _INCLUDED else []))


def _refuse_unsupported(body: Fields) -> None:
    """What would change the answer and is not offered is refused, never left out in silence."""
    if body.flag("background"):
        raise invalid(
            "'background' is not offered: nothing runs here after its request. Use a stream for long answers.",
            param="background",
            code="unsupported_value",
        )
    for name, instead in (
        ("conversation", "Continue a response with 'previous_response_id'."),
        ("prompt", "Send the prompt's text in 'instructions' and 'input'."),
        ("context_management", "Send a shorter conversation."),
    ):
        if body.get(name):
            raise invalid(f"'{name}' is not offered. {instead}", param=name, code="unsupported_parameter")


def _text_format(body: Fields) -> dict[str, Any]:
    """`text.format` as the response shows it."""
    text = body.mapping("text")
    value = text.mapping("format") if text else None
    kind = value.choice("type", ("text", "json_object", "json_schema")) if value else None
    if value is None or kind != "json_schema":
        return {"type": kind or "text"}
    schema = value.mapping("schema")
    if schema is None:
        raise value.missing("schema")
    shown = {"type": kind, "name": value.required_text("name", max_length=64), "schema": schema.values}
    return shown | {"description": value.text("description"), "strict": value.flag("strict")}


def _response_format(text_format: Mapping[str, Any]) -> dict[str, Any] | None:
    """The chat completion's word for the format."""
    if text_format["type"] == "text":
        return None
    fields = {name: value for name, value in text_format.items() if name != "type" and value is not None}
    return {"type": text_format["type"]} | ({"json_schema": fields} if fields else {})


def _metadata(body: Fields) -> dict[str, str]:
    metadata = body.mapping("metadata")
    if metadata is None:
        return {}
    if len(metadata.values) > _MAX_METADATA:
        raise body.wrong("metadata", f"an object of at most {_MAX_METADATA} pairs")
    return {name: metadata.text(name, max_length=512) or "" for name in metadata.values}
