"""The tools of a request: `tools` and `tool_choice`, and their predecessors `functions` and `function_call`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import Fields

MAX_TOOLS = 128
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
# OpenAI allows 64; Poe's bots are asked under the same name, so longer ones are left to the upstream to judge.
_MAX_NAME = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpecs:
    """What may be called, and what must be."""

    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """In OpenAI's shape. Empty where nothing may be called."""
    choice: Any = None
    """`tool_choice` as the official API takes it: a mode, or one named function. `None` where it was not said."""
    is_parallel: bool = True
    """Whether one answer may hold several calls."""
    is_legacy: bool = False
    """Whether the caller speaks of `functions`, and expects a `function_call`."""
    withheld: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Tools that may not be called this time: a provider may want to know what earlier calls were of."""
    dropped: tuple[str, ...] = ()
    """What was left out, by its place."""

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call is not what was asked for."""
        return bool(self.tools) and (self.choice == "required" or isinstance(self.choice, Mapping))

    @property
    def has_strict(self) -> bool:
        """Whether arguments of some tool must fit its schema."""
        return any(tool["function"].get("strict") is True for tool in self.tools)

    @property
    def callable_tools(self) -> tuple[Mapping[str, Any], ...]:
        """The functions that may be called: the named one only, where one is named."""
        if isinstance(self.choice, Mapping):
            name = self.choice["function"]["name"]
            return tuple(tool for tool in self.tools if function_name(tool) == name)
        return self.tools


def function_name(tool: Mapping[str, Any]) -> str:
    """The name of a tool that was read by `read_tools`."""
    name: str = tool["function"]["name"]
    return name


def read_tools(body: Fields) -> ToolSpecs:
    """Check and normalise. Raises `GatewayError` (400), naming the field."""
    tools, dropped = _read_newer(body)
    choice = _read_choice(body.get("tool_choice"), body)
    is_legacy = False
    if not tools and not dropped:
        tools = _read_functions(body)
        is_legacy = bool(tools)
        choice = _legacy_choice(body) if is_legacy else choice
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        tools, choice = _allowed(choice, tools, body)
    if choice == "none" or not tools:
        if tools or choice in (None, "none", "auto"):
            return ToolSpecs(withheld=tools, dropped=dropped)
        problem = "asks for a call, but only functions are offered here" if dropped else "is only allowed with 'tools'"
        raise invalid(f"'tool_choice' {problem}.", param="tool_choice", code="invalid_value")
    specs = ToolSpecs(
        tools=tools,
        choice=choice,
        is_parallel=not is_legacy and body.flag("parallel_tool_calls", default=True),
        is_legacy=is_legacy,
        dropped=dropped,
    )
    if not specs.callable_tools:
        raise invalid("'tool_choice' names no function of 'tools'.", param="tool_choice", code="invalid_value")
    return specs


def _read_newer(body: Fields) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    """The function tools, and the places of those that Poe has nothing like."""
    kept: list[Mapping[str, Any]] = []
    dropped: list[str] = []
    for index, item in enumerate(body.objects("tools", max_items=MAX_TOOLS) or ()):
        if (item.text("type") or "function") == "function":
            function = item.mapping("function")
            if function is None:
                raise item.missing("function")
            kept.append({**item.values, "type": "function", "function": _read_function(function)})
        else:
            dropped.append(f"tools[{index}]")
    return tuple(kept), tuple(dropped)


def _read_functions(body: Fields) -> tuple[Mapping[str, Any], ...]:
    items = body.objects("functions", max_items=MAX_TOOLS) or ()
    return tuple({"type": "function", "function": _read_function(item)} for item in items)


def _read_function(function: Fields) -> dict[str, Any]:
    """A definition whose arguments have a schema with properties: providers behind Poe refuse one without."""
    function.required_text("name", max_length=_MAX_NAME)
    function.text("description")
    schema = function.mapping("parameters")
    parameters = dict(schema.values) if schema and schema.values else {}
    if "$ref" not in parameters and not any(name in parameters for name in ("anyOf", "oneOf", "allOf")):
        parameters = {**_NO_ARGUMENTS, **parameters}
    return {**function.values, "parameters": parameters}


def _read_choice(value: Any, body: Fields) -> Any:
    if value is None or value in ("auto", "none", "required"):
        return value
    if not isinstance(value, dict):
        raise _bad_choice(body)
    kind = value.get("type")
    if kind == "allowed_tools":
        return value
    function = value.get("function")
    if kind == "function" and isinstance(function, dict) and isinstance(function.get("name"), str):
        return {"type": "function", "function": {"name": function["name"]}}
    raise _bad_choice(body)


def _bad_choice(body: Fields) -> GatewayError:
    return body.wrong("tool_choice", "'auto', 'none', 'required', or an object that names a function")


def _legacy_choice(body: Fields) -> Any:
    value = body.get("function_call")
    if value is None or value in ("auto", "none"):
        return value
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return {"type": "function", "function": {"name": value["name"]}}
    raise body.wrong("function_call", "'auto', 'none', or an object that names a function")


def _allowed(
    choice: Mapping[str, Any], tools: Sequence[Mapping[str, Any]], body: Fields
) -> tuple[tuple[Mapping[str, Any], ...], Any]:
    """`allowed_tools` is the same as offering only those tools."""
    allowed = choice.get("allowed_tools")
    listed = allowed.get("tools") if isinstance(allowed, dict) else None
    if not isinstance(allowed, dict) or allowed.get("mode") not in ("auto", "required") or not isinstance(listed, list):
        raise body.wrong("tool_choice.allowed_tools", "an object with 'mode' (auto, required) and 'tools'")
    names = {
        item["function"].get("name")
        for item in listed
        if isinstance(item, dict) and isinstance(item.get("function"), dict)
    }
    kept = tuple(tool for tool in tools if function_name(tool) in names)
    if not kept:
        raise invalid("'tool_choice' allows no function of 'tools'.", param="tool_choice", code="invalid_value")
    return kept, allowed["mode"]
