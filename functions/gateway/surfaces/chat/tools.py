"""`tools` and `tool_choice` of a chat completion, and their predecessors `functions` and `function_call`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body
from gateway.http.errors import GatewayError, invalid
from gateway.http.schemas import Schema, enum, obj
from gateway.prompt.tool_specs import (
    MAX_TOOL_NAME,
    Tool,
    ToolSpecs,
    function_name,
    function_of,
    grammar_of,
    is_web_search,
    normalise_function,
)

# OpenAI's limit for this API.
MAX_TOOLS = 128
MODES = ("auto", "none", "required")


class FunctionItem(Body):
    """The definition of a function."""

    name = fields.required_text(max_length=MAX_TOOL_NAME)
    description = fields.text()
    parameters = fields.mapping("The JSON Schema of the arguments.")
    strict = fields.maybe_flag("Whether arguments must fit the schema.")


class CustomItem(Body):
    """The definition of a tool that takes plain text."""

    name = fields.required_text(max_length=MAX_TOOL_NAME)
    description = fields.text()
    format = fields.anything({"type": "object"}, "Text, or a grammar that the model is told.")


class ToolItem(Body):
    """A function or a custom tool. Others are left out and reported."""

    type = fields.text()
    function = fields.nested(FunctionItem)
    custom = fields.nested(CustomItem, "A tool that takes plain text. The model is told of it as a function.")


def _named(kind: str) -> Schema:
    return obj(f"type {kind}", **{"type": {"const": kind}, kind: obj("name", name={"type": "string"})})


_CHOICE: Schema = {
    "anyOf": [
        enum(*MODES),
        _named("function"),
        _named("custom"),
        obj(
            "type allowed_tools",
            type={"const": "allowed_tools"},
            allowed_tools=obj("mode tools", mode=enum("auto", "required"), tools={"type": "array"}),
        ),
    ]
}
_LEGACY_CHOICE: Schema = {"anyOf": [enum("auto", "none"), obj("name", name={"type": "string"})]}


class ToolFields(Body):
    """The fields that offer tools."""

    tools = fields.objects(ToolItem, max_items=MAX_TOOLS)
    tool_choice = fields.anything(_CHOICE)
    parallel_tool_calls = fields.maybe_flag("Whether one answer may hold several calls.")
    functions = fields.objects(FunctionItem, max_items=MAX_TOOLS, description="Predecessor of `tools`.")
    function_call = fields.anything(_LEGACY_CHOICE, "Predecessor of `tool_choice`.")


def read_tools(body: ToolFields) -> ToolSpecs:
    """Check and normalise. Raises `GatewayError` (400), naming the field."""
    tools, dropped, free_form = _read_tools(body)
    choice = _read_choice(body)
    is_legacy = False
    # Clients that send both mean `tools`; the predecessor is read only where there are none.
    if not tools and not dropped:
        # Told as tools, which is the only form that Poe knows.
        tools = tuple(_tool(item, {}) for item in body.functions)
        is_legacy = bool(tools)
        choice = _legacy_choice(body) if is_legacy else choice
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        tools, choice = _allowed(choice, tools, body)
    searches = [f"tools[{index}]" for index, item in enumerate(body.tools) if is_web_search(item.type)]
    # OpenAI's way to ask for a search in this API, where it has no tool for it.
    searches += ["web_search_options"] if body.values.get("web_search_options") is not None else []
    # A choice that only a search can meet: whether the model has one is not known here.
    names_search = _is_search_choice(choice)
    if names_search and not searches:
        raise _bad_choice(body)
    must_search = names_search or (choice == "required" and not tools and bool(searches))
    # The model is not told of a tool that it does not have; `prepare_chat` checks that it can search.
    choice = None if must_search else choice
    # Otherwise an answer without a call would look as if the model had decided against one.
    if not tools and choice not in (None, "none", "auto"):
        problem = "asks for a call, but none of 'tools' is offered here" if dropped else "is only allowed with 'tools'"
        raise invalid(f"'tool_choice' {problem}.", param="tool_choice", code="invalid_value")
    # `function_call` has room for one call.
    is_parallel = not is_legacy and body.parallel_tool_calls is not False
    specs = ToolSpecs.offering(
        tools, choice, is_parallel=is_parallel, is_legacy=is_legacy, dropped=dropped, free_form=free_form
    )
    specs = specs.searching(searches, choice, must=must_search)
    if specs.tools and not specs.callable_tools:
        raise invalid("'tool_choice' names no function of 'tools'.", param="tool_choice", code="invalid_value")
    return specs


def _read_tools(body: ToolFields) -> tuple[tuple[Tool, ...], tuple[str, ...], frozenset[str]]:
    """The tools as functions, the places of those that Poe has nothing like, and the names of those that take text."""
    kept: list[Tool] = []
    dropped: list[str] = []
    free_form: set[str] = set()
    for index, item in enumerate(body.tools):
        # Some clients leave the type out: there was only one for years.
        match item.type or "function":
            case "function":
                if item.function is None:
                    raise item.missing("function")
                kept.append(_tool(item.function, item.values))
            case "custom":
                if (custom := item.custom) is None:
                    raise item.missing("custom")
                function = function_of(custom.name, custom.description, grammar_of(custom.format))
                kept.append({"type": "function", "function": function})
                free_form.add(custom.name)
            case _:
                # Left out instead of refused: agents list tools that they can do without.
                dropped.append(f"tools[{index}]")
    return tuple(kept), tuple(dropped), frozenset(free_form)


def _tool(function: FunctionItem, around: Mapping[str, Any]) -> Tool:
    _check(function)
    # The definition as the caller wrote it: providers know fields that are not declared here.
    return {**around, "type": "function", "function": normalise_function(function.values)}


def _check(function: FunctionItem) -> None:
    """Raises `GatewayError` (400). Reading a field checks it; the definition is passed on as it is."""
    _ = function.name, function.description, function.parameters


def _read_choice(body: ToolFields) -> Any:
    value = body.tool_choice
    if value is None or value in MODES:
        return value
    if isinstance(value, dict):
        if value.get("type") == "allowed_tools":
            return value
        if _is_search_choice(value):
            return value
        if (name := _chosen_name(value)) is not None:
            return {"type": "function", "function": {"name": name}}
    raise _bad_choice(body)


def _is_search_choice(choice: Any) -> bool:
    return isinstance(choice, Mapping) and is_web_search(choice.get("type"))


def _chosen_name(value: Mapping[str, Any]) -> str | None:
    """The name of the function or custom tool that a choice names."""
    kind = value.get("type")
    named = value.get(kind) if kind in ("function", "custom") else None
    name = named.get("name") if isinstance(named, dict) else None
    return name if isinstance(name, str) else None


def _bad_choice(body: Body) -> GatewayError:
    return body.wrong("tool_choice", "'auto', 'none', 'required', or an object that names a function")


def _legacy_choice(body: ToolFields) -> Any:
    value = body.function_call
    if value is None or value in ("auto", "none"):
        return value
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return {"type": "function", "function": {"name": value["name"]}}
    raise body.wrong("function_call", "'auto', 'none', or an object that names a function")


def _allowed(choice: Mapping[str, Any], tools: Sequence[Tool], body: Body) -> tuple[tuple[Tool, ...], Any]:
    """`allowed_tools` is the same as offering only those tools."""
    allowed = choice.get("allowed_tools")
    listed = allowed.get("tools") if isinstance(allowed, dict) else None
    if not isinstance(allowed, dict) or allowed.get("mode") not in ("auto", "required") or not isinstance(listed, list):
        raise body.wrong("tool_choice.allowed_tools", "an object with 'mode' (auto, required) and 'tools'")
    # A list of what is allowed may name hosted tools, too; those were left out above.
    names = {_chosen_name({"type": "function", **item}) for item in listed if isinstance(item, dict)}
    kept = tuple(tool for tool in tools if function_name(tool) in names)
    if not kept:
        raise invalid("'tool_choice' allows no function of 'tools'.", param="tool_choice", code="invalid_value")
    return kept, allowed["mode"]
