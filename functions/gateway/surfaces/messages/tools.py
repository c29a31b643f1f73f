"""Anthropic's tools as those of a chat completion. Pure."""

from __future__ import annotations

from typing import Any

from gateway.http.errors import invalid
from gateway.http.fields import Fields

MAX_TOOLS = 128


def read_tools(body: Fields) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields `tools`, `tool_choice` and `parallel_tool_calls`, and the places of tools that can't be offered.

    Tools without a schema of their own are known to Anthropic's models or run on its servers; they are left out.
    Raises `GatewayError` (400), naming the field.
    """
    tools: list[dict[str, Any]] = []
    dropped: list[str] = []
    for index, item in enumerate(body.objects("tools", max_items=MAX_TOOLS) or ()):
        if (item.text("type") or "custom") == "custom":
            tools.append({"type": "function", "function": _function(item)})
        else:
            dropped.append(f"tools[{index}]")
    choice = body.mapping("tool_choice")
    if choice is None:
        return ({"tools": tools} if tools else {}), tuple(dropped)
    fields: dict[str, Any] = {"tools": tools, "tool_choice": _choice(choice, tools)}
    if choice.flag("disable_parallel_tool_use"):
        fields["parallel_tool_calls"] = False
    return (fields if tools else {}), tuple(dropped)


def _function(item: Fields) -> dict[str, Any]:
    schema = item.mapping("input_schema")
    if schema is None:
        raise item.missing("input_schema")
    function = {"name": item.required_text("name", max_length=256), "parameters": schema.values}
    description = item.text("description")
    function |= {"description": description} if description else {}
    return function | ({"strict": True} if item.flag("strict") else {})


def _choice(choice: Fields, tools: list[dict[str, Any]]) -> Any:
    kind = choice.choice("type", ("auto", "any", "tool", "none"))
    if kind is None:
        raise choice.missing("type")
    if kind == "tool":
        name = choice.required_text("name", max_length=256)
        if not any(tool["function"]["name"] == name for tool in tools):
            param = choice.param("name")
            raise invalid(f"'{param}' must name one of 'tools'.", param=param, code="invalid_value")
        return {"type": "function", "function": {"name": name}}
    if kind == "any" and not tools:
        raise invalid("'tool_choice' is only allowed with 'tools'.", param="tool_choice", code="invalid_value")
    return {"auto": "auto", "any": "required", "none": "none"}[kind]
