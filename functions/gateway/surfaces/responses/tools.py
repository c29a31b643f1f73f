"""The tools of a response. Pure.

Functions that are grouped in a namespace are offered under a name that holds both; in the answer their calls have the
namespace and the name apart again, as the caller knows them. Tools that OpenAI's own servers run, or whose input is no
JSON, are left out and reported where functions remain: agents list some by default and go on without them. A request
that has nothing else is refused, because its answer would not be what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.http import fields
from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import Body, Field
from gateway.http.schemas import Schema, enum
from gateway.prompt.tool_specs import MAX_TOOL_NAME, MAX_TOOLS, ToolSpecs, normalise_function

Tool = dict[str, Any]
_MODES = ("none", "auto", "required")
_SENT = ("name", "description", "parameters", "strict")


class FunctionItem(Body):
    """A function."""

    type = fields.required_text()
    name = fields.required_text(max_length=MAX_TOOL_NAME)
    description = fields.text()
    parameters = fields.mapping("The JSON Schema of the arguments.")
    strict = fields.maybe_flag()


class NamespaceItem(Body):
    """Functions that share a namespace."""

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
    if fields.read_text(value, body, name) not in _MODES:
        raise fields.bad_value(body, name, _MODES)
    return str(value)


def _choice_schema() -> Schema:
    function = fields.typed({"function": ChosenFunction})[0]
    allowed = fields.typed({"allowed_tools": ToolChoice})[0]
    return {"anyOf": [enum(*_MODES), function, allowed]}


def _tools_schema() -> Schema:
    tools = fields.typed({"function": FunctionItem, "namespace": NamespaceItem})
    return {"type": "array", "maxItems": MAX_TOOLS, "items": {"oneOf": tools}}


class ToolFields(Body):
    """The fields that offer tools."""

    tools: Field[list[Body]] = Field(
        lambda value, body, name: fields.read_objects(value, body, name, Body, MAX_TOOLS), _tools_schema, default=[]
    )
    tool_choice: Field[str | ToolChoice | None] = Field(_choice, _choice_schema, default=None)
    parallel_tool_calls = fields.maybe_flag("Whether one answer may hold several calls.")


@dataclass(frozen=True, slots=True)
class ResponseTools:
    """What may be called."""

    shown: Sequence[Tool] = ()
    """As the response shows them."""
    functions: Sequence[Tool] = field(default=(), repr=False)
    """Those of namespaces among them, under their full names."""
    origins: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Namespace and name by full name."""
    dropped: tuple[str, ...] = ()
    """What was left out, by its place."""


def full_name(namespace: str | None, name: str) -> str:
    """The one name that a model calls the function by."""
    return f"{namespace.rstrip('_')}__{name}" if namespace else name


def read_tools(body: ToolFields) -> ResponseTools:
    """The field `tools`. Raises `GatewayError` (400), naming the field."""
    shown: list[Tool] = []
    functions: list[Tool] = []
    origins: dict[str, tuple[str, str]] = {}
    refused: list[Body] = []
    dropped: list[str] = []
    for item in body.tools:
        kind = fields.required_type(item)
        if kind == "function":
            functions.append(_read_function(FunctionItem(item.values, item.path)))
            shown.append(functions[-1])
        elif kind == "namespace":
            namespace = NamespaceItem(item.values, item.path)
            for inner in namespace.tools:
                if inner.type != "function":
                    refused.append(inner)
                    continue
                function = _read_function(inner)
                name = full_name(namespace.name, function["name"])
                origins[name] = (namespace.name, function["name"])
                functions.append(function | {"name": name})
            dropped += [item.param("description")] if namespace.description else []
            shown.append(dict(item.values))
        else:
            refused.append(item)
    if refused and not functions:
        raise _unsupported(refused[0])
    dropped += [item.path for item in refused]
    return ResponseTools(shown, functions, origins, tuple(dropped))


def _read_function(item: FunctionItem) -> Tool:
    return {
        "type": "function",
        "name": item.name,
        "description": item.description,
        "parameters": item.parameters,
        "strict": item.strict,
    }


def _unsupported(item: Body) -> GatewayError:
    kind = str(item.values.get("type"))[:40]
    return invalid(
        f"Tools of type '{kind}' are not offered, only 'function'.", param=item.param("type"), code="unsupported_tool"
    )


def tool_specs(body: ToolFields, tools: ResponseTools) -> ToolSpecs:
    """What may be called and what must be. Raises `GatewayError` (400), naming the field."""
    choice, functions = body.tool_choice, tools.functions
    mode: Any = choice
    if isinstance(choice, ToolChoice):
        mode, functions = _read_choice(choice, functions)
    if not functions and mode == "required":
        raise invalid("'tool_choice' needs 'tools' to choose from.", param="tool_choice", code="invalid_value")
    sent = [{name: function[name] for name in _SENT if function[name] is not None} for function in functions]
    offered = tuple({"type": "function", "function": normalise_function(function)} for function in sent)
    return ToolSpecs.offering(offered, mode, is_parallel=body.parallel_tool_calls is not False, dropped=tools.dropped)


def _read_choice(choice: ToolChoice, functions: Sequence[Tool]) -> tuple[Any, Sequence[Tool]]:
    """The mode or the named function, and the functions that are left for it."""
    match choice.type:
        case "function":
            name = _chosen_name(ChosenFunction(choice.values, choice.path))
            if not _named(functions, {name}):
                raise _no_such_tool(choice, "name")
            return {"type": "function", "function": {"name": name}}, functions
        case "allowed_tools":
            mode = choice.mode or "auto"
            names = {_chosen_name(item) for item in _functions_among(choice)}
            allowed = _named(functions, names)
            if len({tool["name"] for tool in allowed}) < len(names) or not names:
                raise _no_such_tool(choice, "tools")
            return mode, allowed
    raise invalid(
        "'tool_choice' must name a function, or list allowed ones: other tools are not offered.",
        param="tool_choice.type",
        code="unsupported_tool",
    )


def _functions_among(choice: ToolChoice) -> Iterator[ChosenFunction]:
    for item in choice.tools:
        if item.type in (None, "function"):
            yield item


def _chosen_name(item: ChosenFunction) -> str:
    return full_name(item.namespace, item.name)


def _named(functions: Sequence[Tool], names: set[str]) -> list[Tool]:
    return [function for function in functions if function["name"] in names]


def _no_such_tool(choice: Body, name: str) -> GatewayError:
    param = choice.param(name)
    return invalid(f"'{param}' must name functions that 'tools' has.", param=param, code="invalid_value")
