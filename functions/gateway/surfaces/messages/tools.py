"""Anthropic's tools. Pure."""

from __future__ import annotations

from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.errors import invalid
from gateway.http.fields import read_mapping
from gateway.prompt.tool_specs import MAX_TOOL_NAME, Tool, ToolSpecs, is_web_search, normalise_function

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
        if (item.type or "custom") == "custom":
            tools.append({"type": "function", "function": _function(item)})
        else:
            dropped.append(f"tools[{index}]")
    searches = {item.name: f"tools[{index}]" for index, item in enumerate(items) if is_web_search(item.type)}
    # A choice that only a search can meet: whether the model has one is not known here.
    must_search = choice is not None and (
        (choice.type == "any" and not tools and bool(searches)) or (choice.type == "tool" and choice.name in searches)
    )
    mode = None if choice is None or must_search else _mode(choice, tools, has_others=bool(dropped))
    is_parallel = choice is None or not choice.disable_parallel_tool_use
    specs = ToolSpecs.offering(tuple(tools), mode, is_parallel=is_parallel, dropped=tuple(dropped))
    return specs.searching(searches.values(), mode, must=must_search)


def _function(item: ToolItem) -> dict[str, Any]:
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
    if choice.type == "any" and not tools:
        problem = (
            "asks for a call, but none of 'tools' is offered here" if has_others else "is only allowed with 'tools'"
        )
        raise invalid(f"'tool_choice' {problem}.", param="tool_choice", code="invalid_value")
    return _MODES[choice.type]
