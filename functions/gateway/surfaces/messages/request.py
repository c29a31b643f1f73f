"""The body of a message: the turns, the tools and what else is asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.errors import invalid
from gateway.http.fields import read_items, read_mapping
from gateway.http.schemas import TEXT, Schema, array, const, obj
from gateway.models.capabilities import PARALLEL_TOOL_CALLS, REASONING_EFFORT
from gateway.models.model import Model
from gateway.prompt.body import MAX_STOPS, STOP, SessionMetadata, TextBody, read_stops, session_id
from gateway.prompt.request import FieldNames, GenerationRequest
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.tool_specs import MAX_TOOL_NAME, MAX_TOOLS, Tool, ToolSpecs, is_web_search, normalise_function
from gateway.prompt.turns import MAX_MESSAGES, check_content, file_places
from gateway.surfaces.messages.blocks import THINKING, MessageItem, Turns
from lazy_dataclasses import dataclass
from reverse.declared import Steering, schemas_of, steer_by_tokens, steer_by_word

# The effort that stands for a budget: up to so many tokens.
_EFFORTS = ((4096, "low"), (16384, "medium"))
_MIN_BUDGET = 1024


@dataclass(frozen=True, slots=True)
class Thinking:
    """What the caller asked for; without `mode` nothing."""

    mode: str | None = None
    """`enabled` (with a budget), `adaptive`, `disabled`, or a newer word."""
    budget: int | None = None
    is_shown: bool = True

    def options(self, model: Model | None) -> dict[str, Any]:
        """The options that tell the model; empty where it has none for it."""
        steering = self._steering(model)
        # What the model declares is more exact than an effort.
        if steering is not None:
            return dict(steering.options)
        if self.mode == "enabled" and self.budget is not None and _takes_effort(model):
            # It takes an effort without declaring which.
            return {"reasoning_effort": next((name for limit, name in _EFFORTS if self.budget <= limit), "high")}
        return {}

    def is_ignored(self, model: Model | None) -> bool:
        """Whether the model is not told exactly this."""
        # Nothing was asked for, or the model was to decide, which it does anyway.
        if self.mode in (None, "adaptive"):
            return False
        steering = self._steering(model)
        return not self.options(model) if steering is None else not steering.is_exact

    def _steering(self, model: Model | None) -> Steering | None:
        schemas = schemas_of(model.parameters if model else None) or {}
        if self.mode == "disabled":
            return steer_by_word("none", schemas)
        return steer_by_tokens(self.budget, schemas) if self.mode == "enabled" and self.budget is not None else None


class ThinkingItem(Body):
    """`thinking`."""

    type = fields.required_text(max_length=32, description="`enabled` with a budget, `adaptive`, `disabled`.")
    budget_tokens = fields.integer(lowest=_MIN_BUDGET, description="May exceed `max_tokens`.")
    display = fields.anything({"type": "string"}, "`omitted` leaves the reasoning out of the answer.")


def read_thinking(item: ThinkingItem | None) -> Thinking:
    """The field `thinking`. Raises `GatewayError` (400), naming the field."""
    if item is None:
        return Thinking()
    mode, budget = item.type, item.budget_tokens
    if mode == "enabled" and budget is None:
        raise item.missing("budget_tokens")
    return Thinking(mode, budget, is_shown=mode != "disabled" and item.display != "omitted")


def _takes_effort(model: Model | None) -> bool:
    return model is not None and bool((model.reasoning or {}).get("supports_reasoning_effort"))


NAMES = FieldNames(
    are_turns_alike=False,
    stop="stop_sequences",
    response_format="output_config.format",
    reasoning_effort="output_config.effort",
    parallel_tool_calls="tool_choice.disable_parallel_tool_use",
)


_MODES = {"auto": "auto", "any": "required", "none": "none"}


class ToolItem(Body):
    """A tool. Those without a schema of their own are Anthropic's; they are left out and reported."""

    type = fields.text()
    name = fields.required_text(max_length=MAX_TOOL_NAME)
    description = fields.text()
    input_schema: Field[dict[str, Any]] = Field(read_mapping, lambda: {"type": "object"})
    strict = fields.flag("Whether arguments must fit the schema.")


class ToolChoice(Body):
    """`tool_choice`."""

    type = fields.required(fields.choice("auto", "any", "tool", "none"))
    name = fields.text(max_length=MAX_TOOL_NAME, description="Of the tool to call, with `tool`.")
    disable_parallel_tool_use = fields.flag()


def read_tools(items: list[ToolItem], choice: ToolChoice | None) -> ToolSpecs:
    """Check and normalise. Raises `GatewayError` (400), naming the field."""
    tools: list[Tool] = []
    dropped: list[str] = []
    for index, item in enumerate(items):
        # `custom` is this API's word for a caller's tool; all others run on Anthropic's servers.
        if (item.type or "custom") == "custom":
            tools.append({"type": "function", "function": _function(item)})
        else:
            dropped.append(f"tools[{index}]")
    searches = {item.name: f"tools[{index}]" for index, item in enumerate(items) if is_web_search(item.type)}
    # A choice that only a search can meet: whether the model has one is not known here.
    must_search = choice is not None and (
        (choice.type == "any" and not tools and bool(searches)) or (choice.type == "tool" and choice.name in searches)
    )
    # The model is not told of a search that it does not have; `prepare_chat` checks that it can.
    mode = None if choice is None or must_search else _mode(choice, tools, has_others=bool(dropped))
    is_parallel = choice is None or not choice.disable_parallel_tool_use
    specs = ToolSpecs.offering(tuple(tools), mode, is_parallel=is_parallel, dropped=tuple(dropped))
    return specs.searching(searches.values(), mode, must=must_search)


def _function(item: ToolItem) -> dict[str, Any]:
    # Only what chat completions have: `cache_control` and the like mean nothing there.
    function: dict[str, Any] = {"parameters": item.input_schema, "name": item.name}
    if item.description:
        function["description"] = item.description
    if item.strict:
        function["strict"] = True
    return normalise_function(function)


def _mode(choice: ToolChoice, tools: list[Tool], *, has_others: bool) -> Any:
    if choice.type == "tool":
        param = choice.param("name")
        if choice.name is None:
            raise choice.missing("name")
        if not any(tool["function"]["name"] == choice.name for tool in tools):
            raise invalid(f"'{param}' must name one of 'tools'.", param=param, code="invalid_value")
        return {"type": "function", "function": {"name": choice.name}}
    # An answer without a call would look as if the model had decided against one.
    if choice.type == "any" and not tools:
        problem = (
            "asks for a call, but none of 'tools' is offered here" if has_others else "is only allowed with 'tools'"
        )
        raise invalid(f"'tool_choice' {problem}.", param="tool_choice", code="invalid_value")
    return _MODES[choice.type]


class FormatItem(Body):
    """`output_config.format`."""

    type = fields.choice("json_schema")
    schema = fields.mapping()


class OutputConfig(Body):
    """`output_config`."""

    effort = fields.choice("low", "medium", "high", "xhigh", "max", description="As far as the model takes it.")
    format = fields.nested(FormatItem)


def _stops(value: Any, body: Body, name: str) -> tuple[str, ...]:
    items = read_items(value, body, name, MAX_STOPS)
    if not all(isinstance(item, str) for item in items):
        raise body.wrong(name, "an array of strings")
    return read_stops(items, body, name)


_SYSTEM: Schema = {"anyOf": [TEXT, array(obj("type text", type=const("text"), text=TEXT))]}


class PromptBody(TextBody):
    """`POST /v1/messages/count_tokens`: what the prompt consists of."""

    messages = fields.required_objects(MessageItem, max_items=MAX_MESSAGES, item="message")
    system = fields.anything(_SYSTEM)
    tools = fields.objects(ToolItem, max_items=MAX_TOOLS)
    tool_choice = fields.nested(ToolChoice)
    output_config = fields.nested(OutputConfig)
    output_format = fields.nested(FormatItem, "`output_config.format` as it was called first; that one wins.")
    thinking = fields.nested(ThinkingItem)
    max_tokens = fields.integer(lowest=1)
    stop_sequences: Field[tuple[str, ...]] = Field(_stops, lambda: array(STOP, maxItems=MAX_STOPS), default=())
    metadata = fields.nested(SessionMetadata)
    service_tier = fields.choice("auto", "standard_only")
    cache_control = fields.anything({"type": "object"}, "Taken and not needed: Poe's providers cache by themselves.")
    suggested_replies = fields.flag("Ask Poe for follow-up questions. This API has no place to show them.")


class MessageBody(PromptBody):
    """`POST /v1/messages`."""

    # Required, as in Anthropic's API; only counting goes without.
    max_tokens = fields.required(fields.integer(lowest=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRequest:
    """One message as asked for."""

    thinking: Thinking
    parameters: Mapping[str, Any] = field(repr=False)
    """The bot's own options, as the caller names them."""
    effort: str | None
    body: PromptBody = field(repr=False)
    shared: GenerationRequest = field(repr=False)
    """The request, except for what depends on the model's options."""
    dropped: tuple[str, ...]
    """Names of what no model gets."""

    @property
    def model(self) -> str:
        """As the caller wrote it."""
        return self.shared.model

    def generation_request(self, model: Model | None) -> GenerationRequest:
        """The request for a model, `None` if nobody lists it."""
        parameters = {**self.thinking.options(model), **self.parameters}
        # Two fields of this API lead to one option: the explicit effort wins over the one that a budget stands for.
        effort = parameters.pop(REASONING_EFFORT, None)
        # Only the wish for single calls is passed on: several at once is what models do by themselves.
        parallel = None if self.shared.specs.is_parallel else False
        dropped = [*self.dropped, *(["thinking"] if self.thinking.is_ignored(model) else [])]
        options = self.body.read_options(
            NAMES,
            more={REASONING_EFFORT: self.effort or effort, PARALLEL_TOOL_CALLS: parallel},
            parameters=parameters,
            dropped=dropped,
        )
        return replace(self.shared, options=options)


def read_messages_request(values: Mapping[str, Any], *, counts_only: bool = False) -> MessagesRequest:
    """Normalise a body. `counts_only`: no answer is wanted, so that its limit may be missing.

    Raises `GatewayError` (400), naming the field.
    """
    body = PromptBody(values) if counts_only else MessageBody(values)
    model, max_tokens = body.model.strip(), body.max_tokens
    turns = Turns()
    turns.add_system(body.system, body)
    for item in body.messages:
        turns.add(item)
    check_content(turns.messages, "messages")
    # Read only to be checked: Poe has no tiers, and both values mean what happens anyway.
    _ = body.service_tier
    # `user_id` among them: it names a person, no conversation.
    metadata = body.metadata.undeclared() if body.metadata else {}
    output = body.output_config
    shared = GenerationRequest(
        model=model,
        turns=tuple(turns.messages),
        places=file_places(turns.messages, lambda index: turns.places[index]),
        is_streamed=body.stream,
        max_tokens=max_tokens,
        stop=body.stop_sequences,
        # Only who finds a stop sequence can say which one it was.
        is_stopped_here=True,
        specs=read_tools(body.tools, body.tool_choice),
        response_format=_response_format((output.format if output else None) or body.output_format),
        wants_suggested_replies=body.wants_replies(asked=body.suggested_replies),
        session_id=session_id(body.metadata),
        cache_key=body.cache_key,
        may_truncate=body.may_truncate,
        names=NAMES,
        thinking_name=THINKING,
    )
    request = MessagesRequest(
        thinking=read_thinking(body.thinking),
        parameters=body.bot_parameters,
        effort=output.effort if output else None,
        body=body,
        shared=shared,
        dropped=(*turns.dropped, *(f"metadata.{name}" for name in metadata)),
    )
    # What is wrong with an option is said before the model is looked up.
    _ = body.options()
    return request


def _response_format(item: FormatItem | None) -> ResponseFormat | None:
    if item is None or item.type is None:
        return None
    if item.schema is None:
        raise item.missing("schema")
    # Chat completions want a name, which this API has none for.
    values = {"type": "json_schema", "json_schema": {"name": "output", "schema": item.schema, "strict": True}}
    return ResponseFormat(values, item.schema)
