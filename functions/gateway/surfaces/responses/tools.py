"""The tools of a response. Pure.

Functions that are grouped in a namespace are offered under a name that holds both; in the answer their calls have the
namespace and the name apart again, as the caller knows them. Custom tools, which take plain text, and a search for
tools that the caller runs itself are told to the model as functions, and called as what they were declared as. Tools
that OpenAI's own servers run are left out and reported: agents list some by default and go on without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any, Literal, cast

from gateway.http import fields
from gateway.http.declared_body import Body, Field, typed
from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import bad_value, read_objects, read_text, required_type
from gateway.http.schemas import Schema, enum
from gateway.prompt.tool_specs import (
    MAX_TOOL_NAME,
    MAX_TOOLS,
    ToolSpecs,
    function_of,
    grammar_of,
    is_web_search,
    normalise_function,
)
from gateway.surfaces.responses.input_items import Item, ToolsItem
from lazy_dataclasses import dataclass

Tool = dict[str, Any]
_MODES = ("none", "auto", "required")
# Tells seals of reasoning that a provider of the Messages API gave from what others have encrypted.
SEAL = "claude#"
TOOL_SEARCH = "tool_search"
_SENT = ("name", "description", "parameters", "strict")


class FunctionItem(Body):
    """A function."""

    type = fields.required_text()
    name = fields.required_text(max_length=MAX_TOOL_NAME)
    description = fields.text()
    parameters = fields.mapping("The JSON Schema of the arguments.")
    strict = fields.maybe_flag()


class CustomItem(Body):
    """A tool that takes plain text."""

    type = fields.required_text()
    name = fields.required_text(max_length=MAX_TOOL_NAME)
    description = fields.text()
    format = fields.anything({"type": "object"}, "Text, or a grammar that the model is told.")


class ToolSearchItem(Body):
    """A search for further tools. Offered where the caller runs it."""

    type = fields.required_text()
    execution = fields.text(description="`client`; `server` is not offered.")
    description = fields.text()
    parameters = fields.mapping("The JSON Schema of the search's arguments.")


class NamespaceItem(Body):
    """Functions and custom tools that share a namespace."""

    type = fields.required_text()
    name = fields.required_text(max_length=MAX_TOOL_NAME)
    description = fields.text()
    tools = fields.objects(FunctionItem, max_items=MAX_TOOLS)


class ChosenFunction(Body):
    """A function that a choice names."""

    type = fields.text()
    name = fields.required_text()
    namespace = fields.text()


class ToolChoice(Body):
    """`tool_choice` where it is an object: one function, or `allowed_tools`."""

    type = fields.required_text()
    mode = fields.choice("auto", "required")
    tools = fields.objects(ChosenFunction, max_items=MAX_TOOLS)


def _choice(value: Any, body: Body, name: str) -> str | ToolChoice:
    if isinstance(value, dict):
        return ToolChoice(value, body.param(name))
    if read_text(value, body, name) not in _MODES:
        raise bad_value(body, name, _MODES)
    return str(value)


def _choice_schema() -> Schema:
    function = typed({"function": ChosenFunction})[0]
    allowed = typed({"allowed_tools": ToolChoice})[0]
    return {"anyOf": [enum(*_MODES), function, allowed]}


def _tools_schema() -> Schema:
    kinds = {
        "function": FunctionItem,
        "custom": CustomItem,
        "namespace": NamespaceItem,
        "tool_search": ToolSearchItem,
    }
    # Tools of other types are left out.
    others: Schema = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}
    return {"type": "array", "maxItems": MAX_TOOLS, "items": {"anyOf": [*typed(kinds), others]}}


class ToolFields(Body):
    """The fields that offer tools."""

    tools: Field[list[Body]] = Field(
        lambda value, body, name: read_objects(value, body, name, Body, MAX_TOOLS), _tools_schema, default=[]
    )
    tool_choice: Field[str | ToolChoice | None] = Field(_choice, _choice_schema, default=None)
    parallel_tool_calls = fields.maybe_flag("Whether one answer may hold several calls.")


CallKind = Literal["function", "custom", "tool_search"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the caller declared a function as."""

    name: str
    namespace: str | None = None
    kind: CallKind = "function"


@dataclass(slots=True)
class ResponseTools:
    """What may be called."""

    shown: list[Tool] = field(default_factory=list)
    """As the response shows them."""
    functions: list[Tool] = field(default_factory=list, repr=False)
    """As the model is told of them, under their full names."""
    origins: dict[str, Origin] = field(default_factory=dict)
    """By the full name; plain functions are not listed."""
    dropped: list[str] = field(default_factory=list)
    """What was left out, by its place."""
    web_searches: list[str] = field(default_factory=list)
    """Those of them that search the web."""
    _names: set[str] = field(default_factory=set)

    def add(self, item: Body) -> bool:
        """Offer a tool; whether anything of it is offered. Raises `GatewayError` (400), naming the field."""
        if required_type(item) == "namespace":
            return self._add_namespace(NamespaceItem(item.values, item.path))
        return self._add_one(item, None)

    def _add_namespace(self, namespace: NamespaceItem) -> bool:
        # A list, not a generator: `any` would stop at the first one that is offered.
        found = [self._add_one(inner, namespace.name) for inner in namespace.tools]
        # There is no place for it: functions are offered one by one.
        if namespace.description:
            self.dropped.append(namespace.param("description"))
        return any(found)

    def _add_one(self, item: Body, namespace: str | None) -> bool:
        match required_type(item):
            case "function":
                function, kind = _read_function(FunctionItem(item.values, item.path)), "function"
            case "custom":
                function, kind = _read_custom(CustomItem(item.values, item.path)), "custom"
            # One that runs on OpenAI's servers could not find anything here.
            case "tool_search" if item.values.get("execution") == "client":
                function, kind = _read_search(ToolSearchItem(item.values, item.path)), "tool_search"
            case other:
                self.dropped.append(item.path)
                # Dropped for now: whether the model has a search of its own is known with its facts.
                self.web_searches += [item.path] if is_web_search(other) else []
                return False
        self._offer(function, Origin(function["name"], namespace, cast("CallKind", kind)))
        return True

    def _offer(self, function: Tool, origin: Origin) -> None:
        """Each name once: what was found by a search is declared again with every turn."""
        name = full_name(origin.namespace, origin.name)
        if name in self._names:
            return
        self._names.add(name)
        # Plain functions need no translation back.
        if origin.namespace or origin.kind != "function":
            self.origins[name] = origin
        # The full name is what the model calls; the caller's own is kept in `origins`.
        self.functions.append(function | {"name": name})


def full_name(namespace: str | None, name: str) -> str:
    """The one name that a model calls the function by."""
    # Two underscores, as agents write it themselves; names may have no dots.
    return f"{namespace.rstrip('_')}__{name}" if namespace else name


def read_tools(body: ToolFields, more: Sequence[Body] = ()) -> ResponseTools:
    """The field `tools`, and `more` tools that came with the input.

    Raises `GatewayError` (400), naming the field.
    """
    tools = ResponseTools()
    for item in body.tools:
        # Shown only if offered: the response repeats what could be called.
        if tools.add(item):
            tools.shown.append(_shown(item))
    for item in more:
        tools.add(item)
    return tools


def _shown(item: Body) -> Tool:
    # OpenAI shows a function with all of its fields, null where they were not said; strict clients rely on it.
    is_function = item.values.get("type") == "function"
    return _read_function(FunctionItem(item.values, item.path)) if is_function else dict(item.values)


def _read_function(item: FunctionItem) -> Tool:
    return {
        "type": "function",
        "name": item.name,
        "description": item.description,
        "parameters": item.parameters,
        "strict": item.strict,
    }


def _read_custom(item: CustomItem) -> Tool:
    return function_of(item.name, item.description, grammar_of(item.format))


def _read_search(item: ToolSearchItem) -> Tool:
    description = item.description or "Search for further tools. What is found can be called from the next turn on."
    return {"name": TOOL_SEARCH, "description": description, "parameters": item.parameters}


def tool_specs(body: ToolFields, tools: ResponseTools) -> ToolSpecs:
    """What may be called and what must be. Raises `GatewayError` (400), naming the field."""
    choice: str | ToolChoice | None = body.tool_choice
    functions: Sequence[Tool] = tools.functions
    mode: Any = choice
    names_search = isinstance(choice, ToolChoice) and is_web_search(choice.type)
    # A choice that only a search can meet: whether the model has one is not known here.
    must_search = bool(tools.web_searches) and (names_search or (choice == "required" and not functions))
    if must_search:
        mode = None
    elif isinstance(choice, ToolChoice):
        mode, functions = _read_choice(choice, functions)
    # An answer without a call would look as if the model had decided against one.
    if not functions and mode == "required":
        problem = "asks for a call, but none of 'tools' is offered here" if tools.dropped else "needs 'tools'"
        raise invalid(f"'tool_choice' {problem}.", param="tool_choice", code="invalid_value")
    # Null means that nobody said, which is told by leaving the field out.
    sent = [{name: function[name] for name in _SENT if function.get(name) is not None} for function in functions]
    specs = ToolSpecs.offering(
        tuple({"type": "function", "function": normalise_function(function)} for function in sent),
        mode,
        is_parallel=body.parallel_tool_calls is not False,
        dropped=tuple(tools.dropped),
        free_form=frozenset(name for name, origin in tools.origins.items() if origin.kind == "custom"),
    )
    return specs.searching(tools.web_searches, mode, must=must_search)


def _read_choice(choice: ToolChoice, functions: Sequence[Tool]) -> tuple[Any, Sequence[Tool]]:
    """The mode or the named function, and the functions that are left for it."""
    match choice.type:
        case "function" | "custom":
            name = _chosen_name(ChosenFunction(choice.values, choice.path))
            if not _named(functions, {name}):
                raise _no_such_tool(choice, "name")
            return {"type": "function", "function": {"name": name}}, functions
        case "allowed_tools":
            mode = choice.mode or "auto"
            names = {_chosen_name(item) for item in _functions_among(choice)}
            allowed = _named(functions, names)
            # A name that leads nowhere is a typo; leaving it out would narrow what may be called without a word.
            if len({tool["name"] for tool in allowed}) < len(names) or not names:
                raise _no_such_tool(choice, "tools")
            return mode, allowed
    raise invalid(
        "'tool_choice' must name a function or a custom tool, or list allowed ones: other tools are not offered.",
        param="tool_choice.type",
        code="unsupported_tool",
    )


def _functions_among(choice: ToolChoice) -> Iterator[ChosenFunction]:
    for item in choice.tools:
        # Allowed tools of other kinds were left out where tools were read.
        if item.type in (None, "function", "custom"):
            yield item


def _chosen_name(item: ChosenFunction) -> str:
    return full_name(item.namespace, item.name)


def _named(functions: Sequence[Tool], names: set[str]) -> list[Tool]:
    return [function for function in functions if function["name"] in names]


def _no_such_tool(choice: Body, name: str) -> GatewayError:
    param = choice.param(name)
    return invalid(f"'{param}' must name functions that 'tools' has.", param=param, code="invalid_value")


def tools_of(items: Sequence[Item], place: Callable[[int], str]) -> list[Body]:
    """The tools that came with items, in order; `place` tells where an item is. Raises `GatewayError` (400)."""
    found: list[Body] = []
    for index, item in enumerate(items):
        # What a search has found can be called from then on, as if the request had offered it.
        if item["type"] in ("additional_tools", "tool_search_output"):
            found += ToolsItem(item, place(index)).tools
    return found
