"""The tools of a response, told as those of a chat completion. Pure.

Functions that are grouped in a namespace are offered under a name that holds both; in the answer their calls have the
namespace and the name apart again, as the caller knows them. Tools that OpenAI's own servers run, or whose input is no
JSON, are left out and reported where functions remain: agents list some by default and go on without them. A request
that has nothing else is refused, because its answer would not be what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import Fields
from gateway.prompt.request import MAX_TOOLS

Tool = dict[str, Any]
_MAX_NAME = 256
_TOLD = ("name", "description", "parameters", "strict")


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


def read_tools(body: Fields) -> ResponseTools:
    """The field `tools`. Raises `GatewayError` (400), naming the field."""
    shown: list[Tool] = []
    functions: list[Tool] = []
    origins: dict[str, tuple[str, str]] = {}
    refused: list[Fields] = []
    dropped: list[str] = []
    for item in body.objects("tools", max_items=MAX_TOOLS) or ():
        kind = item.required_text("type")
        if kind == "function":
            functions.append(_read_function(item))
            shown.append(functions[-1])
        elif kind == "namespace":
            namespace = item.required_text("name", max_length=_MAX_NAME)
            for inner in item.objects("tools", max_items=MAX_TOOLS) or ():
                if inner.required_text("type") != "function":
                    refused.append(inner)
                    continue
                function = _read_function(inner)
                name = full_name(namespace, function["name"])
                origins[name] = (namespace, function["name"])
                functions.append(function | {"name": name})
            dropped += [item.param("description")] if item.text("description") else []
            shown.append(dict(item.values))
        else:
            refused.append(item)
    if refused and not functions:
        raise _unsupported(refused[0])
    dropped += [item.param("type").removesuffix(".type") for item in refused]
    return ResponseTools(shown, functions, origins, tuple(dropped))


def _read_function(item: Fields) -> Tool:
    parameters = item.mapping("parameters")
    return {
        "type": "function",
        "name": item.required_text("name", max_length=_MAX_NAME),
        "description": item.text("description"),
        "parameters": None if parameters is None else parameters.values,
        "strict": None if item.get("strict") is None else item.flag("strict"),
    }


def _unsupported(item: Fields) -> GatewayError:
    kind = str(item.get("type"))[:40]
    return invalid(
        f"Tools of type '{kind}' are not offered, only 'function'.", param=item.param("type"), code="unsupported_tool"
    )


def chat_tools(body: Fields, tools: ResponseTools) -> dict[str, Any]:
    """`tools` and `tool_choice` of the chat completion. Raises `GatewayError` (400), naming the field."""
    choice, functions = body.get("tool_choice"), tools.functions
    if isinstance(choice, dict):
        choice, functions = _read_choice(Fields(choice, "tool_choice"), functions)
    elif choice is not None:
        body.choice("tool_choice", ("none", "auto", "required"))
    if not functions:
        if choice == "required":
            raise invalid("'tool_choice' needs 'tools' to choose from.", param="tool_choice", code="invalid_value")
        return {}
    told = [{name: function[name] for name in _TOLD if function[name] is not None} for function in functions]
    return {"tools": [{"type": "function", "function": function} for function in told], "tool_choice": choice}


def _read_choice(choice: Fields, functions: Sequence[Tool]) -> tuple[Any, Sequence[Tool]]:
    """The chat completion's choice, and the functions that are left for it."""
    match choice.required_text("type"):
        case "function":
            name = _chosen_name(choice)
            if not _named(functions, {name}):
                raise _no_such_tool(choice, "name")
            return {"type": "function", "function": {"name": name}}, functions
        case "allowed_tools":
            mode = choice.choice("mode", ("auto", "required")) or "auto"
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


def _functions_among(choice: Fields) -> Iterator[Fields]:
    for item in choice.objects("tools", max_items=MAX_TOOLS) or ():
        if item.text("type") in (None, "function"):
            yield item


def _chosen_name(item: Fields) -> str:
    return full_name(item.text("namespace"), item.required_text("name"))


def _named(functions: Sequence[Tool], names: set[str]) -> list[Tool]:
    return [function for function in functions if function["name"] in names]


def _no_such_tool(choice: Fields, name: str) -> GatewayError:
    param = choice.param(name)
    return invalid(f"'{param}' must name functions that 'tools' has.", param=param, code="invalid_value")
