"""The body of a response. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.errors import invalid
from gateway.http.fields import read_mapping, read_text
from gateway.models.capabilities import PARALLEL_TOOL_CALLS, REASONING_EFFORT
from gateway.prompt.body import LONGEST_NAME, TextBody, stop_field
from gateway.prompt.request import FieldNames, GenerationRequest
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.turns import file_places
from gateway.surfaces.responses.input_items import InputFields, Item, read_input
from gateway.surfaces.responses.tools import Origin, ToolChoice, ToolFields, read_tools, tool_specs, tools_of
from gateway.surfaces.responses.turns import THINKING, Turns, write_turns
from lazy_dataclasses import dataclass

NAMES = FieldNames(
    are_turns_alike=False,
    messages="input",
    max_tokens="max_output_tokens",
    response_format="text.format",
    reasoning_effort="reasoning.effort",
    verbosity="text.verbosity",
)
# What of `include` is there without being asked for. The rest is about probabilities, reasoning in a sealed form, and
# tools that are not offered.
_INCLUDED = frozenset({"message.input_image.image_url"})
_MAX_METADATA = 16
_LONGEST_VALUE = 512


class FormatItem(Body):
    """`text.format`."""

    type = fields.choice("text", "json_object", "json_schema")
    name = fields.text(max_length=64, description="Required with `json_schema`.")
    schema = fields.mapping("Required with `json_schema`.")
    description = fields.text()
    strict = fields.flag()


class TextItem(Body):
    """`text`."""

    format = fields.nested(FormatItem)
    verbosity = fields.choice("low", "medium", "high", description="As far as the model takes it.")


class ReasoningFields(Body):
    """`reasoning`."""

    effort = fields.choice(
        "none", "minimal", "low", "medium", "high", "xhigh", "max", description="As far as the model takes it."
    )
    summary = fields.choice("auto", "concise", "detailed")


def _metadata(value: Any, body: Body, name: str) -> dict[str, str]:
    pairs = read_mapping(value, body, name)
    if len(pairs) > _MAX_METADATA:
        raise body.wrong(name, f"an object of at most {_MAX_METADATA} pairs")
    inner = Body(pairs, body.param(name))
    # It becomes part of a key in the table, which has a limit.
    longest = {"session_id": LONGEST_NAME}
    return {
        key: "" if item is None else read_text(item, inner, key, longest.get(key, _LONGEST_VALUE))
        for key, item in pairs.items()
    }


def _not_offered(schema: str = "object") -> Field[Any]:
    return fields.anything({"type": schema}, "Not offered.")


class ResponseBody(InputFields, ToolFields, TextBody):
    """`POST /v1/responses`."""

    instructions = fields.text()
    previous_response_id = fields.text(description="Continues a stored response.")
    store = fields.maybe_flag("Whether the response is stored; by default it is.")
    max_output_tokens = fields.integer(lowest=1)
    max_tool_calls = fields.integer(lowest=1, description="Repeated in the response; nothing is limited by it.")
    reasoning = fields.nested(ReasoningFields)
    text = fields.nested(TextItem)
    metadata: Field[dict[str, str]] = Field(
        _metadata,
        lambda: {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": _MAX_METADATA},
        default={},
        description="Stored with the response. `session_id` names a conversation.",
    )
    stop = stop_field()
    # Chat completions' names of what `reasoning` and `text` have: some clients send them here, too.
    reasoning_effort = fields.option(fields.text(max_length=32, description="`reasoning.effort`, which wins."))
    verbosity = fields.option(fields.anything({"type": "string"}, "`text.verbosity`, which wins."))
    include = fields.strings(max_items=64)
    background = fields.flag("Not offered.")
    conversation = fields.anything({"type": ["object", "string"]}, "Not offered.")
    prompt = _not_offered()
    context_management = _not_offered("array")
    stream_options = fields.anything({"type": "object"})
    safety_identifier = fields.option(fields.text())
    user = fields.option(fields.text())
    suggested_replies = fields.flag("Ask for the follow-up questions that Poe suggests, where the account can.")


class CountBody(ResponseBody):
    """`POST /v1/responses/input_tokens`: counting needs no model."""

    model: Field[str | None] = fields.text(max_length=256)  # type: ignore[assignment]  # here it may be missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """One response as asked for."""

    items: Sequence[Item] = field(repr=False)
    """Its own input; may contain references."""
    instructions: str | None = field(repr=False)
    previous_response_id: str | None
    store: bool | None
    """`None` where the caller did not say."""
    shared: GenerationRequest = field(repr=False)
    """The request without its turns."""
    shown: Mapping[str, Any] = field(repr=False)
    """The fields of the response that repeat the request's."""
    origins: Mapping[str, Origin]
    """What the caller declared functions as, by the name that the model gets."""
    body: ToolFields = field(repr=False)

    def continuing(self, conversation: Sequence[Item], items: Sequence[Item]) -> ResponseRequest:
        """The request with what was said before and its own items, references resolved. Raises `GatewayError` (400)."""
        # Instructions of earlier responses are not repeated: OpenAI's do not carry over either.
        turns: Turns = write_turns(self.instructions, conversation, items)
        places = file_places(turns.messages, lambda index: turns.places[index])
        # Tools that came earlier in the conversation can still be called.
        more = tools_of(conversation, lambda _: "previous_response_id") + tools_of(items, lambda at: f"input[{at}]")
        tools = read_tools(self.body, more)
        options = replace(self.shared.options, dropped=(*self.shared.options.dropped, *sorted(turns.left_out)))
        specs = tool_specs(self.body, tools)
        shared = replace(self.shared, turns=tuple(turns.messages), places=places, specs=specs, options=options)
        return replace(self, shared=shared, origins=tools.origins)

    def generation_request(self, conversation: Sequence[Item], items: Sequence[Item]) -> GenerationRequest:
        """The continued request. Raises `GatewayError` (400)."""
        return self.continuing(conversation, items).shared


def read_response_request(
    values: Mapping[str, Any], new_id: Callable[[str], str], *, counts_only: bool = False
) -> ResponseRequest:
    """Normalise a body. `counts_only`: no answer is wanted, so that the model may be missing.

    Raises `GatewayError` (400), naming the field.
    """
    body = CountBody(values) if counts_only else ResponseBody(values)
    # First of all, so that nothing is read or stored for it.
    _refuse_unsupported(body)
    model = (body.model or "").strip()
    items = read_input(body, new_id)
    tools = read_tools(body, tools_of(items, lambda at: f"input[{at}]"))
    has_tools = bool(tools.functions)
    text_format = _text_format(body.text.format if body.text else None)
    effort = body.reasoning.effort if body.reasoning else None
    verbosity = body.text.verbosity if body.text else None
    # Without tools it means nothing, and providers refuse it.
    parallel = body.parallel_tool_calls if has_tools else None
    if not body.previous_response_id:
        # What is wrong with the choice is said at once, where no further tools can come.
        tool_specs(body, tools)
    shared = GenerationRequest(
        model=model,
        # Made in `continuing`: the conversation before has to be read from the table.
        turns=(),
        is_streamed=body.stream,
        max_tokens=body.max_output_tokens,
        stop=body.stop,
        options=body.read_options(
            NAMES,
            # This API's own fields win over the chat's names, which some clients send beside them.
            more={REASONING_EFFORT: effort, "verbosity": verbosity, PARALLEL_TOOL_CALLS: parallel},
            dropped=["include"] if set(body.include) - _INCLUDED else [],
        ),
        response_format=_response_format(text_format),
        wants_suggested_replies=body.wants_replies(asked=body.suggested_replies),
        session_id=body.metadata.get("session_id", "").strip() or None,
        cache_key=body.cache_key,
        may_truncate=body.may_truncate,
        names=NAMES,
        thinking_name=THINKING,
    )
    return ResponseRequest(
        items=items,
        instructions=body.instructions,
        previous_response_id=body.previous_response_id,
        store=body.store,
        shared=shared,
        shown=_shown(body, model, text_format, verbosity) | {"tools": tools.shown},
        # Calls are told as what the caller declared, not as what the model was told.
        origins=tools.origins,
        body=body,
    )


def _shown(body: ResponseBody, model: str, text_format: Mapping[str, Any], verbosity: str | None) -> dict[str, Any]:
    choice, reasoning = body.tool_choice, body.reasoning
    return {
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": body.max_tool_calls,
        "model": model,
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "prompt_cache_key": body.prompt_cache_key,
        "reasoning": {
            "effort": reasoning.effort if reasoning else None,
            "summary": reasoning.summary if reasoning else None,
        },
        "safety_identifier": body.safety_identifier,
        "temperature": body.temperature,
        "text": {"format": text_format} | ({"verbosity": verbosity} if verbosity else {}),
        # As the caller wrote it: a response repeats its request.
        "tool_choice": (choice.values if isinstance(choice, ToolChoice) else choice) or "auto",
        "top_p": body.top_p,
        "truncation": body.truncation or "disabled",
        "user": body.user,
        "metadata": body.metadata,
    }


def _refuse_unsupported(body: ResponseBody) -> None:
    """What would change the answer and is not offered is refused, never left out in silence."""
    if body.background:
        raise invalid(
            "'background' is not offered: nothing runs here after its request. Use a stream for long answers.",
            param="background",
            code="unsupported_value",
        )
    for name, value, instead in (
        ("conversation", body.conversation, "Continue a response with 'previous_response_id'."),
        ("prompt", body.prompt, "Send the prompt's text in 'instructions' and 'input'."),
        ("context_management", body.context_management, "Send a shorter conversation."),
    ):
        if value:
            raise invalid(f"'{name}' is not offered. {instead}", param=name, code="unsupported_parameter")


def _text_format(item: FormatItem | None) -> dict[str, Any]:
    """`text.format` as the response shows it."""
    if item is None or item.type != "json_schema":
        return {"type": (item.type if item else None) or "text"}
    if item.schema is None:
        raise item.missing("schema")
    if not (item.name or "").strip():
        raise item.missing("name") if item.name is None else item.wrong("name", "a string that is not empty")
    shown = {"type": item.type, "name": item.name, "schema": item.schema}
    return shown | {"description": item.description, "strict": item.strict}


def _response_format(text_format: Mapping[str, Any]) -> ResponseFormat | None:
    """The format as Poe's chat completions have it."""
    if text_format["type"] == "text":
        return None
    # Chat completions nest what this API has side by side.
    inner = {name: value for name, value in text_format.items() if name != "type" and value is not None}
    values = {"type": text_format["type"]} | ({"json_schema": inner} if inner else {})
    return ResponseFormat(values, text_format.get("schema"))
